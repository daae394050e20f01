#!/usr/bin/env bash
# Type-checks the wheel as a user gets it, so that packaging mistakes show too.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export UV_CACHE_DIR=$root/.cache/uv
out=build/typecheck
rm -rf "$out" build/lib build/bdist.* && mkdir -p "$out"
.cache/tools/bin/uv build -q --wheel --no-build-isolation --python .venv/bin/python --out-dir "$out/dist" .
.cache/tools/bin/uv pip install -q --python .venv/bin/python --no-deps --target "$out/site" "$out"/dist/*.whl
cd "$out/site"
"$root/.venv/bin/mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" \
  -p roadworthy.pipeline -p roadworthy.components -p roadworthy.models -p roadworthy.serving

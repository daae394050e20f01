#!/usr/bin/env bash
# Installs infra/check/tools.lock into .cache/check; a second call finds the stamp and stops.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=.cache/check
want=$(sha256sum <infra/check/tools.lock)
if [ -f "$tools/.stamp" ] && [ "$(cat "$tools/.stamp")" = "$want" ]; then exit; fi
rm -rf "$tools"
export UV_CACHE_DIR=$PWD/.cache/uv UV_NO_PROGRESS=1 UV_LINK_MODE=hardlink
.cache/tools/bin/uv venv -q --python .venv/bin/python "$tools"
.cache/tools/bin/uv pip sync -q --python "$tools/bin/python" --require-hashes infra/check/tools.lock
echo "$want" >"$tools/.stamp"

#!/usr/bin/env bash
# Resolves every lock again: the checkout's own first, then those of the images, which take their versions from it.
set -euo pipefail
cd "$(dirname "$0")/.."

resolve() { # LOCK ARGUMENT…
  .cache/tools/bin/uv pip compile -q --no-header --python-version 3.11 --generate-hashes -o "$@"
}

of_image() { # NAME ARGUMENT…
  resolve "infra/docker/locks/$1.lock" --no-annotate --python-platform x86_64-manylinux_2_39 -c requirements.lock "${@:2}"
}

extras() { printf -- '--extra %s ' "$@"; }

resolve infra/tools.lock --universal infra/tools.in
resolve infra/check/tools.lock --no-config --no-annotate --python-platform x86_64-manylinux_2_39 infra/check/tools.in
resolve requirements.lock --no-annotate --python-platform x86_64-manylinux_2_39 --all-extras pyproject.toml

echo 'setuptools>=80,<81' | of_image build -
of_image server-litert $(extras serving sync tracing) pyproject.toml
of_image server $(extras serving-tensorflow sync tracing) pyproject.toml
of_image pipeline $(extras pipeline cloud text tracing) pyproject.toml
echo 'tensorflow[and-cuda]==2.21.0' | of_image pipeline-gpu $(extras pipeline cloud text tracing) pyproject.toml -

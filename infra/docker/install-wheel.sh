#!/usr/bin/env bash
# Builds Roadworthy's wheel; a RUN step of the images, and what infra/check/images.sh runs outside of them.
#
#   install-wheel.sh SOURCE LOCK WHEELS      SOURCE is the checkout, LOCK pins the build backend
set -euo pipefail

source=$1 lock=$2 wheels=$3
backend=$(mktemp -d)
trap 'rm -rf "$backend"' EXIT

python3.11 -m venv "$backend/venv"
"$backend/venv/bin/pip" install -q --no-cache-dir --require-hashes --only-binary :all: -r "$lock"
# Setuptools writes beside what it builds, and the source may be mounted read-only.
cp -r "$source" "$backend/source"
mkdir -p "$wheels"
"$backend/venv/bin/pip" wheel -q --no-cache-dir --no-deps --no-build-isolation --wheel-dir "$wheels" "$backend/source"

#!/usr/bin/env bash
# Makes an environment from a lock and our wheel; a RUN step of the images, and what infra/check/images.sh runs outside of them.
#
#   install-environment.sh TARGET LOCK WHEELS
#
# Everything comes as a wheel whose SHA-256 the lock names: no compiler, no code of a package runs while it is installed.
set -euo pipefail

target=$1 lock=$2 wheels=$3

python3.11 -m venv "$target"
# pip's own resolver looks at neither the versions nor the index again: the lock is the whole list.
"$target/bin/pip" install -q --no-cache-dir --no-deps --require-hashes --only-binary :all: -r "$lock"
"$target/bin/pip" install -q --no-cache-dir --no-deps --no-index "$wheels"/roadworthy-*.whl
# Nothing is installed into it again; root owns it, and who runs it can't write byte code there later.
"$target/bin/python" -m pip uninstall -q -y pip setuptools 2>/dev/null || "$target/bin/python" -m pip uninstall -q -y pip
"$target/bin/python" -m compileall -q -j 0 "$target/lib" >/dev/null || true # some packages ship templates that are no Python

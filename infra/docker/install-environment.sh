#!/usr/bin/env bash
# Makes an environment from a lock and our wheel; a RUN step of the images, and what make images-check runs outside of them.
#
#   install-environment.sh TARGET LOCK WHEELS [SOURCE…]
#
# Everything comes as a wheel whose SHA-256 the lock names: no compiler, and no code of a package runs while it is installed.
# A SOURCE is a package that its authors publish as source alone: it is built from that, by the build backend of build.lock
# beside the lock.
set -euo pipefail

target=$1 lock=$2 wheels=$3
shift 3

python3.11 -m venv "$target"
pip=("$target/bin/python" -m pip --no-cache-dir -q)
how=(--no-deps --require-hashes --only-binary :all:)
"${pip[@]}" install "${how[@]}" -r "$(dirname "$lock")/build.lock"
for source; do how+=(--no-binary "$source"); done
# The lock is the whole list; pip looks for nothing beside it.
"${pip[@]}" install "${how[@]}" --no-build-isolation -r "$lock"
"${pip[@]}" install --no-deps --no-index "$wheels"/roadworthy-*.whl
grep -q '^setuptools==' "$lock" || "${pip[@]}" uninstall -y setuptools
# Nothing is installed into it again.
"${pip[@]}" uninstall -y pip
# Root owns it, and who runs it could not write byte code later. Some packages ship templates that are no Python.
"$target/bin/python" -m compileall -q -j 0 "$target/lib" >/dev/null || true

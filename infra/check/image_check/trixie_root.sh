#!/usr/bin/env bash
# Unpacks a fresh root of Debian 13 with CPython 3.11 into a folder: what python:3.11-slim-trixie is, as far as one can be made
# without a registry of images. debootstrap makes it, once; CPython 3.11 is Debian 12's package, since Debian 13 has none.
#
#   infra/check/image_check/trixie_root.sh TARGET
set -euo pipefail
cd "$(dirname "$0")/../../.."

stop() {
  printf 'trixie-root: %s\n' "$@" >&2
  exit 2
}

target=${1:?a folder to unpack into}
[ "$(id -u)" = 0 ] || stop "A root of Debian can be made by root alone. Received: user $(id -un)."
. /etc/os-release
[ "$ID" = debian ] || stop "The machine must be a Debian, whose mirror and keys the root is made with. Received: $PRETTY_NAME."
command -v debootstrap >/dev/null || stop "debootstrap must be on PATH. Received: none." "apt-get install debootstrap"

made=.cache/trixie
want=$(sha256sum <"$0")
if [ ! -f "$made/root.tar" ] || [ "$(cat "$made/.stamp" 2>/dev/null)" != "$want" ]; then
  rm -rf "$made" && mkdir -p "$made/root"
  root=$PWD/$made/root
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')
  debootstrap --variant=minbase --include=ca-certificates trixie "$root" "$mirror" >"$made/debootstrap.log" 2>&1 ||
    stop "debootstrap must make a root of trixie. Received: $(tail -n 1 "$made/debootstrap.log") See $made/debootstrap.log."
  echo "deb $mirror bookworm main" >"$root/etc/apt/sources.list.d/bookworm.list"
  # How this machine reaches its registries: names, and the authorities it trusts.
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  { chroot "$root" apt-get -qq update && DEBIAN_FRONTEND=noninteractive chroot "$root" \
    apt-get -qq install -y --no-install-recommends python3.11 python3-pip-whl python3-setuptools-whl &&
    # Debian keeps venv and distutils apart, in packages that ask for Debian 12's default Python; their files are all that is needed.
    chroot "$root" sh -ec 'cd /tmp; apt-get -qq download python3.11-venv python3-distutils python3-lib2to3
      for deb in *.deb; do dpkg -x "$deb" /; done; rm ./*.deb'; } >"$made/python.log" 2>&1 ||
    stop "apt must install python3.11 of bookworm in the root. Received: $(tail -n 1 "$made/python.log") See $made/python.log."
  tar -C "$root" -cf "$made/root.tar" --one-file-system --exclude=./proc/* --exclude=./sys/* \
    --exclude=./var/cache/apt/* --exclude=./var/lib/apt/lists/* --exclude=./usr/share/doc/* --exclude=./usr/share/man/* --exclude=./usr/share/locale/* .
  rm -rf "$root"
  echo "$want" >"$made/.stamp"
fi
mkdir -p "$target"
tar -C "$target" -xf "$made/root.tar"

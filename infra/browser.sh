#!/usr/bin/env bash
# Installs the browser that tests look at the report's page with, and what reads how it prints, where they are missing. Without
# root or sudo it is told, and the tests then say that they were skipped.
set -euo pipefail

missing=()
here() { command -v "$1" >/dev/null; }
here chromium || here chromium-browser || here google-chrome || missing+=(chromium)
here pdftotext || missing+=(poppler-utils)
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" != 0 ]; then
  root=(sudo -n)
  if ! sudo -n true 2>/dev/null; then
    echo "browser: Tests of the report's page need ${missing[*]}. Received: none, and no right to install packages." >&2
    exit 0
  fi
fi
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null

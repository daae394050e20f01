#!/usr/bin/env bash
# Publishes the wheel of a tag on GitHub, with checksums and a signature that needs no key. Needs gh and cosign; VERSION is the tag.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() {
  printf 'release: %s\n' "$@" >&2
  exit 2
}

version=${VERSION:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || stop "VERSION must be a tag such as v1.2.3. Received: ${version:-none}."
stated=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
[ "v$stated" = "$version" ] || stop "pyproject.toml must state the version of the tag. Received: $stated for $version."
for program in gh cosign; do
  command -v "$program" >/dev/null || stop "$program must be on PATH. Received: none."
done
rm -rf build/release build/source && mkdir -p build/source
# What is committed under the tag, and nothing that lies about here.
git archive "$version" | tar -C build/source -x
infra/docker/install-wheel.sh build/source infra/docker/locks/build.lock build/release
cp requirements.lock build/release/
(cd build/release && sha256sum -- * >SHA256SUMS)
cosign sign-blob --yes --bundle build/release/SHA256SUMS.sigstore.json build/release/SHA256SUMS
gh release create "$version" --verify-tag --title "Roadworthy $stated" --notes-file CHANGELOG.md build/release/*

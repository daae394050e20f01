#!/bin/sh
# Resolves every peer's requirements.txt again.
cd "$(dirname "$0")" || exit
for requirements in */requirements.in; do
  ../../../.cache/tools/bin/uv pip compile "$requirements" -q --no-header --no-annotate --python-version 3.11 \
    --generate-hashes --python-platform x86_64-manylinux_2_28 -o "${requirements%.in}.txt"
done

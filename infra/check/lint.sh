#!/usr/bin/env bash
# hadolint over Dockerfiles, actionlint over workflows, and bash's own parser over the scripts.
set -euo pipefail
cd "$(dirname "$0")/../.."
.cache/check/bin/hadolint infra/docker/*.Dockerfile
.cache/check/bin/actionlint
for script in $(git ls-files 'infra/*.sh'); do bash -n "$script"; done
echo "lint: $(ls infra/docker/*.Dockerfile | wc -l) Dockerfiles, $(ls .github/workflows/*.yml | wc -l) workflows, no fault"

#!/usr/bin/env bash
# hadolint over Dockerfiles, actionlint over workflows, and bash's own parser over the scripts.
set -euo pipefail
cd "$(dirname "$0")/../.."
.cache/check/bin/hadolint infra/docker/*.Dockerfile
.cache/check/bin/actionlint
# A tag can be moved to other code by whoever owns the action; our own workflows go by their path.
if grep -nHE '^ *-? *uses:' .github/workflows/*.yml | grep -vE 'uses: (\./\S+|[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+@[0-9a-f]{40} # v[0-9.]+)$'; then
  echo "lint: every action must be pinned by its commit, with its version: uses: OWNER/NAME@COMMIT # v1.2.3" >&2
  exit 1
fi
for script in $(git ls-files 'infra/*.sh'); do bash -n "$script"; done
echo "lint: $(ls infra/docker/*.Dockerfile | wc -l) Dockerfiles, $(ls .github/workflows/*.yml | wc -l) workflows, no fault"

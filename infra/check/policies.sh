#!/usr/bin/env bash
# checkov over Terraform. A rule is skipped only where the resource says why: `#checkov:skip=RULE:reason`.
set -euo pipefail
cd "$(dirname "$0")/../.."

said=$(mktemp)
trap 'rm -f "$said"' EXIT
.cache/check/bin/checkov --directory infra --framework terraform --skip-download --quiet --compact 2>&1 | tee "$said" | grep -v '^$'
if grep -q 'Failed to run check' "$said"; then
  echo "policies: a rule of checkov's could not be run, and so says nothing." >&2
  exit 1
fi
if grep -rnE '#checkov:skip=[A-Z0-9_]+(:\s*)?$' infra --include='*.tf'; then
  echo "policies: every skip must give its reason, as #checkov:skip=CKV_GCP_62:Why." >&2
  exit 1
fi

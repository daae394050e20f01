#!/usr/bin/env bash
# checkov over Terraform, Dockerfiles, rendered manifests and workflows, with rules of our own in rules/. A rule is skipped only where the resource says why:
# `#checkov:skip=RULE:reason`, or the annotation `checkov.io/skip1: RULE=reason`.
set -euo pipefail
cd "$(dirname "$0")/../.."

said=$(mktemp) all=$(mktemp -d)
trap 'rm -rf "$said" "$all"' EXIT
# One run over one folder: checkov takes seven seconds to start. Manifests go in as they are rendered, not as they are patched.
mkdir -p "$all/rendered" "$all/infra"
cp -r .github "$all"
for part in bootstrap envs examples modules platform docker; do cp -r "infra/$part" "$all/infra"; done
for overlay in infra/kubernetes/overlays/*/; do
  .cache/check/bin/kubectl kustomize "$overlay" >"$all/rendered/$(basename "$overlay").yaml"
done

failed=0
.cache/check/bin/checkov --directory "$all" --framework terraform dockerfile kubernetes github_actions \
  --external-checks-dir infra/check/rules --skip-download --quiet --compact >"$said" 2>&1 || failed=1
grep -v '^$' "$said" || true

if grep -q 'Failed to run check' "$said"; then
  echo "policies: a rule of checkov's could not be run, and so says nothing." >&2
  exit 1
fi
if grep -rnE 'checkov:skip=[A-Z0-9_]+(:\s*)?$|checkov\.io/skip[0-9]+: *[A-Z0-9_]+=?\s*$' infra .github --include='*.tf' --include='*.Dockerfile' --include='*.y*ml'; then
  echo "policies: every skip must give its reason, as #checkov:skip=CKV_GCP_62:Why." >&2
  exit 1
fi
exit "$failed"

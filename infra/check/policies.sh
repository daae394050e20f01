#!/usr/bin/env bash
# checkov over Terraform, Dockerfiles, rendered manifests and workflows. A rule is skipped only where the resource says why:
# `#checkov:skip=RULE:reason`, or the annotation `checkov.io/skip1: RULE=reason`.
set -euo pipefail
cd "$(dirname "$0")/../.."

said=$(mktemp) rendered=$(mktemp -d)
trap 'rm -rf "$said" "$rendered"' EXIT
for overlay in infra/kubernetes/overlays/*/; do
  .cache/check/bin/kubectl kustomize "$overlay" >"$rendered/$(basename "$overlay").yaml"
done

failed=0
scan() { # FRAMEWORK FOLDER
  .cache/check/bin/checkov --directory "$2" --framework "$1" --skip-download --quiet --compact 2>&1 | tee -a "$said" | grep -v '^$' || failed=1
}
scan terraform infra
scan dockerfile infra/docker
scan kubernetes "$rendered"
# Looked for below .github/workflows of the folder given.
mkdir "$rendered/repository" && cp -r .github "$rendered/repository"
scan github_actions "$rendered/repository"

if grep -q 'Failed to run check' "$said"; then
  echo "policies: a rule of checkov's could not be run, and so says nothing." >&2
  exit 1
fi
if grep -rnE 'checkov:skip=[A-Z0-9_]+(:\s*)?$|checkov\.io/skip[0-9]+: *[A-Z0-9_]+=?\s*$' infra .github --include='*.tf' --include='*.Dockerfile' --include='*.y*ml'; then
  echo "policies: every skip must give its reason, as #checkov:skip=CKV_GCP_62:Why." >&2
  exit 1
fi
exit "$failed"

#!/usr/bin/env bash
# Initialises an environment's Terraform against its state; what tf-plan and tf-apply do first.
set -euo pipefail
cd "$(dirname "$0")/envs"

stop() {
  printf 'terraform: %s\n' "$@" >&2
  exit 2
}

env=${1:-}
ls | grep -qxF -- "$env" || stop "ENV must be one of: $(ls | xargs). Received: ${env:-none}." "Try: make tf-plan ENV=dev"
command -v terraform >/dev/null || stop "Terraform 1.11 or newer must be on PATH. Received: none." "developer.hashicorp.com/terraform/install"

said=$(mktemp)
trap 'rm -f "$said"' EXIT
if ! terraform -chdir="$env" init -input=false 2>"$said"; then
  cat "$said" >&2
  ! grep -q 'could not find default credentials' "$said" ||
    stop "Credentials for Google Cloud must be there. Received: none." "Try: gcloud auth application-default login"
  ! grep -q "bucket doesn't exist" "$said" ||
    stop "The bucket that infra/envs/$env/backend.tf names must be there. Received: none." "infra/bootstrap makes it: docs/guide/runbook.md"
  exit 1
fi
cat "$said" >&2

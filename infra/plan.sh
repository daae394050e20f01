#!/usr/bin/env bash
# Plans an environment against its state and the real project; the plan is kept as infra/envs/ENV/ENV.tfplan, to be applied as it was read.
set -euo pipefail
cd "$(dirname "$0")/envs"

stop() {
  printf 'tf-plan: %s\n' "$@" >&2
  exit 2
}

env=${1:-}
[ -n "$env" ] && [ -d "$env" ] || stop "ENV must be one of: $(ls | xargs). Received: ${env:-none}." "Try: make tf-plan ENV=dev"
command -v terraform >/dev/null || stop "Terraform 1.11 or newer must be on PATH. Received: none." "developer.hashicorp.com/terraform/install"

terraform -chdir="$env" init -input=false
terraform -chdir="$env" plan -input=false -out="$env.tfplan"
echo "tf-plan: terraform -chdir=infra/envs/$env apply $env.tfplan"

#!/usr/bin/env bash
# Plans an environment against its state and the real project; the plan is kept as infra/envs/ENV/ENV.tfplan, to be applied as it was read.
set -euo pipefail
cd "$(dirname "$0")"

./init.sh "${1:-}"
umask 077 # a plan holds what a state holds
# Without the lock, who plans need not be able to write the state. What was planned beside an apply, Terraform refuses to apply.
terraform -chdir="envs/$1" plan -lock=false -input=false -out="$1.tfplan"
echo "tf-plan: terraform -chdir=infra/envs/$1 apply $1.tfplan"

#!/usr/bin/env bash
# Plans an environment anew and applies just that plan; who may run it is the workflow's approval to decide.
set -euo pipefail
cd "$(dirname "$0")"
./plan.sh "${1:-}"
terraform -chdir="envs/$1" apply -input=false "$1.tfplan"
rm -f "envs/$1/$1.tfplan"

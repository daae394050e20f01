#!/usr/bin/env bash
# Applies the very plan that tf-keep put away and somebody approved, by its sum; Terraform refuses it once the state is another.
#
#   apply.sh ENV SUM
set -euo pipefail
cd "$(dirname "$0")"

./init.sh "${1:-}"
trap 'rm -f "envs/$1/$1.tfplan"' EXIT
../.venv/bin/python plans.py fetch "$1" "${2:-}"
terraform -chdir="envs/$1" apply -input=false "$1.tfplan"

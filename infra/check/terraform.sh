#!/usr/bin/env bash
# Terraform: format, init, validate and test of every module, example and environment; see terraform_check/.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHONPATH=infra/check exec .cache/check/bin/python -m terraform_check "${@:-infra}"

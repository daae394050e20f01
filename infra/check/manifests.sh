#!/usr/bin/env bash
# Kubernetes: every overlay rendered, held to Kubernetes' own schemas and to what its parts say of each other.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.cache/check/bin:$PATH PYTHONPATH=infra/check exec .cache/check/bin/python -m manifest_check "${@:-infra/kubernetes/overlays}"

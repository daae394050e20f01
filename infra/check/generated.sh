#!/usr/bin/env bash
# What is generated from the modules (tables, diagram, costs) is what stands in the repository.
set -euo pipefail
cd "$(dirname "$0")/../.."
drift=0
for script in tables diagram costs; do .venv/bin/python "infra/generate/$script.py" --check || drift=1; done
exit $drift

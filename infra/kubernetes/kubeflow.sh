#!/usr/bin/env bash
# Installs Kubeflow Pipelines by the output kubeflow of a folder of Terraform that was applied, in the cluster of kubectl's
# context CONTEXT, else its current one.
#
#   kubeflow.sh [FOLDER]      infra/examples/kubeflow where none is named; with DRY_RUN=1 it only renders, to build/manifests
set -euo pipefail
cd "$(dirname "$0")/../.."

stop() {
  printf 'kubeflow: %s\n' "$@" >&2
  exit 2
}

folder=${1:-infra/examples/kubeflow}
[ -f "$folder/outputs.tf" ] || stop "FROM must be a folder of Terraform with the output kubeflow. Received: $folder."
kubectl=$(command -v kubectl || echo .cache/check/bin/kubectl)
[ -x "$kubectl" ] || stop "kubectl must be on PATH. Received: none." "infra/check/tools.sh brings one into .cache/check"
# shellcheck source=infra/kubernetes/cluster.sh
source infra/kubernetes/cluster.sh
for program in terraform git; do
  command -v "$program" >/dev/null || stop "$program must be on PATH. Received: none."
done
[ -n "${DRY_RUN:-}" ] || find_cluster
said=$(mktemp)
trap 'rm -f "$said"' EXIT
found=$(terraform -chdir="$folder" output -no-color -json kubeflow 2>"$said") ||
  stop "$folder must be applied, with the output kubeflow. Received: $(sed -n 's/.*Error: //p' "$said" | head -n 1)."

manifests=build/manifests/kubeflow
rm -rf "$manifests"
mkdir -p "$manifests"
cp -r infra/kubernetes/kubeflow/. "$manifests"
.venv/bin/python - "$found" >"$manifests/namespaced/cloud.env" <<'PYTHON' ||
import json, sys
try:
    said = json.loads(sys.argv[1])
    accounts = {name: said["accounts"][name] for name in ("sql", "run", "ui")}
    user = accounts["sql"].partition("@")[0]  # MySQL's name of an account has no domain
    values = {"connection": said["connection"], "user": user, "pipeline_root": f"gs://{said['bucket']}/artifacts", **accounts}
except (LookupError, TypeError, ValueError):
    sys.exit(1)
print(*(f"{name}={value}" for name, value in values.items()), sep="\n")
PYTHON
  stop "The output kubeflow must have accounts (sql, run, ui), bucket and connection. Received: $found."

for part in cluster namespaced; do
  "$kubectl" kustomize "$manifests/$part" >"$manifests/$part.yaml" || stop "Upstream's manifests must be reached at github.com, as infra/kubernetes/kubeflow/$part names them."
  echo "$manifests/$part.yaml"
done
[ -z "${DRY_RUN:-}" ] || exit 0

in_cluster apply --server-side -f "$manifests/cluster.yaml"
in_cluster wait --for=condition=established --timeout=2m crd/workflows.argoproj.io crd/scheduledworkflows.kubeflow.org
in_cluster apply --server-side -f "$manifests/namespaced.yaml"
in_cluster -n kubeflow wait --for=condition=available --timeout=15m deployment --all

#!/usr/bin/env bash
# Renders an overlay with the digests of the images that were pushed, and applies it.
#
#   deploy.sh render OVERLAY      to build/manifests/OVERLAY.yaml
#   deploy.sh apply OVERLAY       renders, applies to the cluster of kubectl's context CONTEXT, else its current one, and waits for the rollout
#
# REGISTRY, PROJECT and MODELS (gs://BUCKET) take the place of the example's; without build/images/ the tags stay. They are
# the outputs images and cloud of an environment: see docs/guide/deploying-kubernetes.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

stop() {
  printf 'deploy: %s\n' "$@" >&2
  exit 2
}

overlays=infra/kubernetes/overlays
command=${1:-} overlay=${2:-}
[[ $command =~ ^(render|apply)$ ]] || stop "The first word must be render or apply. Received: ${command:-nothing}."
ls "$overlays" | grep -qxF -- "$overlay" ||
  stop "OVERLAY must be one of: $(ls "$overlays" | xargs). Received: ${overlay:-none}." "Try: make manifests OVERLAY=cpu"
kubectl=$(command -v kubectl || echo .cache/check/bin/kubectl)
[ -x "$kubectl" ] || stop "kubectl must be on PATH. Received: none." "infra/check/tools.sh brings one into .cache/check"
# shellcheck source=infra/kubernetes/cluster.sh
source infra/kubernetes/cluster.sh

example=europe-west4-docker.pkg.dev/roadworthy-dev/roadworthy
registry=${REGISTRY:-$example}

pinned() { # the images, each by digest where it was pushed
  local name file found
  for name in server-litert server tf-serving tf-serving-gpu; do
    file=build/images/$name.json found=
    [ ! -f "$file" ] || found=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]\{64\}\)".*/\1/p' "$file")
    echo "  - {name: $example/$name, newName: $registry/$name${found:+, digest: \"$found\"}}"
  done
}

render() {
  mkdir -p build/manifests
  local folder=build/manifests/$overlay
  rm -rf "$folder" && mkdir "$folder"
  {
    printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../../%s/%s]\nimages:\n' "$overlays" "$overlay"
    pinned
  } >"$folder/kustomization.yaml"
  "$kubectl" kustomize "$folder" >"$folder.yaml.aside"
  [ -z "${PROJECT:-}" ] || sed -i "s/@roadworthy-dev\.iam\.gserviceaccount\.com/@$PROJECT.iam.gserviceaccount.com/" "$folder.yaml.aside"
  # A prefix of its own for the candidate: MODELS/served and MODELS/candidate.
  [ -z "${MODELS:-}" ] || sed -i "s#gs://roadworthy-dev-models/#${MODELS%/}/#" "$folder.yaml.aside"
  mv "$folder.yaml.aside" "$folder.yaml"
  rm -rf "$folder"
  echo "build/manifests/$overlay.yaml"
}

[ "$command" != apply ] || find_cluster
render
if [ "$command" = apply ]; then
  in_cluster apply --server-side -f "build/manifests/$overlay.yaml"
  in_cluster -n models rollout status deployment/model-server --timeout=15m
fi

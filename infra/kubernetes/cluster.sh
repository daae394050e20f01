# Which cluster is changed: kubectl's context CONTEXT, else its current one. It is named before anything is sent to it.
# For scripts that have kubectl and stop.
# shellcheck shell=bash

context=

find_cluster() {
  local contexts
  contexts=$("$kubectl" config get-contexts -o name)
  context=${CONTEXT:-$("$kubectl" config current-context 2>/dev/null || true)}
  [ -n "$context" ] || stop "kubectl must have a current context, or CONTEXT name one. Received: none." "Try: gcloud container clusters get-credentials CLUSTER --region=REGION --dns-endpoint"
  grep -qxF -- "$context" <<<"$contexts" || stop "CONTEXT must be one of kubectl's: $(xargs <<<"$contexts"). Received: $context."
  echo "to the cluster of kubectl's context $context"
}

in_cluster() { "$kubectl" --context="$context" "$@"; }

#!/usr/bin/env bash
# Runs every check of infra/check/ at once; a fault in one hides none in the next. infra/check.sh terraform runs that one alone.
set -euo pipefail
cd "$(dirname "$0")/.."

infra/check/tools.sh
checks=$(basename -s .sh infra/check/*.sh | grep -vx tools)
for name; do
  grep -qxF -- "$name" <<<"$checks" || { printf 'infra-check: A check must be one of: %s. Received: %s.\n' "$(xargs <<<"$checks")" "$name" >&2; exit 2; }
done
[ $# -gt 0 ] || set -- $checks

said=$(mktemp -d)
declare -A jobs
stop() {
  for job in "${jobs[@]}"; do kill -INT -- "-$job" 2>/dev/null || true; done
  rm -rf "$said"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
set -m # each has a process group of its own, so that an interrupt reaches all that it started
for name; do
  "infra/check/$name.sh" >"$said/$name" 2>&1 </dev/null &
  jobs[$name]=$!
done
failed=()
for name; do
  wait "${jobs[$name]}" || failed+=("$name")
  unset "jobs[$name]"
  printf '== %s\n' "$name"
  cat "$said/$name"
done
[ ${#failed[@]} = 0 ] || { printf 'infra-check: faults in %s\n' "${failed[*]}" >&2; exit 1; }

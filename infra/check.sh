#!/usr/bin/env bash
# Runs every check of infra/check/; a fault in one hides none in the next. infra/check.sh terraform runs that one alone.
set -euo pipefail
cd "$(dirname "$0")/.."

infra/check/tools.sh
[ $# -gt 0 ] || set -- $(basename -s .sh infra/check/*.sh | grep -vx tools)
failed=()
for name; do
  printf '== %s\n' "$name"
  "infra/check/$name.sh" || failed+=("$name")
done
[ ${#failed[@]} = 0 ] || { printf 'infra-check: faults in %s\n' "${failed[*]}" >&2; exit 1; }

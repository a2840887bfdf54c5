#!/usr/bin/env bash
# Runs what README tells a newcomer to type, verbatim: `tests/readme.sh demo`, `tests/readme.sh test`, or both without a word.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The code block behind the mark `<!-- commands -->`.
commands=$(awk '
  /<!-- commands -->/ { marked = 1; next }
  marked && /^```/    { if (inside) exit; inside = 1; next }
  inside && NF        { print }
' README.md)

if [ "$(wc -l <<<"$commands")" -ne 2 ]; then
  printf 'readme: README.md must have two commands behind its mark, but has:\n%s\n' "$commands" >&2
  exit 1
fi

wanted=${1:-}
ran=0
while IFS= read -r command; do
  case "$command" in
  *" $wanted" | *" $wanted "*) ;;
  *) [ -z "$wanted" ] || continue ;;
  esac
  printf 'readme: %s\n' "$command" >&2
  bash -euo pipefail -c "$command" </dev/null
  ran=$((ran + 1))
done <<<"$commands"

if [ "$ran" -eq 0 ]; then
  printf 'readme: README.md has no command for "%s"\n' "$wanted" >&2
  exit 1
fi

#!/usr/bin/env bash
# Walks the tutorials of docs/plugins, verbatim, in a copy of plugins/ that knows of no build before: what they show as output must
# have been said. Needs a suite that stays after its demo: LINLI_SERVER, LINLI_CA, LINLI_TOKEN (the operator's), RESIDENT_TOKEN.
# `tests/tutorials.sh rust` walks one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
: "${LINLI_SERVER:?}" "${LINLI_CA:?}" "${LINLI_TOKEN:?}" "${RESIDENT_TOKEN:?}"

for tool in node npm cargo buf python3; do
  if ! command -v "$tool" >&2; then
    printf 'tutorials: %s is missing; the tutorials cannot be walked without it\n' "$tool" >&2
    exit 1
  fi
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The code blocks of one language, but for those that a mark `<!-- not run: why -->` stands before.
blocks() {
  awk -v language="$2" '
    /^<!-- not run/                  { skipped = 1; next }
    /^```/ && inside                 { inside = 0; next }
    /^```/                           { inside = ($0 == "```" language) && !skipped; other = !inside; skipped = 0
                                       if (other) { while ((getline line) > 0 && line !~ /^```/) {} }
                                       next }
    inside                           { print }
  ' "$1"
}

# Whether every line of the shown output was said; `...` stands for anything, and spaces count once.
said() {
  local line pattern wrong=0
  tr -s ' ' <"$2" >"$2.flat"
  while IFS= read -r line; do
    [ -n "${line// /}" ] || continue
    pattern=$(sed -e 's#[][\.*^$+?(){}|/]#\\&#g' -e 's#\\\.\\\.\\\.#.*#g' <<<"$line" | tr -s ' ' | sed -e 's#^ ##' -e 's# $##')
    if ! grep -qE -- "$pattern" "$2.flat"; then
      printf 'tutorials: %s shows what was not said: %s\n' "$1" "$line" >&2
      wrong=1
    fi
  done < <(blocks "$1" text)
  return "$wrong"
}

walk() {
  local page=docs/plugins/$1.md place=$scratch/$1 log=$scratch/$1.log began=$SECONDS
  mkdir -p "$place/target/debug"
  tar -c --exclude=target --exclude=dist --exclude=node_modules plugins | tar -x -C "$place"
  # The tools of scripts are fetched once, by the first build; the rule itself is built anew.
  [ ! -d plugins/sdk-js/node_modules ] || cp -r plugins/sdk-js/node_modules "$place/plugins/sdk-js/"
  ln -s "$root/target/debug/linli" "$place/target/debug/linli"
  printf 'tutorials: %s\n' "$page" >&2
  if ! (cd "$place" && bash -euo pipefail -c "set -v; $(blocks "$root/$page" sh)" </dev/null) >"$log" 2>&1; then
    cat "$log" >&2
    printf 'tutorials: a command of %s failed; it is the last above\n' "$page" >&2
    return 1
  fi
  said "$page" "$log" || { cat "$log" >&2; return 1; }
  printf 'tutorials: %s holds, in %d s\n' "$page" "$((SECONDS - began))" >&2
}

for tutorial in ${1:-table javascript rust}; do
  walk "$tutorial"
done

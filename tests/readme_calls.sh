#!/usr/bin/env bash
# Makes the calls that README shows, verbatim, against a suite that stays after its demo: LINLI_ADDRESS (https://host:port), LINLI_CA,
# LINLI_TOKEN say where and who. Only what README tells the reader to fill in is filled in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export ADDRESS=$LINLI_ADDRESS CA=$LINLI_CA TOKEN=$LINLI_TOKEN
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
export answers

# The code block behind the mark `<!-- calls -->`; the slot is the first of the answers so far.
calls=$(awk '
  /<!-- calls -->/  { marked = 1; next }
  marked && /^```/  { if (inside) exit; inside = 1; next }
  !inside           { next }
  /^ADDRESS=/       { next }
  /^SLOT=/          { print "SLOT=$(grep -o \"areas/xinhua/slots/slt-[0-9a-z]*\" \"$answers\" | head -n 1)"; next }
                    { print }
' README.md)

bash -euo pipefail -c "$calls" </dev/null | tee "$answers"

for wanted in '"name": "areas/xinhua/offerings/haircut"' '"state": "SLOT_STATE_OPEN"' '"state": "BOOKING_STATE_CONFIRMED"'; do
  if ! grep -qF "$wanted" "$answers"; then
    printf 'readme: the calls of README.md did not answer %s\n' "$wanted" >&2
    exit 1
  fi
done
echo 'readme: the calls of README.md were answered as a reader expects'

#!/usr/bin/env bash
# The page of the manual has every command and every option of the help, and groff takes it without a
# warning. Independent of LibTorch.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$DESCRAMBLE_COMMAND" man >"$work/descramble.1"

plain="$(sed 's/\\fB//g; s/\\fI//g; s/\\fR//g; s/\\-/-/g' "$work/descramble.1")"
for command in $("$DESCRAMBLE_COMMAND" --help | sed -n '/^Subcommands:/,$s/^  \([a-z]*\) .*/\1/p'); do
  section="$(sed -n "/^\.SS $command/,/^\.SS [^$command]/p" <<<"$plain")"
  for option in $("$DESCRAMBLE_COMMAND" "$command" --help | grep -o '^  --[a-z]*' || true); do
    grep --quiet -- "^$option\\b" <<<"$section" || { echo "the manual lacks $command $option"; exit 1; }
  done
done

command -v groff >/dev/null || { echo "not run: groff is not installed"; exit 77; }
warnings="$(groff -man -ww -z -K utf8 "$work/descramble.1" 2>&1)"
[[ -z $warnings ]] || { echo "groff: $warnings"; exit 1; }
echo "the manual: $(grep --count '^\.SS' "$work/descramble.1") commands, no warning of groff"

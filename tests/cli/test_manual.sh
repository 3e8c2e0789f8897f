#!/usr/bin/env bash
# groff takes the page of the manual without a warning. Independent of LibTorch.
set -euo pipefail
command -v groff >/dev/null || { echo "not run: groff is not installed"; exit 77; }
warnings="$("$DESCRAMBLE_COMMAND" man | groff -man -ww -z -K utf8 2>&1)"
[[ -z $warnings ]] || { echo "groff: $warnings"; exit 1; }
echo "groff takes the page of the manual"

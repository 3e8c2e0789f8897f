#!/usr/bin/env bash
# fish takes the completion and offers commands, options and values. Independent of LibTorch.
set -euo pipefail
command -v fish >/dev/null || { echo "not run: fish is not installed"; exit 77; }
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$DESCRAMBLE_COMMAND" completion fish >"$work/descramble.fish"
fish --no-execute "$work/descramble.fish"

# expect 'WORDS SO FAR' 'WHAT IS OFFERED'
expect() {
  local offered
  offered="$(HOME="$work" fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$work/descramble.fish" "$1" |
    cut -f 1 | tr '\n' ' ')"
  if [[ $offered != "$2 " ]]; then
    echo "fish: '$1' offers '$offered', expected '$2'"
    exit 1
  fi
}
expect 'descramble ru' 'run'
expect 'descramble study s' 'score serve'
expect 'descramble run --o' '--out'
expect 'descramble study make --control ' 'random shuffled'
expect 'descramble completion ' 'bash fish zsh'
echo "fish completes commands, options and values"

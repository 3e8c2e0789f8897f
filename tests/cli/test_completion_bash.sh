#!/usr/bin/env bash
# bash completes commands, the commands of commands, options of each command, and values of options
# that have few. Independent of LibTorch.
set -euo pipefail
source <("$DESCRAMBLE_COMMAND" completion bash)

# expect 'WORDS SO FAR' 'WHAT IS OFFERED': the last word is the one at the cursor.
expect() {
  read -ra COMP_WORDS <<<"$1"
  [[ $1 != *' ' ]] || COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _descramble || true
  if [[ "${COMPREPLY[*]}" != "$2" ]]; then
    echo "bash: '$1' offers '${COMPREPLY[*]}', expected '$2'"
    exit 1
  fi
}
expect 'descramble ru' 'run'
expect 'descramble co' 'compare completion'
expect 'descramble --v' '--version'
expect 'descramble run --o' '--out'
expect 'descramble run config.json --' '--help --out --set --force --quiet'
expect 'descramble verify --o' ''
expect 'descramble study ' 'make serve score'
expect 'descramble study make --c' '--control'
expect 'descramble study make --control ' 'shuffled random'
expect 'descramble study serve --c' ''
expect 'descramble completion ' 'bash fish zsh'
# Nothing offered: bash completes the name of a file.
expect 'descramble run ' ''
expect 'descramble run --out ' ''
[[ "$(complete -p descramble)" == *'-o default'* ]]

# Every command of the help is offered.
mapfile -t commands < <("$DESCRAMBLE_COMMAND" --help | sed -n '/^Subcommands:/,$s/^  \([a-z]*\) .*/\1/p')
[[ ${#commands[@]} -gt 10 ]]
expect 'descramble ' "${commands[*]}"
echo "bash completes ${#commands[@]} commands"

#!/usr/bin/env bash
# zsh takes the completion and offers commands, options and values. Independent of LibTorch.
set -euo pipefail
command -v zsh >/dev/null || { echo "not run: zsh is not installed"; exit 77; }
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$DESCRAMBLE_COMMAND" completion zsh >"$work/_descramble"
zsh --no-exec "$work/_descramble"

# A person presses the tabulator: a zsh in a pseudo terminal of zsh's own, read until the text appears.
expect() {
  timeout 30 zsh -f -c '
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -d $1/dump; stty cols 200; print re""ady"
    zpty -r -m shell reply "*ready*"
    zpty -w -n shell "$2"$'"'"'\t\t'"'"'
    zpty -r -m shell reply "*$3*"
    zpty -d shell' zsh "$work" "$1" "$2" || { echo "zsh: '$1' does not offer '$2' within 30 seconds"; exit 1; }
}
expect 'descramble veri' 'verify'
expect 'descramble study ' 'serve'
expect 'descramble run --o' '--out'
expect 'descramble study make --control shu' 'shuffled'
echo "zsh completes commands, options and values"

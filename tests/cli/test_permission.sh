#!/usr/bin/env bash
# No permission to write where the result should go: exit code 2, one line, nothing changed.
# Independent of LibTorch.
source "$(dirname "${BASH_SOURCE[0]}")/failures.sh"
write_config "$work/config.json" 20
mkdir "$work/results"
chmod 555 "$work/results"
chmod 755 "$work"
chmod 644 "$work/config.json"
as_user=()
if [[ $EUID -eq 0 ]]; then
  # Root may write anywhere: become somebody else, who must still reach the program.
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  if ! command -v setpriv > /dev/null || ! "${as_user[@]}" "$DESCRAMBLE_COMMAND" --version > /dev/null 2>&1 ||
     ! "${as_user[@]}" test -r "$DESCRAMBLE_SOURCE_DIR/models/glyph_mlp.pt"; then
    echo "not run: root may write anywhere, and another user does not reach the program"
    exit 77
  fi
fi
code=0
"${as_user[@]}" "$DESCRAMBLE_COMMAND" run "$work/config.json" --out "$work/results/out" --quiet 2> "$work/stderr" || code=$?
expect_failure 2 "$work/results" "$work/stderr" "$code" "results"
echo "ok: a folder that cannot be written to is refused"

#!/usr/bin/env bash
# A disk that is full: exit code 1, one line, no folder. Needs a small file system of its own.
# Independent of LibTorch.
source "$(dirname "${BASH_SOURCE[0]}")/failures.sh"
if ! unshare --mount true 2> /dev/null; then
  echo "not run: this user may not mount a small file system"
  exit 77
fi
write_config "$work/config.json" 200
mkdir "$work/small"
export work
for room in 16k 150k; do  # too little for the model, for the tensors
  code=0
  unshare --mount bash -c '
    mount -t tmpfs -o size="$1" tmpfs "$work/small" || exit 78
    code=0
    "$DESCRAMBLE_COMMAND" run "$work/config.json" --out "$work/small/out" --quiet 2> "$work/stderr" || code=$?
    ls -A "$work/small" > "$work/left"
    exit $code' _ "$room" || code=$?
  if [[ $code -eq 78 ]]; then
    echo "not run: a small file system cannot be mounted here"
    exit 77
  fi
  [[ ! -s "$work/left" ]] || fail "left behind: $(cat "$work/left")"
  expect_failure 1 "$work/small" "$work/stderr" "$code" "cannot"
done
echo "ok: a full disk leaves nothing behind"

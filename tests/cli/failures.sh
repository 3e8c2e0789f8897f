# Sourced by the scripts beside it: a config that runs for a while, and a check of what a failed run
# may leave behind (nothing).
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# write_config FILE COUNT: the shipped classifier over COUNT glyphs.
write_config() {
  cat > "$1" <<JSON
{"name": "failures",
 "model": {"kind": "torchscript", "path": "$DESCRAMBLE_SOURCE_DIR/models/glyph_mlp.pt"},
 "data": {"kind": "glyphs", "count": $2},
 "steps": [{"kind": "evaluate"}, {"kind": "descramble", "tap": "fc1", "objective": {"kind": "smoothness"}}]}
JSON
}

fail() { echo "FAILED: $*"; exit 1; }

# expect_failure CODE FOLDER STDERR-FILE FOUND-CODE WORD: one line on stderr with WORD, nothing left in FOLDER.
expect_failure() {
  [[ $4 -eq $1 ]] || fail "exit code $4 in place of $1: $(cat "$3")"
  [[ $(wc -l < "$3") -eq 1 ]] || fail "not one line on stderr: $(cat "$3")"
  grep -q "$5" "$3" || fail "'$5' is missing in: $(cat "$3")"
  [[ -z "$(ls -A "$2")" ]] || fail "left behind: $(ls -A "$2")"
}

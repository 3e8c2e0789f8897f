#!/usr/bin/env bash
# Threads under ThreadSanitizer: no report, and what four threads served is what the listener saw.
# DESCRAMBLE_SECONDS says how long they serve (60).
set -euo pipefail
source_dir="${DESCRAMBLE_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
here="$source_dir/tests/build/thread_sanitizer"
source "$source_dir/scripts/environment.sh"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

cmake -S "$here" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=None \
  ${DESCRAMBLE_TORCH_DIR:+"-DTorch_DIR=$DESCRAMBLE_TORCH_DIR"} >"$work/configure.log" ||
  { cat "$work/configure.log"; exit 1; }
cmake --build "$work" >"$work/build.log" || { tail -40 "$work/build.log"; exit 1; }

export TSAN_OPTIONS="suppressions=$here/suppressions.txt halt_on_error=0 exitcode=66 second_deadlock_stack=1"
"$work/threads" "$source_dir/models/glyph_mlp.pt"
"$work/live_service" "$source_dir/models/glyph_mlp.pt" act1 "${DESCRAMBLE_SECONDS:-60}" 4 | tee "$work/served"
read -r served seen < <(sed -nE 's/^served ([0-9]+), seen ([0-9]+)$/\1 \2/p' "$work/served")
[[ -n $served && $served == "$seen" ]] || { echo "served $served, seen $seen"; exit 1; }

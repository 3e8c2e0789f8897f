#!/usr/bin/env bash
# From a fresh machine to a first result: sets up, builds the command, trains a classifier of drawn
# digits, descrambles a layer of it and verifies the result. Arguments go to CMake's configuration.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/release"
source "$root/scripts/environment.sh"
cd "$root"

scripts/setup.sh
if [[ ! -f $build/build.ninja || $# -gt 0 ]]; then
  cmake -S . -B "$build" -G Ninja "$@"
fi
cmake --build "$build" --target descramble_command --parallel "$(nproc)"

if [[ ! -f runs/glyph_mlp/result.json ]]; then
  "$build/descramble" train configs/glyph_mlp_train.json --out runs/glyph_mlp --force
fi
"$build/descramble" run configs/first.json --out runs/first --force
"$build/descramble" verify runs/first
echo "The result is in $root/runs/first: result.json for the figures, model.pt for the model."

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

if [[ ! -f runs/glyph_mlp/model.pt ]]; then
  "$build/descramble" train configs/glyph_mlp_train.json --out runs/glyph_mlp
fi
"$build/descramble" run configs/first.json --set /model/path=../runs/glyph_mlp/model.pt \
  --out runs/first --force
"$build/descramble" verify runs/first

cat <<END

The result is in $root/runs/first:
  result.json           the figures: smoothness before and after, the certificate, what was folded
  model.pt              the descrambled model, which any LibTorch or PyTorch loads
  tensors.safetensors   the rotation steps.1.fc1.rotation, the weights before and after
More: README.md, or build/release/descramble --help
END

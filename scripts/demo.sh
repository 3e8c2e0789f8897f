#!/usr/bin/env bash
# From a fresh machine to a first result: sets up, builds the command, trains a classifier of drawn
# digits, descrambles a layer of it, verifies the result, explores directions and writes a page
# about both. Arguments go to CMake's configuration.
#   DESCRAMBLE_BUILD_DIR   where to build, or what scripts/test.sh has built (build/release)
#   CMAKE_PREFIX_PATH      where LibTorch is, if not the distribution's
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="${DESCRAMBLE_BUILD_DIR:-$root/build/release}"
source "$root/scripts/environment.sh"
cd "$root"

if [[ -x $build/descramble ]]; then
  echo "demo: brings the command in $build up to date, then trains, descrambles, verifies and explores (half a minute)"
else
  echo "demo: installs what is missing (1 minute), compiles the library and the command (4 minutes on"
  echo "demo: two cores), trains a classifier of drawn digits, descrambles its first layer, verifies (20 seconds)"
fi

scripts/setup.sh
if [[ ! -f $build/build.ninja || $# -gt 0 ]]; then
  cmake --preset release -B "$build" "$@"
fi
cmake --build "$build" --target descramble_installable --parallel "$(nproc)"

if [[ ! -f runs/glyph_mlp/model.pt ]]; then
  "$build/descramble" train configs/glyph_mlp_train.json --out runs/glyph_mlp
fi
"$build/descramble" run configs/first.json --set /model/path=../runs/glyph_mlp/model.pt \
  --out runs/first --force
"$build/descramble" verify runs/first
"$build/descramble" run configs/glyph_explore.json --set /model/path=../runs/glyph_mlp/model.pt \
  --out runs/glyph_explore --force
"$build/descramble" report runs/first runs/glyph_explore --out runs/report.html --force

cat <<END

The result is in $root/runs/first:
  result.json           the figures: smoothness before and after, the certificate, what was folded
  model.pt              the descrambled model, which any LibTorch or PyTorch loads
  tensors.safetensors   the rotation steps.1.fc1.rotation, the weights before and after
More: README.md, or $build/descramble --help
The page about both runs, for a browser: $root/runs/report.html
END

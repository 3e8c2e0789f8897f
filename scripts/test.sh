#!/usr/bin/env bash
# Sets up, builds and runs the tests. Arguments go to CMake's configuration.
#   DESCRAMBLE_BUILD_DIR   where to build (build/test)
#   DESCRAMBLE_DATA        folder of real data sets and models, for the tests on them
#   DESCRAMBLE_PYTHON      a Python with torch, for the tests that load exported models in it
#   CMAKE_PREFIX_PATH      where LibTorch is, if not the distribution's
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="${DESCRAMBLE_BUILD_DIR:-$root/build/test}"
source "$root/scripts/environment.sh"

"$root/scripts/setup.sh"
cmake -S "$root" -B "$build" -G Ninja ${DESCRAMBLE_PYTHON:+"-DDESCRAMBLE_PYTHON=$DESCRAMBLE_PYTHON"} "$@"
cmake --build "$build" --parallel "$(nproc)"

if [[ -n ${DESCRAMBLE_DATA:-} ]]; then
  echo "using data in $DESCRAMBLE_DATA"
else
  echo "DESCRAMBLE_DATA is not set: tests on real data report themselves as not run"
fi
ctest --test-dir "$build" --output-on-failure --label-exclude '^long$' --parallel "$(nproc)"

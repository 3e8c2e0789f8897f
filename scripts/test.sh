#!/usr/bin/env bash
# Sets up, builds and runs the tests. Arguments go to CMake's configuration.
#   DESCRAMBLE_BUILD_DIR   where to build (build/release)
#   DESCRAMBLE_DATA        folder of real data sets and models, for the tests on them
#   DESCRAMBLE_PYTHON      a Python with torch, for the tests that load exported models in it
#   DESCRAMBLE_TESTS       all (the default), or libtorch: only what may differ between versions of it
#   CMAKE_PREFIX_PATH      where LibTorch is, if not the distribution's
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="${DESCRAMBLE_BUILD_DIR:-$root/build/release}"
source "$root/scripts/environment.sh"
cd "$root"

case "${DESCRAMBLE_TESTS:-all}" in
  all) left_out='^long$' ;;
  libtorch) left_out='^(long|any_libtorch)$' ;;
  *)
    echo "test: DESCRAMBLE_TESTS is '$DESCRAMBLE_TESTS', expected all or libtorch" >&2
    exit 2
    ;;
esac

if [[ ! -x $build/descramble ]]; then
  echo "test: installs what is missing (1 minute), compiles everything (8 minutes on two cores),"
  echo "test: runs the tests (5 minutes)"
fi
scripts/setup.sh
cmake --preset release -B "$build" ${DESCRAMBLE_PYTHON:+"-DDESCRAMBLE_PYTHON=$DESCRAMBLE_PYTHON"} "$@"
cmake --build "$build" --parallel "$(nproc)"

if [[ -n ${DESCRAMBLE_DATA:-} ]]; then
  echo "using data in $DESCRAMBLE_DATA"
else
  echo "DESCRAMBLE_DATA is not set: tests on real data report themselves as not run"
fi
ctest --test-dir "$build" --output-on-failure --label-exclude "$left_out" --parallel "$(nproc)"

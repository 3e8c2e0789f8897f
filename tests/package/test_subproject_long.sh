#!/usr/bin/env bash
# descramble as a part of another project, built and run: static by add_subdirectory, shared by
# FetchContent. Compiles the library twice: label long.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
source "$DESCRAMBLE_SOURCE_DIR/tests/package/subproject.sh"

try() {
  local folder="$work/$1"
  configure_subproject "$folder" "$@"
  cmake --build "$folder" >"$work/log" 2>&1 || { tail -50 "$work/log"; return 1; }
  [[ "$("$folder/subproject_test")" == "$DESCRAMBLE_VERSION" ]]
  cmake --install "$folder" --prefix "$folder/installed" >"$work/log"
  [[ "$(cd "$folder/installed" && find . -type f)" == ./bin/subproject_test ]]
  echo "$1 ($3): built, run, installed alone"
  rm -rf "$folder"
}
try add_subdirectory OFF STATIC_LIBRARY
try FetchContent ON SHARED_LIBRARY

#!/usr/bin/env bash
# descramble as a part of another project, by add_subdirectory and by FetchContent: the kind of library
# is the project's choice; no test, no option, no warning and no installation comes with it. This
# configures; test_subproject_long.sh builds.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
source "$DESCRAMBLE_SOURCE_DIR/tests/package/subproject.sh"

configure_subproject "$work/subdirectory" add_subdirectory OFF STATIC_LIBRARY
configure_subproject "$work/fetched" FetchContent ON SHARED_LIBRARY
echo "configured by add_subdirectory (static) and by FetchContent (shared)"

# descramble_add_suites(<target> <layer>) makes one ctest entry, <layer>.<Suite>, of every GoogleTest
# suite in the executable <target>. (One entry a test would start LibTorch, half a second, for each.)
#
# ctest reports a suite as skipped when one of its tests skips, so tests that may have to skip get
# suites of their own. A suite whose name begins with Long has the label "long".
function(descramble_add_suites target layer)
  set(suites "${CMAKE_CURRENT_BINARY_DIR}/${target}_suites.cmake")
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND "${CMAKE_COMMAND}" -D "EXECUTABLE=$<TARGET_FILE:${target}>" -D "LAYER=${layer}"
            -D "OUTPUT=${suites}" -P "${PROJECT_SOURCE_DIR}/cmake/list_suites.cmake"
    BYPRODUCTS "${suites}"
    COMMENT "Listing the tests of ${target}"
    VERBATIM)
  set(include_file "${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake")
  file(WRITE "${include_file}"
    "if(EXISTS [==[${suites}]==])\n"
    "  include([==[${suites}]==])\n"
    "else()\n"
    "  add_test(${layer}.not_built ${target}_is_not_built)\n"
    "endif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${include_file}")
endfunction()

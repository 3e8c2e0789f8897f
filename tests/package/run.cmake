# Installs the build into a folder of its own, then configures, builds and runs the outside project
# beside this script with nothing but that folder and the same LibTorch.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${WORK_DIR}/installed" --config "${CONFIG}")
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK_DIR}/build" -G "${GENERATOR}"
  "-DCMAKE_BUILD_TYPE=${CONFIG}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}"
  "-DCMAKE_PREFIX_PATH=${WORK_DIR}/installed" "-DTorch_DIR=${TORCH_DIR}")
run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build")
run("${WORK_DIR}/build/package_test")
if(NOT output STREQUAL "${VERSION}\n")
  message(FATAL_ERROR "The outside project printed \"${output}\", expected \"${VERSION}\".")
endif()

# The installed command runs from where it was installed.
if(EXISTS "${WORK_DIR}/installed/bin/descramble")
  run("${WORK_DIR}/installed/bin/descramble" --version)
endif()

# A package that was built with another LibTorch is refused in one sentence.
file(GLOB config "${WORK_DIR}/installed/*/cmake/descramble/descrambleConfig.cmake"
  "${WORK_DIR}/installed/*/*/cmake/descramble/descrambleConfig.cmake")
file(READ "${config}" content)
string(REGEX REPLACE "VERSION_EQUAL \"[0-9.]+\"" "VERSION_EQUAL \"0.1\"" content "${content}")
file(WRITE "${config}" "${content}")
execute_process(
  COMMAND "${CMAKE_COMMAND}" "${WORK_DIR}/build" RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
if(status EQUAL 0 OR NOT output MATCHES "descramble was built with LibTorch")
  message(FATAL_ERROR "A package built with another LibTorch was not refused:\n${output}")
endif()

# Installs the build into a folder of its own and moves that elsewhere. The outside project beside this
# script is then configured, built and run with nothing but that folder and the same LibTorch, on the
# static and on the shared library. After that come all cases that the package refuses.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")
run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${WORK_DIR}/first" --config "${CONFIG}")
set(installed "${WORK_DIR}/moved elsewhere")
file(RENAME "${WORK_DIR}/first" "${installed}")

set(configure "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -G "${GENERATOR}"
  "-DCMAKE_BUILD_TYPE=${CONFIG}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}" "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}"
  "-DCMAKE_PREFIX_PATH=${installed}")

# ---- Both kinds of library -----------------------------------------------------------------------

# The second kind only links again: what is compiled is the same.
foreach(kind IN ITEMS static shared)
  run(${configure} -B "${WORK_DIR}/build" "-DTorch_DIR=${TORCH_DIR}" "-DKIND=${kind}")
  run("${CMAKE_COMMAND}" --build "${WORK_DIR}/build")
  run("${WORK_DIR}/build/package_test")
  if(NOT output STREQUAL "${VERSION}\n")
    message(FATAL_ERROR "The outside project, ${kind}, printed \"${output}\", expected \"${VERSION}\".")
  endif()
  run(readelf -d "${WORK_DIR}/build/package_test")
  string(REGEX MATCH "libdescramble\\.so[0-9.]*" needed "${output}")
  string(REGEX REPLACE "\\.[0-9]+$" "" soversion "${VERSION}")
  if(kind STREQUAL "static")
    set(expected "")
  else()
    set(expected "libdescramble.so.${soversion}")
  endif()
  if(NOT needed STREQUAL expected)
    message(FATAL_ERROR "The outside project, ${kind}, needs \"${needed}\", expected \"${expected}\".")
  endif()
endforeach()

# The installed command runs from where the tree was moved to.
if(EXISTS "${installed}/bin/descramble")
  run("${installed}/bin/descramble" --version)
  if(NOT output MATCHES "^descramble ${VERSION} ")
    message(FATAL_ERROR "The installed command printed \"${output}\".")
  endif()
endif()

# ---- Refusals ------------------------------------------------------------------------------------

# Each is one sentence at configure time.
function(expect_refusal name sentence)
  file(REMOVE_RECURSE "${WORK_DIR}/refused")
  execute_process(COMMAND ${configure} -B "${WORK_DIR}/refused" ${ARGN}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")  # CMake wraps its messages
  if(status EQUAL 0 OR NOT output MATCHES "${sentence}")
    message(SEND_ERROR "${name}: expected a refusal, \"${sentence}\", got status ${status}:\n${output}")
  endif()
endfunction()

# A LibTorch that consists of its CMake files and of empty libraries.
function(make_torch name version flags)
  set(root "${WORK_DIR}/${name}")
  file(WRITE "${root}/share/cmake/Torch/TorchConfigVersion.cmake"
    "set(PACKAGE_VERSION \"${version}\")\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
  file(WRITE "${root}/share/cmake/Torch/TorchConfig.cmake" "set(TORCH_CXX_FLAGS \"${flags}\")\n")
  foreach(library IN ITEMS torch_cpu c10)
    file(WRITE "${root}/lib/lib${library}.so" "")
  endforeach()
endfunction()

make_torch(other_version "99.1.0" "")
make_torch(other_abi "${TORCH_VERSION}" "-D_GLIBCXX_USE_CXX11_ABI=0")
foreach(kind IN ITEMS static shared)
  expect_refusal("${kind}, another LibTorch"
    "descramble was built with LibTorch ${TORCH_VERSION}, but LibTorch 99.1.0 was found in"
    "-DKIND=${kind}" "-DTorch_DIR=${WORK_DIR}/other_version/share/cmake/Torch")
  expect_refusal("${kind}, another C++ ABI"
    "a LibTorch of _GLIBCXX_USE_CXX11_ABI=1, but the LibTorch in .* has _GLIBCXX_USE_CXX11_ABI=0"
    "-DKIND=${kind}" "-DTorch_DIR=${WORK_DIR}/other_abi/share/cmake/Torch")
  expect_refusal("${kind}, C++17" "descramble's headers need C\\+\\+20, but CMAKE_CXX_STANDARD is 17"
    "-DKIND=${kind}" -DCMAKE_CXX_STANDARD=17 "-DTorch_DIR=${TORCH_DIR}")
endforeach()

# Without CMake, the first error that the compiler prints says it.
execute_process(COMMAND "${CXX_COMPILER}" -std=c++17 -fsyntax-only "-I${installed}/include"
  -x c++ "${installed}/include/descramble/core/error.h"
  RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
string(REGEX MATCH "error: [^\n]*" first "${output}")
if(status EQUAL 0 OR NOT first MATCHES "descramble's headers need C\\+\\+20")
  message(SEND_ERROR "C++17 without CMake: expected another first error, got \"${first}\"")
endif()

expect_refusal("unknown kind" "of the kind that COMPONENTS asks for: expected one of static, shared, found dynamic"
  -DKIND=dynamic "-DTorch_DIR=${TORCH_DIR}")
file(GLOB_RECURSE files "${installed}/descramble_shared*.cmake")
file(REMOVE ${files})
expect_refusal("kind that is not installed"
  "of the kind that COMPONENTS asks for: expected one of static, found shared"
  -DKIND=shared "-DTorch_DIR=${TORCH_DIR}")

file(GLOB_RECURSE config "${installed}/descrambleConfig.cmake")
file(READ "${config}" content)
string(REPLACE "IN ITEMS webp" "IN ITEMS no_such" content "${content}")
file(WRITE "${config}" "${content}")
expect_refusal("missing library"
  "static library needs libno_such, which was not found: install libno_such-dev, or use"
  -DKIND=static "-DTorch_DIR=${TORCH_DIR}")

# cmake -D WORK_DIR=... -D MODULES=... -P refusals.cmake
# Configuring must stop with one sentence at what cannot work.
function(expect_refusal name sentence)
  file(REMOVE_RECURSE "${WORK_DIR}/build")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env --unset=Torch_DIR --unset=CMAKE_PREFIX_PATH
            "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/configure" -B "${WORK_DIR}/build"
            "-DMODULES=${MODULES}" ${ARGN}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")  # CMake wraps its messages
  if(status EQUAL 0)
    message(SEND_ERROR "${name}: was not refused")
  elseif(NOT output MATCHES "${sentence}")
    message(SEND_ERROR "${name}: expected \"${sentence}\", got:\n${output}")
  endif()
endfunction()

# A LibTorch that consists of its CMake files and of empty libraries.
function(make_torch name version flags)
  set(root "${WORK_DIR}/${name}")
  file(WRITE "${root}/share/cmake/Torch/TorchConfigVersion.cmake"
    "set(PACKAGE_VERSION \"${version}\")\n"
    "set(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
  file(WRITE "${root}/share/cmake/Torch/TorchConfig.cmake" "set(TORCH_CXX_FLAGS \"${flags}\")\n")
  foreach(library IN LISTS ARGN)
    file(WRITE "${root}/lib/lib${library}.so" "")
  endforeach()
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")

expect_refusal("no LibTorch" "LibTorch was not found: install"
  -DHIDE_SYSTEM=ON)

make_torch(old "1.12.1" "" torch_cpu c10)
expect_refusal("LibTorch too old" "LibTorch 1.12.1 in .* is too old"
  "-DCMAKE_PREFIX_PATH=${WORK_DIR}/old")

make_torch(old_abi "2.5.1" "-D_GLIBCXX_USE_CXX11_ABI=0" torch_cpu c10)
expect_refusal("old C\\+\\+ ABI" "LibTorch 2.5.1 in .* is built with the old C\\+\\+ ABI"
  "-DCMAKE_PREFIX_PATH=${WORK_DIR}/old_abi")

# A CUDA build is linked without its TorchConfig.cmake, which would demand a CUDA toolkit.
make_torch(cuda "2.13.0" "" torch torch_cpu c10 torch_cuda)
file(APPEND "${WORK_DIR}/cuda/share/cmake/Torch/TorchConfig.cmake"
  "message(FATAL_ERROR \"the CUDA toolkit is missing\")\n")
execute_process(
  COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/configure" -B "${WORK_DIR}/accepted"
          "-DMODULES=${MODULES}" "-DTorch_DIR=${WORK_DIR}/cuda/share/cmake/Torch"
  RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  message(SEND_ERROR "A CUDA build of LibTorch was refused:\n${output}")
endif()

make_torch(incomplete "2.13.0" "" c10)
expect_refusal("LibTorch without libtorch_cpu" "has no libtorch_cpu library beside it"
  "-DCMAKE_PREFIX_PATH=${WORK_DIR}/incomplete")

file(WRITE "${WORK_DIR}/missing/data/builtin.def" "DESCRAMBLE_KIND(idx)\n")
expect_refusal("a kind without its source"
  "src/data/builtin.def lists the kind idx, but src/data/kinds/idx.cpp does not exist"
  "-DKINDS=${WORK_DIR}/missing")

file(WRITE "${WORK_DIR}/unlisted/data/kinds/idx.cpp" "")
expect_refusal("a source without its line"
  "src/data/kinds/idx.cpp exists, but src/data/builtin.def has no line DESCRAMBLE_KIND.idx."
  "-DKINDS=${WORK_DIR}/unlisted")

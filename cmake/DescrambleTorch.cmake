# Finds LibTorch where find_package(Torch) looks (Torch_DIR, CMAKE_PREFIX_PATH, the system's folders)
# and defines the imported target descramble::torch. The project and its installed package include
# this file. Afterwards
#
#   DESCRAMBLE_TORCH_ERROR    is empty, or one sentence for the user that says why LibTorch cannot
#                             be used,
#   DESCRAMBLE_TORCH_VERSION  is the version that LibTorch's package states,
#   DESCRAMBLE_TORCH_LIB_DIR  is the folder that holds libtorch, libtorch_cpu and libc10,
#   DESCRAMBLE_TORCH_CXX11_ABI  is its _GLIBCXX_USE_CXX11_ABI, 1 or 0; empty where it is not known.

set(descramble_scope "")
if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
  set(descramble_scope GLOBAL)
endif()
set(DESCRAMBLE_TORCH_ERROR "")
set(DESCRAMBLE_TORCH_VERSION "")
set(DESCRAMBLE_TORCH_LIB_DIR "")
set(DESCRAMBLE_TORCH_CXX11_ABI "")

# Torch's version file stands beside its TorchConfig.cmake. Loading it alone sets Torch_DIR and the
# version by the usual search, before anything that can go wrong in TorchConfig.cmake has run.
find_package(Torch QUIET CONFIG CONFIGS TorchConfigVersion.cmake)
if(NOT Torch_FOUND)
  string(CONCAT DESCRAMBLE_TORCH_ERROR
    "LibTorch was not found: install libtorch-dev (Debian, Ubuntu), or point CMAKE_PREFIX_PATH at an "
    "unpacked LibTorch archive or at the folder that "
    "`python3 -c 'import torch; print(torch.utils.cmake_prefix_path)'` prints.")
  return()
endif()
set(DESCRAMBLE_TORCH_VERSION "${PACKAGE_VERSION}")
if(DESCRAMBLE_TORCH_VERSION VERSION_LESS 1.13)
  set(DESCRAMBLE_TORCH_ERROR
    "LibTorch ${DESCRAMBLE_TORCH_VERSION} in ${Torch_DIR} is too old: 1.13 or newer is needed.")
  return()
endif()

# The libraries are in <prefix>/lib, with the package in <prefix>/share/cmake/Torch, in wheels and
# archives; two folders above the package in a distribution.
foreach(folder IN ITEMS ../../../lib ../../../lib64 ../..)
  get_filename_component(folder "${Torch_DIR}/${folder}" ABSOLUTE)
  file(GLOB libraries "${folder}/*torch_cpu.*")
  if(libraries)
    set(DESCRAMBLE_TORCH_LIB_DIR "${folder}")
    break()
  endif()
endforeach()
if(NOT DESCRAMBLE_TORCH_LIB_DIR)
  string(CONCAT DESCRAMBLE_TORCH_ERROR
    "The LibTorch package in ${Torch_DIR} has no libtorch_cpu library beside it: the installation is "
    "incomplete.")
  return()
endif()

# TorchConfig.cmake of a CUDA build demands a CUDA toolkit, which only compiling kernels needs, so the
# libraries are linked without it. libtorch loads those for CUDA, so it must stay although no symbol of
# its own is used; what they need is found when they are loaded.
file(GLOB libraries "${DESCRAMBLE_TORCH_LIB_DIR}/*torch_cuda.*")
if(libraries)
  file(STRINGS "${Torch_DIR}/TorchConfig.cmake" TORCH_CXX_FLAGS REGEX "_GLIBCXX_USE_CXX11_ABI=[01]")
  get_filename_component(folder "${DESCRAMBLE_TORCH_LIB_DIR}/../include" ABSOLUTE)
  if(NOT TARGET descramble::torch)
    add_library(descramble::torch INTERFACE IMPORTED ${descramble_scope})
    target_include_directories(descramble::torch INTERFACE
      "${folder}" "${folder}/torch/csrc/api/include")
    target_link_libraries(descramble::torch INTERFACE
      "-Wl,--push-state,--no-as-needed" "${DESCRAMBLE_TORCH_LIB_DIR}/libtorch.so" "-Wl,--pop-state"
      "${DESCRAMBLE_TORCH_LIB_DIR}/libtorch_cpu.so" "${DESCRAMBLE_TORCH_LIB_DIR}/libc10.so")
    target_link_options(descramble::torch INTERFACE LINKER:--allow-shlib-undefined)
  endif()
else()
  # TorchConfig.cmake looks for its own parts, the package Caffe2 and the library c10, in the
  # system's folders first. Beside the distribution's LibTorch a newer one would link the wrong
  # libraries, or the program would die at its start.
  get_filename_component(Caffe2_DIR "${Torch_DIR}/../Caffe2" ABSOLUTE)
  set(Caffe2_DIR "${Caffe2_DIR}" CACHE PATH "Folder of Caffe2Config.cmake, beside Torch_DIR" FORCE)
  unset(c10_LIBRARY CACHE)
  find_library(c10_LIBRARY c10 PATHS "${DESCRAMBLE_TORCH_LIB_DIR}" NO_DEFAULT_PATH)

  # What it prints (static libraries that a wheel has no need of, the version of protobuf) says
  # nothing to a user; errors still show.
  set(DESCRAMBLE_LOG_LEVEL "${CMAKE_MESSAGE_LOG_LEVEL}")
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)
  find_package(Torch QUIET CONFIG)
  set(CMAKE_MESSAGE_LOG_LEVEL "${DESCRAMBLE_LOG_LEVEL}")
  if(NOT Torch_FOUND)
    string(CONCAT DESCRAMBLE_TORCH_ERROR
      "LibTorch ${DESCRAMBLE_TORCH_VERSION} in ${Torch_DIR} could not be loaded: "
      "${Torch_NOT_FOUND_MESSAGE}")
    return()
  endif()

  # Where MKL is not installed, Torch's target for it still names folders that do not exist.
  if(TARGET caffe2::mkl AND NOT MKL_FOUND)
    set_property(TARGET caffe2::mkl PROPERTY INTERFACE_LINK_DIRECTORIES "")
  endif()

  if(NOT TARGET descramble::torch)
    add_library(descramble::torch INTERFACE IMPORTED ${descramble_scope})
    target_link_libraries(descramble::torch INTERFACE ${TORCH_LIBRARIES})
  endif()
endif()

# A LibTorch that says nothing is of the compiler's own ABI.
set(DESCRAMBLE_TORCH_CXX11_ABI 1)
if(TORCH_CXX_FLAGS MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  set(DESCRAMBLE_TORCH_CXX11_ABI 0)
  string(CONCAT DESCRAMBLE_TORCH_ERROR
    "LibTorch ${DESCRAMBLE_TORCH_VERSION} in ${DESCRAMBLE_TORCH_LIB_DIR} is built with the old C++ "
    "ABI (_GLIBCXX_USE_CXX11_ABI=0): use an archive named cxx11-abi, or a wheel of 2.6 or newer.")
  return()
endif()

# The archive and the package for Debian: scripts/package.sh makes both.
set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_NAME descramble)
set(CPACK_PACKAGE_VENDOR descramble)
set(CPACK_PACKAGE_CONTACT "the authors of descramble <descramble@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_MONOLITHIC_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_ARCHIVE_FILE_NAME "descramble-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_PACKAGE_FILE_NAME "${CPACK_ARCHIVE_FILE_NAME}")

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Taps a layer of a TorchScript model, inserts a rotation and its inverse there,
finds the rotation that makes the layer readable, and exports a model that
computes the same function. This package holds the command, the C++ library
(static and shared), its headers and its package for CMake.")
# The libraries that the command and the shared library load are found by dpkg-shlibdeps.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}")
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
# Figures need gnuplot, and LibTorch needs a BLAS that is fast.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gnuplot-nox, libopenblas0-openmp")
# What a C++ project needs that finds the package; the second line only for the static library.
string(CONCAT CPACK_DEBIAN_PACKAGE_SUGGESTS
  "cmake, g++, libtorch-dev, nlohmann-json3-dev, "
  "libwebp-dev, libexif-dev, libcerf-dev, zlib1g-dev, libssl-dev, libsqlite3-dev, libmicrohttpd-dev")
include(CPack)

#!/usr/bin/env bash
# Makes the package for Debian and the archive, from an own build with the LibTorch of the
# distribution. Arguments go to CMake's configuration.
#   DESCRAMBLE_BUILD_DIR   where to build (build/package)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="${DESCRAMBLE_BUILD_DIR:-$root/build/package}"
cd "$root"
unset CMAKE_PREFIX_PATH Torch_DIR

scripts/setup.sh dpkg-dev file
cmake --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DBUILD_SHARED_LIBS=ON \
  -DDESCRAMBLE_BOTH_KINDS=ON -DDESCRAMBLE_BUILD_TESTS=OFF -DDESCRAMBLE_BUILD_BENCHMARKS=OFF "$@"
cmake --build "$build" --parallel "$(nproc)"

rm -rf "$build/packages"
(cd "$build" && cpack -G DEB)
# The archive says what to install, in the words of the package's dependencies.
depends="$(dpkg-deb --field "$build"/packages/*.deb Depends | sed 's/ ([^)]*)//g; s/,//g')"
recommends="$(dpkg-deb --field "$build"/packages/*.deb Recommends | sed 's/,//g')"
# shellcheck source=/dev/null
distribution="$(. /etc/os-release && echo "$PRETTY_NAME")"
cat >"$build/INSTALL.md" <<END
# descramble from an archive

Built on $distribution. The command needs these packages of it:

    apt-get install $depends

Figures need gnuplot, and OpenBLAS makes LibTorch fast:

    apt-get install $recommends

The folder works wherever it stands. A first run, from inside it:

    bin/descramble run share/descramble/configs/first.json --out first
END
(cd "$build" && cpack -G TGZ)
rm -rf "$build/packages/_CPack_Packages"
echo "package: in $build/packages:"
(cd "$build/packages" && ls -sh1)

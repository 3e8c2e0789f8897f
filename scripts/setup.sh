#!/usr/bin/env bash
# Installs what building needs, on Debian and Ubuntu; elsewhere says what to install. Arguments are
# further packages to install. Does nothing where everything is there.
set -euo pipefail

packages=(
  cmake ninja-build g++ ccache
  libfmt-dev nlohmann-json3-dev libcli11-dev libstb-dev libwebp-dev libexif-dev libcerf-dev zlib1g-dev libssl-dev
  libsqlite3-dev libmicrohttpd-dev
  libgtest-dev libgmock-dev libbenchmark-dev python3 python3-jsonschema gnuplot-nox
  "$@"
)

# LibTorch of the distribution, unless another one is named or installed. It calls whatever BLAS the
# system has: OpenBLAS is up to 40 times faster than the reference one, and its OpenMP build follows
# LibTorch's number of threads.
if [[ -z ${CMAKE_PREFIX_PATH:-}${Torch_DIR:-} ]] &&
  ! compgen -G "/usr/local/*/cmake/Torch/TorchConfig.cmake" >/dev/null; then
  packages+=(libtorch-dev libopenblas0-openmp)
fi

if ! command -v apt-get >/dev/null; then
  echo "setup: this system has no apt-get; install what these Debian packages hold:" "${packages[@]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status="$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)"
  [[ $status == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $EUID -eq 0 ]]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "setup: run as root: apt-get install --no-install-recommends" "${missing[@]}" >&2
  exit 1
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"

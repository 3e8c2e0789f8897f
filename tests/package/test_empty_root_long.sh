#!/usr/bin/env bash
# The package for Debian and the archive, each in an empty root of the distribution that they were
# built on: installed as docs/install.md says, each runs the first config. Builds the packages, unless
# DESCRAMBLE_PACKAGES names their folder, and fetches a distribution: label long.
set -euo pipefail
[[ $EUID -eq 0 ]] || { echo "not run: only root can change the root folder"; exit 77; }
command -v debootstrap >/dev/null || { echo "not run: debootstrap is not installed"; exit 77; }
codename="$(. /etc/os-release && echo "$VERSION_CODENAME")"
mirror="$(apt-get indextargets --format '$(SITE)' "Codename: $codename" "Created-By: Packages" | head -n 1)"
[[ -n $mirror ]] || { echo "not run: apt names no mirror of $codename"; exit 77; }

work="$(mktemp -d)"
trap 'rm -rf --one-file-system "$work"' EXIT
packages="${DESCRAMBLE_PACKAGES:-}"
if [[ -z $packages ]]; then
  DESCRAMBLE_BUILD_DIR="$work/build" "$DESCRAMBLE_SOURCE_DIR/scripts/package.sh" >"$work/log" 2>&1 ||
    { tail -50 "$work/log"; exit 1; }
  packages="$work/build/packages"
fi
deb=("$packages"/descramble_*.deb)
archive=("$packages"/descramble-*.tar.gz)

# in_root ROOT COMMAND...: with /proc, where LibTorch reads which processor it runs on.
in_root() {
  local root="$1"
  shift
  env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@" >"$work/log" 2>&1 || { echo "in the empty root: $*"; tail -50 "$work/log"; return 1; }
}
# must_hold 'WHAT' TEST...: says what does not hold.
must_hold() {
  local what="$1"
  shift
  "$@" || { echo "in the empty root: $what does not hold"; tail -50 "$work/log"; exit 1; }
}
start=$SECONDS
debootstrap --variant=minbase "$codename" "$work/for_package" "$mirror" >"$work/log" 2>&1 ||
  { tail -20 "$work/log"; exit 1; }
cp --dereference /etc/resolv.conf "$work/for_package/etc/resolv.conf"
in_root "$work/for_package" apt-get update
cp --archive "$work/for_package" "$work/for_archive"
echo "an empty $codename: $((SECONDS - start)) s"

start=$SECONDS
root="$work/for_package"
cp "${deb[0]}" "$root/tmp"
in_root "$root" sh -c 'apt-get install --yes /tmp/descramble_*.deb'
in_root "$root" descramble run /usr/share/descramble/configs/first.json --out /tmp/first
must_hold "the run says how much the function changed" grep --quiet 'function changed by' "$work/log"
in_root "$root" descramble verify /tmp/first
in_root "$root" descramble show /tmp/first steps.1.fc1.weight_descrambled --out /tmp/weight.svg  # needs gnuplot
for file in man/man1/descramble.1 bash-completion/completions/descramble doc/descramble/copyright; do
  must_hold "$file is installed" test -e "$root/usr/share/$file"
done
# A C++ project finds the package: the shared library needs two packages more.
mkdir "$root/tmp/project"
cp "$DESCRAMBLE_SOURCE_DIR"/tests/package/{CMakeLists.txt,main.cpp} "$root/tmp/project"
in_root "$root" apt-get install --yes --no-install-recommends cmake make g++ libtorch-dev nlohmann-json3-dev
in_root "$root" cmake -S /tmp/project -B /tmp/project/build -DKIND=shared
in_root "$root" cmake --build /tmp/project/build
in_root "$root" /tmp/project/build/package_test
must_hold "the project prints the version" grep --quiet --line-regexp "$DESCRAMBLE_VERSION" "$work/log"
in_root "$root" apt-get remove --yes descramble
must_hold "nothing stays behind" test -z "$(find "$root/usr" -iname '*descramble*')"
echo "the package for Debian: installed, run, verified, found by a C++ project, removed: $((SECONDS - start)) s"

start=$SECONDS
root="$work/for_archive"
mkdir "$root/srv/anywhere"
tar -C "$root/srv/anywhere" --strip-components 1 -xf "${archive[0]}"
needed="$(sed -n 's/^    apt-get install //p' "$root/srv/anywhere/share/doc/descramble/INSTALL.md" | head -n 1)"
# shellcheck disable=SC2086
in_root "$root" apt-get install --yes --no-install-recommends $needed
in_root "$root" /srv/anywhere/bin/descramble run /srv/anywhere/share/descramble/configs/first.json --out /tmp/first
must_hold "the run says how much the function changed" grep --quiet 'function changed by' "$work/log"
in_root "$root" /srv/anywhere/bin/descramble verify /tmp/first
echo "the archive: unpacked, run, verified: $((SECONDS - start)) s"

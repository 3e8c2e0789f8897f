# Sourced by the tests of descramble as a part of another project.
# configure_subproject FOLDER HOW BUILD_SHARED_LIBS EXPECTED_TYPE: configures and checks what is generated.
configure_subproject() {
  local folder="$1" how="$2" shared="$3" type="$4" sources="$DESCRAMBLE_SOURCE_DIR"
  # What is fetched is an archive of the sources, as a release is.
  if [[ $how == FetchContent ]]; then
    sources="$work/descramble.tar"
    git -c safe.directory="$DESCRAMBLE_SOURCE_DIR" -C "$DESCRAMBLE_SOURCE_DIR" ls-files -z |
      tar -C "$DESCRAMBLE_SOURCE_DIR" --null --files-from - --create --file "$sources"
  fi
  cmake -S "$DESCRAMBLE_SOURCE_DIR/tests/package/subproject" -B "$folder" -G Ninja \
    -DTorch_DIR="$DESCRAMBLE_TORCH_DIR" -DCaffe2_DIR="${DESCRAMBLE_TORCH_DIR%/*}/Caffe2" \
    -DHOW="$how" -DDESCRAMBLE="$sources" \
    -DEXPECTED_TYPE="$type" -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_BUILD_TYPE=Release -DGIVEN_CMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS="$shared" -DGIVEN_BUILD_SHARED_LIBS="$shared" >"$work/log" 2>&1 ||
    { cat "$work/log"; return 1; }

  python3 - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
entries = json.loads((folder / "compile_commands.json").read_text())
own = [entry["command"] for entry in entries if entry["file"].endswith("tests/package/main.cpp")]
assert len(own) == 1, own
leaked = [word for word in own[0].split() if word.startswith(("-W", "-fvisibility", "-fno-semantic"))]
assert not leaked, f"the part's options reach the project around it: {leaked}"
assert "-std=" in own[0] and "20" in own[0].split("-std=")[1].split()[0], own[0]

scripts = [path for path in folder.rglob("cmake_install.cmake") if path.parent != folder]
installs = [str(path) for path in scripts if "file(INSTALL" in path.read_text()]
assert not installs, f"the part installs something: {installs}"
PYTHON
}

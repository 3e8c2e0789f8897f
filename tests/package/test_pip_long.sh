#!/usr/bin/env bash
# pip installs the command into a fresh environment, beside the wheel of torch that it was built with,
# and it runs the first config. Builds the command: label long.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python="${DESCRAMBLE_PYTHON:-python3}"
"$python" -m venv "$work/venv" 2>"$work/log" ||
  { echo "not run: $python makes no virtual environment: $(tail -n 1 "$work/log")"; exit 77; }
pip="$work/venv/bin/pip"
"$pip" index versions torch >"$work/log" 2>&1 || { echo "not run: pip finds no torch: $(tail -n 1 "$work/log")"; exit 77; }

# The version of torch of the other tests, where they have one: pip need not fetch another.
if [[ -n ${DESCRAMBLE_PYTHON:-} ]]; then
  "$DESCRAMBLE_PYTHON" -c 'import torch; print(f"torch=={torch.__version__}")' >"$work/constraint"
  export PIP_CONSTRAINT="$work/constraint"
fi

# pip builds what is in git, without this checkout's build folders.
mkdir "$work/source"
git -c safe.directory="$DESCRAMBLE_SOURCE_DIR" -C "$DESCRAMBLE_SOURCE_DIR" ls-files -z |
  tar -C "$DESCRAMBLE_SOURCE_DIR" --null --files-from - --create | tar -C "$work/source" --extract
unset CMAKE_PREFIX_PATH Torch_DIR
cd "$work/source"
start=$SECONDS
"$pip" install . >"$work/log" 2>&1 || { tail -50 "$work/log"; exit 1; }
echo "pip install .: $((SECONDS - start)) s"

torch="$("$work/venv/bin/python" -c 'from importlib.metadata import version; print(version("torch").split("+")[0])')"
"$work/venv/bin/descramble" --version | tee "$work/version"
grep --quiet "^descramble $DESCRAMBLE_VERSION (LibTorch $torch" "$work/version"
"$work/venv/bin/descramble" run configs/first.json --out "$work/first" --quiet
"$work/venv/bin/descramble" verify "$work/first"
"$work/venv/bin/descramble" run "$work/venv/share/descramble/configs/first.json" --out "$work/second" --quiet

# The wheel holds the command and its data, depends on that torch alone, and looks for it beside itself.
"$work/venv/bin/python" - "$torch" <<'PYTHON'
import sys
from importlib.metadata import distribution

wheel = distribution("descramble")
assert wheel.requires == [f"torch=={sys.argv[1]}"], wheel.requires
files = [str(file) for file in wheel.files]
assert not [file for file in files if file.endswith((".h", ".a", ".cmake", ".so"))], files
assert [file for file in files if file.endswith("man/man1/descramble.1")], files
PYTHON
program="$(find "$work/venv" -path '*/descramble/bin/descramble')"
readelf -d "$program" | grep --quiet 'RUNPATH.*\[$ORIGIN/../../torch/lib\]'

# Without torch it says what is missing, in one line.
"$pip" uninstall --yes --quiet torch
if "$work/venv/bin/descramble" --version 2>"$work/log"; then exit 1; fi
[[ "$(wc -l <"$work/log")" == 1 ]]
grep 'LibTorch is missing' "$work/log"

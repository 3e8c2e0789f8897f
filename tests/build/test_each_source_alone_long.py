"""Every source of the library compiles alone, without a warning.

The release build compiles a layer as one source, where a missing #include goes unnoticed; the develop
build, which compiles each source alone, then breaks. Only the compiler's front end runs: what it takes to
find missing includes and names, without the time for code. One header that every public header includes is
precompiled. Nine minutes on two cores; tests/architecture/test_includes.py finds most of it in a second.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHARED_HEADER = "ATen/core/Tensor.h"


def front_end(command, extra):
    return re.sub(r" -o \S+ -c (\S+)$", rf" {extra} -fsyntax-only \1", command)


def main(build):
    subprocess.run(["cmake", "--preset", "develop", "-B", build, f"-DTorch_DIR={os.environ['DESCRAMBLE_TORCH_DIR']}",
                    "-DDESCRAMBLE_BUILD_TESTS=OFF", "-DDESCRAMBLE_BUILD_BENCHMARKS=OFF"],
                   cwd=os.environ["DESCRAMBLE_SOURCE_DIR"], check=True, stdout=subprocess.DEVNULL)
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    entries = [entry for entry in entries if "CMakeFiles/descramble_objects.dir/" in entry["command"]]
    assert entries and not any("/Unity/" in entry["file"] for entry in entries)

    header = build / "each_source_alone.h"
    header.write_text(f"#include <{SHARED_HEADER}>\n", encoding="utf-8")
    plain = next(entry for entry in entries if entry["file"].endswith("/error.cpp"))
    precompile = re.sub(r" -o \S+ -c \S+$", f" -x c++-header -o {header}.gch {header}", plain["command"])
    subprocess.run(precompile, shell=True, cwd=plain["directory"], check=True)

    def check(entry):
        command = front_end(entry["command"], f"-include {header}")
        done = subprocess.run(command, shell=True, cwd=entry["directory"], capture_output=True, text=True)
        return entry["file"], done.returncode, done.stderr

    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, code, errors in pool.map(check, entries):
            if code != 0:
                failed += 1
                print(f"{file} does not compile alone:\n{errors}")
    print(f"{len(entries) - failed} of {len(entries)} sources compile alone")
    return 1 if failed else 0


with tempfile.TemporaryDirectory() as temporary:
    sys.exit(main(Path(temporary)))

"""Each folder of examples/ is a project of its own: it is configured, built and run against this build,
installed into a folder of its own."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
BUILD = Path(os.environ["DESCRAMBLE_COMMAND"]).parent


def run(*command):
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {finished.returncode}:\n"
                 f"{finished.stdout}{finished.stderr}")
    return finished.stdout


def cached(name):
    text = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\w+=(.*)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def build(example, installed, folder):
    run("cmake", "-S", example, "-B", folder, "-G", cached("CMAKE_GENERATOR"),
        f"-DCMAKE_BUILD_TYPE={cached('CMAKE_BUILD_TYPE')}",
        f"-DCMAKE_CXX_COMPILER={cached('CMAKE_CXX_COMPILER')}",
        f"-DCMAKE_CXX_FLAGS={cached('CMAKE_CXX_FLAGS')} -Wall -Wextra -Werror",
        f"-DCMAKE_PREFIX_PATH={installed}", f"-DTorch_DIR={cached('Torch_DIR')}")
    run("cmake", "--build", folder)
    return folder / example.name


def check_embed(program, folder):
    result = folder / "descrambled.pt"
    output = run(program, SOURCE / "models" / "glyph_mlp.pt", result)
    before, after = map(float, re.search(r"smoothness (\S+) -> (\S+)", output).groups())
    assert after < before / 100, output
    changed = float(re.search(r"function changed by (\S+)", output).group(1))
    assert changed <= 1e-5, output
    assert "fc1" in run(BUILD / "descramble", "taps", result)


CHECKS = {"embed": check_embed}


def main():
    examples = sorted(path.parent for path in (SOURCE / "examples").glob("*/CMakeLists.txt"))
    assert {example.name for example in examples} == set(CHECKS), examples
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        run("cmake", "--install", BUILD, "--prefix", temporary / "installed")
        for example in examples:
            program = build(example, temporary / "installed", temporary / example.name)
            CHECKS[example.name](program, temporary)
            print(f"{example.name}: built and run")


main()

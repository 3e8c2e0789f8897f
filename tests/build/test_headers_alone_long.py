"""Every public header compiles alone, with the folders of the installed package only: all warnings are errors.

LibTorch's and nlohmann's folders are system folders, as they are for a project that finds the package.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
BUILD = Path(os.environ["DESCRAMBLE_BUILD_DIR"])


def system_folders(consumer, installed):
    """What find_package(descramble) adds to the compiler's command besides the package's own folder."""
    consumer.mkdir()
    (consumer / "main.cpp").write_text("int main() {}\n", encoding="utf-8")
    (consumer / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(headers LANGUAGES C CXX)\n"
        "find_package(descramble 0.2 REQUIRED)\nadd_executable(headers main.cpp)\n"
        "target_link_libraries(headers PRIVATE descramble::descramble)\n", encoding="utf-8")
    subprocess.run(["cmake", "-S", consumer, "-B", consumer / "build", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                    f"-DCMAKE_PREFIX_PATH={installed}", f"-DTorch_DIR={os.environ['DESCRAMBLE_TORCH_DIR']}"],
                   check=True, stdout=subprocess.DEVNULL)
    commands = (consumer / "build" / "compile_commands.json").read_text(encoding="utf-8")
    words = shlex.split(re.search(r'"command": "(.*?)",?$', commands, re.MULTILINE).group(1))
    folders = [words[place + 1] for place, word in enumerate(words) if word == "-isystem"]
    return words[0], [folder for folder in folders if Path(folder) != installed / "include"]


def main(work):
    installed = work / "installed"
    subprocess.run(["cmake", "--install", BUILD, "--prefix", installed], check=True, stdout=subprocess.DEVNULL)
    compiler, system = system_folders(work / "consumer", installed)
    headers = sorted((installed / "include" / "descramble").rglob("*.h"))

    def check(header):
        command = [compiler, "-std=c++20", "-fsyntax-only", *WARNINGS, f"-I{installed / 'include'}",
                   *[word for folder in system for word in ("-isystem", folder)], "-x", "c++", "-"]
        name = header.relative_to(installed / "include")
        done = subprocess.run(command, input=f"#include <{name}>\n", capture_output=True, text=True)
        return name, done.returncode, done.stderr

    start, failed = time.monotonic(), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, code, errors in pool.map(check, headers):
            if code != 0:
                failed += 1
                print(f"{name} does not compile alone:\n{errors}")
    print(f"{len(headers) - failed} of {len(headers)} headers compile alone, in {time.monotonic() - start:.0f} s "
          f"on {os.cpu_count()} cores")
    return 1 if failed or not headers else 0


with tempfile.TemporaryDirectory() as temporary:
    sys.exit(main(Path(temporary)))

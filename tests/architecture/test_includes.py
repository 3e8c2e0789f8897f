"""Each source includes what it names, itself or through the project's headers.

The release build compiles a layer as one source, where a missing include goes unnoticed; the develop
build, which compiles each source alone, would then break. The compiler is the judge of that
(tests/build/test_each_source_alone_long.py, minutes); this looks for what is forgotten most: types of the
project, LibTorch's operators, fmt, JSON.
Independent of LibTorch.
"""

import os
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(os.environ.get("DESCRAMBLE_SOURCE_DIR", Path(__file__).parents[2]))
FOLDERS = {"src": ("src", "include"), "tests": ("tests", "src", "include"), "benchmarks": ("benchmarks", "src", "include")}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|R"([A-Za-z]*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"', re.DOTALL)
FUNCTION = re.compile(r"^(?:inline )?[\w:]+(?:<[^;()]*>)?[&*]? (\w+)\(", re.MULTILINE)
TYPE = re.compile(r"^(?:class|struct|enum class) (\w+)(?: final)?(?: : [^{;]+)?\s*\{", re.MULTILINE)
ALL_OPERATORS = {"ATen/ATen.h", "ATen/Functions.h", "torch/script.h", "torch/torch.h"}


@cache
def text(path):
    return COMMENT_OR_TEXT.sub(" ", path.read_text(encoding="utf-8"))


@cache
def includes(path, places):
    """The project's headers that a file includes, and the names of all others, each with what they include."""
    own, other = {path}, set()
    for _, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        found = next((ROOT / place / name for place in (*places, path.parent.relative_to(ROOT))
                      if (ROOT / place / name).is_file()), None)
        if found is None:
            other.add(name)
        elif found not in own:
            further = includes(found, places)
            own |= further[0]
            other |= further[1]
    return frozenset(own), frozenset(other)


def missing(path, places, homes):
    own, other = includes(path, places)
    code = text(path)
    for name in set(re.findall(r"\b[A-Z]\w+\b", code)) & set(homes):
        if not homes[name] & own and not re.search(rf"\b(class|struct) {name}\b", "".join(map(text, own))):
            yield f"{name}, declared in {min(homes[name]).relative_to(ROOT)}"
    for name in set(re.findall(r"(?<![\w.>:~])([a-z]\w+)\(", code)) & set(homes):
        if not homes[name] & own and not re.search(rf"\b[\w>&*]+[&*]? {name}\b", "".join(map(text, own)).replace("return ", "")):
            yield f"{name}, declared in {min(homes[name]).relative_to(ROOT)}"
    if not ALL_OPERATORS & other:
        for name in set(re.findall(r"\bat::([a-z]\w*)\(", code)):
            if f"ATen/ops/{name}.h" not in other and name in OPERATORS:
                yield f"at::{name}, of ATen/ops/{name}.h"
    if re.search(r"\bfmt::join\(", code) and not {"fmt/ranges.h", "fmt/format.h"} <= other:
        yield "fmt::join, of fmt/ranges.h and fmt/format.h"
    if re.search(r"\bfmt::format\(", code) and "fmt/format.h" not in other:
        yield "fmt::format, of fmt/format.h"
    # A reference to JSON that is passed on needs no more than its name.
    if re.search(r"\bnlohmann::json\b(?!&)", code) and path.suffix == ".cpp" and "nlohmann/json.hpp" not in other:
        yield "nlohmann::json, of nlohmann/json.hpp"


def sources():
    for folder, places in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.cpp")):
            if "package" not in path.parts:
                yield path, places


# Operators that some file includes by its own header: the names that are operators and not helpers of ATen.
OPERATORS = {name.removeprefix("ATen/ops/").removesuffix(".h")
             for path, _ in sources() for _, name in INCLUDE.findall(path.read_text(encoding="utf-8"))
             if name.startswith("ATen/ops/")}


def main():
    homes = {}
    for base in ("include", "src"):
        for header in sorted((ROOT / base).rglob("*.h")):
            for name in TYPE.findall(text(header)) + FUNCTION.findall(text(header)):
                homes.setdefault(name, set()).add(header)
    found, files = [], 0
    for path, places in sources():
        files += 1
        found += [f"{path.relative_to(ROOT)} does not include {what}" for what in missing(path, places, homes)]
    if files == 0 or not homes:
        found.append(f"no sources or no types under {ROOT}")
    print("\n".join(sorted(found)) or f"{files} sources include the {len(homes)} types, functions and the operators that they name")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

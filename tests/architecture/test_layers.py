"""The rooms of the project, as docs/architecture.md lists them: a file includes its own room or one below.

Also keeps heavy headers where they belong: JSON and torch::jit in the few layers that know them, whichever
of the project's headers they come through; torch/torch.h in training/; and nothing but the light ones in
public headers.
Independent of LibTorch.
"""

import os
import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(os.environ.get("DESCRAMBLE_SOURCE_DIR", Path(__file__).parents[2]))
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
# The rooms and their levels, as the page for people has them.
LEVELS = {room: int(level) for level, room in re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)}
KNOWS_TORCHSCRIPT = {"torchscript"}
KNOWS_JSON = {"config", "results", "experiment", "report", "cli"}
# What else may reach such a header through its includes, a file or a whole layer, and why.
REACHES_TORCHSCRIPT = {}
REACHES_JSON = {
    "src/core/json.cpp": "it reads and writes the text",
    "src/core/safetensors.cpp": "the header of such a file is JSON",
    "model": "arguments and fields of a config are nested freely",
    "src/torchscript/sequential.cpp": "layers of a config are nested freely",
}
TRAINS = {"training"}
PUBLIC_HEADERS_MAY_INCLUDE = {"ATen/core/Tensor.h", "nlohmann/json_fwd.hpp"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
JSON_HEADER = re.compile(r"^nlohmann/(?!json_fwd\.hpp)")
TORCHSCRIPT_HEADER = re.compile(r"^torch/(script\.h|jit\.h|csrc/jit/|csrc/api/include/torch/(jit|script)\.h)")
TORCHSCRIPT_NAME = re.compile(r"\btorch::jit\b")
COMMENT = re.compile(r"//.*")


def layer_of_include(path):
    parts = path.split("/")
    if parts[0] == "descramble":
        parts = parts[1:]
    return parts[0] if len(parts) > 1 and parts[0] in LEVELS else None


@cache
def included(path):
    return [match.group(2) for line in path.read_text(encoding="utf-8").splitlines() if (match := INCLUDE.match(line))]


def reached(path, root):
    """Every header that a file includes, also through the project's own, with the way there."""
    ways, open_files = {}, [(path, [])]
    while open_files:
        file, way = open_files.pop(0)
        for header in included(file):
            if header in ways:
                continue
            ways[header] = [*way, header]
            own = next((root / base / header for base in ("include", "src") if (root / base / header).is_file()), None)
            if own:
                open_files.append((own, ways[header]))
    return ways


def reach_violations(path, layer, root):
    name = path.relative_to(root).as_posix()
    for what, pattern, layers, exceptions in (("JSON", JSON_HEADER, KNOWS_JSON, REACHES_JSON),
                                              ("TorchScript", TORCHSCRIPT_HEADER, KNOWS_TORCHSCRIPT, REACHES_TORCHSCRIPT)):
        if layer in layers or layer in exceptions or name in exceptions:
            continue
        for header, way in reached(path, root).items():
            if pattern.match(header):
                yield f"{path}: {layer}/ reaches {what} through {' -> '.join(way)}, allowed in {sorted(layers)} only"


def idle_exceptions(root):
    """Exceptions that nothing needs any more."""
    for pattern, exceptions in ((JSON_HEADER, REACHES_JSON), (TORCHSCRIPT_HEADER, REACHES_TORCHSCRIPT)):
        for name in exceptions:
            files = [root / name] if "." in name else sorted((root / "src" / name).rglob("*.cpp"))
            if not any(pattern.match(header) for file in files if file.is_file() for header in reached(file, root)):
                yield f"{name} reaches no header {pattern.pattern}: it is no exception any more"


def violations(path, layer, public):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        def at(message):
            return f"{path}:{number}: {message}"

        if TORCHSCRIPT_NAME.search(COMMENT.sub("", line)) and layer not in KNOWS_TORCHSCRIPT:
            yield at(f"torch::jit in {layer}/, allowed in {sorted(KNOWS_TORCHSCRIPT)} only")
        include = INCLUDE.match(line)
        if not include:
            continue
        bracket, header = include.groups()
        target = layer_of_include(header)
        if target and target != layer and LEVELS[target] >= LEVELS[layer]:
            yield at(f"{layer}/ (layer {LEVELS[layer]}) includes {header} (layer {LEVELS[target]})")
        if header == "descramble/descramble.h":
            yield at("includes the header of the whole library; include what is used")
        if header == "torch/torch.h" and layer not in TRAINS:
            yield at(f"includes {header}, allowed in {sorted(TRAINS)} only")
        if public:
            standard = bracket == "<" and "/" not in header and "." not in header
            own = header.startswith("descramble/")
            if not (standard or own or header in PUBLIC_HEADERS_MAY_INCLUDE):
                yield at(f"a public header includes {header}, "
                         f"allowed: {sorted(PUBLIC_HEADERS_MAY_INCLUDE)}")


def main():
    root = Path(os.environ.get("DESCRAMBLE_SOURCE_DIR", Path(__file__).parents[2]))
    found = []
    files = 0
    for base in (root / "include" / "descramble", root / "src"):
        for path in sorted(base.rglob("*")):
            if path.suffix not in {".h", ".cpp", ".def"}:
                continue
            files += 1
            parts = path.relative_to(base).parts
            if len(parts) == 1:
                if parts != ("descramble.h",):
                    found.append(f"{path}: belongs to no layer")
            elif parts[0] not in LEVELS:
                found.append(f"{path}: {parts[0]}/ is no layer, known: {sorted(LEVELS)}")
            else:
                found += violations(path, parts[0], base.name == "descramble")
                found += reach_violations(path, parts[0], root)
    found += idle_exceptions(root)
    picture = PICTURE.read_text(encoding="utf-8")
    for room in LEVELS:
        if not (root / "src" / room).is_dir():
            found.append(f"{PAGE}: there is no room {room}/")
        if f">{room}<" not in picture:
            found.append(f"{PICTURE}: does not show the room {room}")
    if files == 0:
        found.append(f"no sources under {root}")
    print("\n".join(found) or f"{files} files keep to their layers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

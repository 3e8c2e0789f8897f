"""The shared library exports what the public headers declare, and nothing else.

Public headers open the namespace with default visibility; everything else is compiled hidden. Besides names of
public headers the library may export what every library has that uses the same templates: weak instantiations of
std:: templates, weak inline members of LibTorch's own exported classes, and weak descriptions (`typeinfo`) of types.
None of these may mention fmt, nlohmann or CLI.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
LIBRARY = os.environ["DESCRAMBLE_SHARED_LIBRARY"]
OPENS = 'namespace [[gnu::visibility("default")]] descramble {'
PREFIX = re.compile(r"^(?:vtable for|typeinfo for|typeinfo name for|VTT for|guard variable for|(?:non-)?virtual thunk to) ")
OF_LIBTORCH = ("at", "c10", "torch", "caffe2")
OF_OTHERS = re.compile(r"\b(fmt|nlohmann|CLI)::")
OF_LINKER = {"__bss_start", "_edata", "_end"}
COMMENT = re.compile(r"//.*")


def public_names():
    names, wrong = set(), []
    for header in sorted((SOURCE / "include").rglob("*.h")):
        text = COMMENT.sub("", header.read_text(encoding="utf-8"))
        names |= set(re.findall(r"\b[A-Za-z_]\w*\b", text))
        opened = re.findall(r"^namespace .*descramble.*\{$", text, re.MULTILINE)
        if any(line != OPENS for line in opened):
            wrong.append(f"{header.relative_to(SOURCE)} opens `{opened[0]}`, expected `{OPENS}`")
    return names, wrong


def qualified(demangled):
    """The qualified name of a symbol: `descramble::Error::Error` of `descramble::Error::Error(std::string const&)`."""
    text = PREFIX.sub("", demangled)
    depth, begin = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "<") - (letter in ">")
        if depth == 0 and letter == "(" and not text.startswith("(anonymous namespace)", place):
            return text[begin:place]
        if depth == 0 and letter == " " and not text[:place].endswith("operator"):
            begin = place + 1  # what stood before is the type that a template returns
    return text[begin:]


def verdict(kind, demangled, public):
    """Empty, or why the library should not export this."""
    name = qualified(demangled)
    parts = re.sub(r"<.*", "", name).split("::")
    if name in OF_LINKER:
        return ""
    if parts[0] == "descramble":
        return "" if parts[1] in public else f"no public header declares {parts[1]}"
    if kind not in "VWu":
        return "it is not of namespace descramble, and not weak"
    if OF_OTHERS.search(demangled):
        return "it is of another library"
    if parts[0] in ("std", "__gnu_cxx", *OF_LIBTORCH) or demangled.startswith("typeinfo"):
        return ""
    return "it is not of namespace descramble"


def main():
    public, failures = public_names()
    listing = subprocess.run(["nm", "-DC", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
    counted = Counter()
    for line in listing.splitlines():
        kind, demangled = re.match(r"^[0-9a-f]* *(\w) (.*)$", line.replace("[abi:cxx11]", "")).groups()
        counted["descramble" if "descramble" in qualified(demangled) else "weak others"] += 1
        reason = verdict(kind, demangled, public)
        if reason:
            failures.append(f"{LIBRARY} exports `{demangled}` ({kind}): {reason}")
    for failure in failures:
        print(failure)
    print(f"exported: {counted['descramble']} names of descramble, {counted['weak others']} weak ones of templates")
    return 1 if failures or counted["descramble"] < 100 else 0


sys.exit(main())

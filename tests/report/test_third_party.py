"""Files of others are unmodified: their hashes are those that third_party/README.md lists, and each has its licence.

Independent of LibTorch.
"""

import hashlib
import os
import re
from pathlib import Path

ROOT = Path(os.environ.get("DESCRAMBLE_SOURCE_DIR", Path(__file__).parents[2])) / "third_party"

listed = dict(re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
there = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()} - {"README.md"}
licences = {name for name in there if name.endswith("/LICENSE")}
assert there - licences == set(listed), f"the list and the files differ: {sorted((there - licences) ^ set(listed))}"
assert {name.split("/")[0] for name in listed} == {name.split("/")[0] for name in licences}, "a licence is missing"
for name, expected in listed.items():
    found = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
    assert found == expected, f"{name}: expected {expected}, found {found}"
print(f"ok: {len(listed)} files of others")

"""compare_archives.py FIXTURES EXPORTED: every archive in EXPORTED computes, in plain PyTorch, what the
archive of the same name in FIXTURES computes. Prints the relative differences; exit code 1 if one is
too large or an operator is not PyTorch's own."""

import json
import sys
import zipfile
from pathlib import Path

import torch


def example(spec):
    return torch.randn(spec["shape"]).to(getattr(torch, spec["dtype"]))


def main():
    fixtures, exported = map(Path, sys.argv[1:])
    index = json.loads((fixtures / "index.json").read_text())
    failed = False
    torch.manual_seed(0)
    archives = sorted(exported.glob("*.pt"))
    assert archives, f"nothing in {exported}"
    for archive in archives:
        inputs = [example(spec) for spec in index[archive.stem]["inputs"]]
        with torch.inference_mode():
            expected = torch.jit.load(fixtures / archive.name, map_location="cpu").eval()(*inputs)
            found = torch.jit.load(archive, map_location="cpu").eval()(*inputs)
        difference = ((found - expected).abs().max() / expected.abs().max()).item()
        tolerance = 1e-12 if expected.dtype == torch.float64 else 1e-5
        with zipfile.ZipFile(archive) as records:
            foreign = any(b"ops.descramble" in records.read(name) for name in records.namelist() if name.endswith(".py"))
        if not difference <= tolerance or foreign:
            failed = True
            print(f"{archive.stem}: {difference:.2e}{', foreign operators' if foreign else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The command `descramble`, installed beside the torch wheel whose libraries it loads."""

import os
import sys
from pathlib import Path


def main():
    folder = Path(__file__).resolve().parent
    libraries = folder.parent / "torch" / "lib"
    if not (libraries / "libtorch_cpu.so").exists():
        print(f"descramble: LibTorch is missing: expected the wheel of torch in {libraries.parent}, "
              "found none (pip install torch into the same folder)", file=sys.stderr)
        sys.exit(1)
    # Idle OpenMP threads sleep: where they spin, small decompositions beside another program take up
    # to a hundred times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command = folder / "bin" / "descramble"
    os.execv(command, [command, *sys.argv[1:]])

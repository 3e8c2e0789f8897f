"""Riemannian L-BFGS at fc1 of the MNIST classifier, 3,000 iterations from each of 5 Haar starts: within 2 % of
the optimum of the closed form, and never below it. Needs DESCRAMBLE_DATA; takes minutes."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]

if not os.environ.get("DESCRAMBLE_DATA"):
    print("not run: DESCRAMBLE_DATA is not set")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    subprocess.run([COMMAND, "train", SOURCE / "configs" / "mnist_mlp_train.json", "--out", folder / "mlp",
                    "--quiet"], check=True)
    subprocess.run([COMMAND, "run", SOURCE / "configs" / "mnist_fc1_solvers.json", "--out", folder / "solvers",
                    "--set", f"/model/path={folder / 'mlp' / 'model.pt'}"], check=True)
    step = json.loads((folder / "solvers" / "result.json").read_text(encoding="utf-8"))["steps"][0]

optimum = step["objective"]["optimum"]
for solver in step["solvers"]:
    values = [outcome["value"] for outcome in solver["outcomes"]] or [solver["value"]]
    assert min(values) >= optimum * (1 - 1e-10), solver["label"]
lbfgs = next(solver for solver in step["solvers"] if solver["kind"] == "riemannian_lbfgs")
assert len(lbfgs["outcomes"]) == 5
assert lbfgs["worst_excess"] <= 0.02, lbfgs["worst_excess"]

"""One page about five runs (glyphs, MNIST, SqueezeNet, Jacobians, training): its size, and how fast it opens.

Needs DESCRAMBLE_DATA and a browser; not run where one of them is missing.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import browser, errors, requests
from selenium.webdriver.common.by import By

ROOT = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]
RUNS = ("glyph_explore", "mnist_completeness", "squeezenet_explore", "squeezenet_jacobian_at_mean", "glyph_mlp_probes_train")

if not os.environ.get("DESCRAMBLE_DATA"):
    print("not run: DESCRAMBLE_DATA is not set")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    for name in RUNS:
        command = "train" if name.endswith("_train") else "run"
        subprocess.run([COMMAND, command, ROOT / "configs" / f"{name}.json", "--out", folder / name, "--quiet"], check=True)
    page = folder / "page.html"
    subprocess.run([COMMAND, "report", *(folder / name for name in RUNS), "--out", page], check=True)
    tensors = sum((folder / name / "tensors.safetensors").stat().st_size for name in RUNS)
    size = page.stat().st_size
    slowest = 0
    for _ in range(3):
        driver = browser(1400)
        try:
            driver.get(page.as_uri())
            slowest = max(slowest, driver.execute_script("return performance.timing.loadEventEnd - performance.timing.navigationStart"))
            assert not errors(driver), errors(driver)
            fetched = [url for url in requests(driver) if not url.startswith("data:") and url != page.as_uri()]
            assert not fetched, fetched
            figures = len(driver.find_elements(By.CSS_SELECTOR, "figure[data-figure]"))
            pictures = sum(len(list((folder / name).glob("*.svg"))) for name in RUNS)
            assert figures >= pictures, (figures, pictures)
        finally:
            driver.quit()
    print(f"{tensors / 1e6:.1f} MB of tensors, {figures} figures: a page of {size / 1e6:.1f} MB opens in {slowest} ms")
    assert size < 8e6, "the page is larger than 8 MB"
    assert slowest < 2000, "the page takes longer than 2 s"

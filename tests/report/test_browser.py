"""The page of a report in a real browser: nothing is fetched, nothing fails, charts tell their numbers by keyboard.

Needs chromium, chromium-driver and python3-selenium of the distribution; not run where they are missing.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import browser, errors, requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]
CURVES = {
    "name": "curves", "seed": 1, "model": {"kind": "torchscript", "path": str(ROOT / "models/glyph_mlp.pt")},
    "data": {"kind": "glyphs", "count": 200},
    "steps": [
        {"kind": "descramble", "tap": "fc1", "objective": {"kind": "smoothness"}},
        {"kind": "completeness", "taps": ["fc2"], "bases": [{"kind": "pca"}, {"kind": "neurons"}],
         "grid": {"kind": "linear", "points": 5}},
        {"kind": "explore", "taps": ["fc2"], "directions": 2},
    ],
}


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    (folder / "curves.json").write_text(json.dumps(CURVES), encoding="utf-8")
    subprocess.run([COMMAND, "run", folder / "curves.json", "--out", folder / "curves", "--quiet"], check=True)
    page = folder / "page.html"
    subprocess.run([COMMAND, "report", folder / "curves", "--out", page], check=True)
    for width in (360, 768, 1400):
        driver = browser(width)
        try:
            driver.get(page.as_uri())
            fetched = [url for url in requests(driver) if not url.startswith("data:") and url != page.as_uri()]
            assert not fetched, f"the page fetches {fetched}"
            severe = errors(driver)
            assert not severe, severe
            charts = driver.find_elements(By.CSS_SELECTOR, ".chart")
            assert len(charts) == 2, f"curves and spectrum: {len(charts)} charts"
            for chart in charts:
                assert chart.find_elements(By.CSS_SELECTOR, "svg path"), "a chart without lines"
                chart.send_keys(Keys.ARROW_RIGHT)
                said = chart.find_element(By.TAG_NAME, "output").text
                assert "pca" in said and any(c.isdigit() for c in said), f"the keyboard tells nothing: {said!r}"
            images = driver.find_elements(By.TAG_NAME, "img")
            assert images and all(image.get_attribute("alt") for image in images), "an image without a text"
            shown = driver.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
            assert shown, "an image that does not show"
            wide = driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 1, f"at {width} pixels the page is {wide} pixels too wide"
            if len(sys.argv) > 1:
                driver.save_screenshot(f"{sys.argv[1]}/page-{width}.png")
        finally:
            driver.quit()
print("ok: 3 widths")

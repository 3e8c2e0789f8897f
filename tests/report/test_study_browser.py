"""A whole study in a real browser, from a plain file: practice, a window that is closed in the middle, the answers as a file.

Needs chromium, chromium-driver and python3-selenium of the distribution; not run where they are missing.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote

from browser import browser, errors, requests
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ROOT = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]
EXPLORE = {
    "name": "explored", "seed": 1, "model": {"kind": "torchscript", "path": str(ROOT / "models/glyph_mlp.pt")},
    "data": {"kind": "glyphs", "count": 100},
    "steps": [{"kind": "explore", "taps": ["fc2"], "bases": [{"kind": "pca"}, {"kind": "neurons"}], "directions": 6}],
}


def heading(driver):
    return driver.find_element(By.TAG_NAME, "h1").text


def press(driver, key):
    ActionChains(driver).send_keys(key).perform()


def go_on(driver):
    driver.find_element(By.CSS_SELECTOR, "button:not(.row)").click()


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    (folder / "explore.json").write_text(json.dumps(EXPLORE), encoding="utf-8")
    subprocess.run([COMMAND, "run", folder / "explore.json", "--out", folder / "run", "--quiet"], check=True)
    subprocess.run([COMMAND, "study", "make", folder / "run", "--out", folder / "study"], check=True)
    key = json.loads((folder / "study" / "key.json").read_text(encoding="utf-8"))
    page = (folder / "study" / "index.html").as_uri()
    driver = browser(900)
    try:
        driver.get(page)
        go_on(driver)
        for _ in range(2):
            press(driver, Keys.ARROW_UP)
            assert heading(driver) in ("Yes", "No"), heading(driver)
            go_on(driver)
        go_on(driver)
        asked = 0
        while driver.find_elements(By.CSS_SELECTOR, "button.row"):
            assert heading(driver) == f"Question {asked + 1} of {len(key['trials'])}", heading(driver)
            if asked == 5:
                driver.get("about:blank")  # the window is left, and opened again
                driver.get(page)
                assert heading(driver) == "Question 6 of 13", heading(driver)
            press(driver, Keys.ARROW_UP if asked % 2 else Keys.ARROW_DOWN)
            asked += 1
        assert asked == len(key["trials"]) == 13, asked
        link = driver.find_element(By.TAG_NAME, "a")
        saved = json.loads(unquote(link.get_attribute("href").split(",", 1)[1]))
        fetched = [url for url in requests(driver) if not url.startswith(("data:", "file:", "about:"))]
        assert not fetched, f"the page fetches {fetched}"
        severe = errors(driver)
        assert not severe, severe
    finally:
        driver.quit()
    assert {answer["trial"] for answer in saved["answers"]} == {trial["id"] for trial in key["trials"]}
    assert {answer["top"] for answer in saved["answers"]} == {True, False}
    (folder / "study" / "answers" / "one.json").write_text(json.dumps(saved), encoding="utf-8")
    scored = subprocess.run([COMMAND, "study", "score", folder / "study"], check=True, capture_output=True, text=True)
    assert "1 participant;" in scored.stdout, scored.stdout
    right = sum(answer["chosen"] == next(t["coherent"] for t in key["trials"] if t["id"] == answer["trial"])
                for answer in saved["answers"])
    score = json.loads((folder / "study" / "score.json").read_text(encoding="utf-8"))
    assert right == sum(group["right"] for group in score["groups"]) + score["attention_checks"]["right"]
print("ok: 13 questions")

"""The page of a report in a real browser: nothing is fetched, nothing fails, and every figure tells its numbers by keyboard.

Needs chromium, chromium-driver and python3-selenium of the distribution; not run where they are missing.
"""

import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import browser, errors, requests, until
from selenium.webdriver.common.action_chains import ActionChains
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
        {"kind": "read", "matrix": {"kind": "weight", "layer": "fc3"}, "controls": "raw", "readings": [{"kind": "spectrum"}]},
    ],
}


def told(place, frame):
    """What the figure says of its first and its last place."""
    said = place.find_element(By.TAG_NAME, "output")
    texts = []
    for key in (Keys.ARROW_RIGHT, Keys.END, Keys.ARROW_DOWN):
        frame.send_keys(key)
        texts.append(said.text)
    return texts


def short(value):
    """As the page writes a number."""
    return f"{value:.6g}"


def check_figures(driver, figures):
    """Each figure has its numbers, tells them, and saves them."""
    places = driver.find_elements(By.CSS_SELECTOR, "figure[data-figure]")
    assert len(places) == len(figures) + 1, "each of the folder's figures, and the pair of weights"
    for place in places:
        name = place.get_attribute("data-figure")
        saved = place.find_elements(By.CSS_SELECTOR, "a.download")
        assert saved and all(link.get_attribute("download").endswith(".csv") for link in saved), name
        frames = place.find_elements(By.CSS_SELECTOR, ".places") or [place]
        for frame in frames:
            assert frame.get_attribute("aria-label"), name
            texts = told(place, frame)
            assert all(any(c.isdigit() for c in text) for text in texts), (name, texts)
        figure = figures.get(name)
        if figure is None:
            assert name == "steps.0.fc1.weights" and len(frames) == 2, name
        elif figure["kind"] == "curves":
            until(lambda: place.find_elements(By.CSS_SELECTOR, "svg path"), f"{name} without lines")
            curve = figure["series"][0]
            place.send_keys(Keys.HOME)
            place.send_keys(*[Keys.ARROW_UP] * 20)
            text = place.find_element(By.TAG_NAME, "output").text
            assert text.startswith(f"{curve['label'] or 'curve'}: {figure['x_title']} {short(curve['x'][0])}, "), text
            assert short(curve["y"][0]) in text, text
        elif figure["kind"] == "matrices":
            panel = figure["panels"][0]
            values = struct.unpack(f"<{panel['rows'] * panel['columns']}f", base64.b64decode(panel["values"]))
            frames[0].send_keys(Keys.ARROW_DOWN)
            for _ in range(panel["rows"]):
                frames[0].send_keys(Keys.ARROW_DOWN)
            frames[0].send_keys(Keys.END)
            text = place.find_element(By.TAG_NAME, "output").text
            assert abs(float(text.rsplit(" ", 1)[1]) - values[-1]) <= 1e-5 * max(1, abs(values[-1])), (text, values[-1])
            # The pointer tells the same: the last entry lies in the lower right corner.
            size = frames[0].size
            ActionChains(driver).move_to_element_with_offset(frames[0], size["width"] / 2 - 2, size["height"] / 2 - 2).perform()
            assert place.find_element(By.TAG_NAME, "output").text == text, name
        else:
            assert figure["strips"][0]["captions"][0] in told_home(place, frames[0]), name


def told_home(place, frame):
    frame.send_keys(Keys.HOME)
    for _ in range(20):
        frame.send_keys(Keys.ARROW_UP)
    return place.find_element(By.TAG_NAME, "output").text


def check_map(driver):
    links = driver.find_elements(By.CSS_SELECTOR, ".map a.used")
    assert len(links) == 2, len(links)
    assert not driver.find_elements(By.CSS_SELECTOR, "details.layer[open]")
    links[1].send_keys(Keys.ENTER)
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "details.layer[open]"), "the link opens no layer")
    opened = driver.find_elements(By.CSS_SELECTOR, "details.layer[open]")
    assert len(opened) == 1 and opened[0].text.startswith("fc2: completeness, explore"), opened[0].text
    until(lambda: "pca" in opened[0].text, "the layer tells nothing of its completeness")


def check_charts(driver):
    charts = driver.find_elements(By.CSS_SELECTOR, ".charts .chart")
    assert len(charts) == 2, f"curves and spectrum: {len(charts)} charts"
    for chart in charts:
        chart.send_keys("")
        until(lambda: chart.find_elements(By.CSS_SELECTOR, "svg path"), "a chart without lines")
        assert "pca" in told(chart, chart)[0]
        # A basis that is ticked off is not drawn.
        before = len(chart.find_elements(By.CSS_SELECTOR, "svg path"))
        chart.find_element(By.CSS_SELECTOR, "input[type=checkbox]").click()
        assert len(chart.find_elements(By.CSS_SELECTOR, "svg path")) < before
        assert "pca" not in told(chart, chart)[0] or "ascending" in told(chart, chart)[0]


def check_page(width, page, figures):
    driver = browser(width)
    try:
        driver.get(page.as_uri())
        opened = driver.execute_script("return performance.timing.loadEventEnd - performance.timing.navigationStart")
        fetched = [url for url in requests(driver) if not url.startswith("data:") and url != page.as_uri()]
        assert not fetched, f"the page fetches {fetched}"
        images = driver.find_elements(By.TAG_NAME, "img")
        assert images and all(image.get_attribute("alt") for image in images), "an image without a text"
        shown = driver.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0 && i.width > 0)")
        assert shown, "an image that does not show"
        wide = driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 1, f"at {width} pixels the page is {wide} pixels too wide"
        if len(sys.argv) > 1:
            driver.save_screenshot(f"{sys.argv[1]}/page-{width}.png")
        check_map(driver)
        check_figures(driver, figures)
        check_charts(driver)
        severe = errors(driver)
        assert not severe, severe
        return opened
    finally:
        driver.quit()


def check_two(page):
    """Several runs have charts of all of them."""
    driver = browser(1000)
    try:
        driver.get(page.as_uri())
        charts = driver.find_elements(By.CSS_SELECTOR, ".charts[data-all] .chart")
        assert len(charts) == 2, len(charts)
        for name in ("curves", "again"):
            assert f"{name}, pca" in charts[0].find_element(By.TAG_NAME, "fieldset").text
        assert "pca" in told(charts[0], charts[0])[0]
        assert not errors(driver), errors(driver)
    finally:
        driver.quit()


def check_without_script(page, figures):
    driver = browser(768, "--blink-settings=scriptEnabled=false")
    try:
        driver.get(page.as_uri())
        pictures = driver.find_elements(By.CSS_SELECTOR, "figure[data-figure] img")
        assert len(pictures) == len(figures) + 1 and all(picture.size["height"] > 50 for picture in pictures)
        tables = driver.find_elements(By.XPATH, "//details[summary[text()='The numbers of this figure']]//table")
        assert len(tables) >= sum(figure["kind"] == "curves" for figure in figures.values())
    finally:
        driver.quit()


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    (folder / "curves.json").write_text(json.dumps(CURVES), encoding="utf-8")
    subprocess.run([COMMAND, "run", folder / "curves.json", "--out", folder / "curves", "--quiet"], check=True)
    numbers = json.loads((folder / "curves" / "figures.json").read_text(encoding="utf-8"))["figures"]
    assert {figure["kind"] for figure in numbers.values()} == {"curves", "matrices", "strips"}
    page = folder / "page.html"
    subprocess.run([COMMAND, "report", folder / "curves", "--out", page], check=True)
    slowest = max(check_page(width, page, numbers) for width in (360, 768, 1400))
    check_without_script(page, numbers)
    CURVES["steps"] = CURVES["steps"][1:2]
    (folder / "again.json").write_text(json.dumps(CURVES), encoding="utf-8")
    subprocess.run([COMMAND, "run", folder / "again.json", "--out", folder / "again", "--quiet"], check=True)
    subprocess.run([COMMAND, "report", folder / "curves", folder / "again", "--out", folder / "two.html"], check=True)
    check_two(folder / "two.html")
print(f"ok: 3 widths and without a script; opens in {slowest} ms")

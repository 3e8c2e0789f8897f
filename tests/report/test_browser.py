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
from selenium.webdriver.support.ui import Select

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
        {"kind": "read", "matrix": {"kind": "tensor", "path": "wide.safetensors", "name": "m"}, "controls": "raw",
         "readings": [{"kind": "spectrum"}]},
        {"kind": "completeness", "taps": ["fc2"], "bases": [{"kind": "pca"}], "grid": {"kind": "linear", "points": 7}},
    ],
}

# Layers with numbers for names, as every nn.Sequential has them.
NUMBERED = {
    "name": "numbered", "seed": 1, "model": {"kind": "torchscript", "path": str(ROOT / "tests/fixtures/sequential.pt")},
    "data": {"kind": "safetensors", "path": "eight.safetensors", "inputs": ["x"], "labels": "label"},
    "steps": [{"kind": "completeness", "taps": ["0.0", "0", "1"], "bases": [{"kind": "pca"}], "grid": {"kind": "linear", "points": 4}}],
}


def save_safetensors(file, tensors):
    """Tensors are (dtype, shape, bytes)."""
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


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


def figures_of(driver):
    data = json.loads(driver.find_element(By.ID, "data").get_attribute("textContent"))
    return data[0]["figures"]


def check_figures(driver, count):
    """Each figure has its numbers, tells them, and saves them."""
    places = driver.find_elements(By.CSS_SELECTOR, "figure[data-figure]")
    figures = figures_of(driver)
    assert len(places) == len(figures) == count + 1, "each of the folder's figures, and the pair of weights"
    for place, figure in zip(places, (figures[int(place.get_attribute("data-figure"))] for place in places)):
        name = figure["name"]
        saved = place.find_elements(By.CSS_SELECTOR, "a.download")
        assert saved and all(link.get_attribute("download").startswith(name) for link in saved), name
        frames = place.find_elements(By.CSS_SELECTOR, ".places") or [place.find_element(By.CSS_SELECTOR, ".drawing")]
        for frame in frames:
            assert frame.get_attribute("aria-label"), name
            texts = told(place, frame)
            assert all(any(c.isdigit() for c in text) for text in texts), (name, texts)
        if figure["kind"] == "curves":
            until(lambda: place.find_elements(By.CSS_SELECTOR, "svg path"), f"{name} without lines")
            curve = figure["series"][0]
            text = told_home(place, frames[0])
            assert text.startswith(f"{curve['label'] or 'curve'}: {figure['x_title']} {short(curve['x'][0])}, "), text
            assert short(curve["y"][0]) in text, text
        elif figure["kind"] == "matrices":
            panel = figure["panels"][0]
            values = struct.unpack(f"<{panel['rows'] * panel['columns']}f", base64.b64decode(panel["values"]))
            frames[0].send_keys(*[Keys.ARROW_DOWN] * (panel["rows"] + 1))
            frames[0].send_keys(Keys.END)
            text = place.find_element(By.TAG_NAME, "output").text
            assert abs(float(text.rsplit(" ", 1)[1]) - values[-1]) <= 1e-5 * max(1, abs(values[-1])), (text, values[-1])
            # The pointer tells the same: the last entry lies in the lower right corner.
            size = frames[0].size
            if size["width"] < 4 * panel["columns"] or size["height"] < 4 * panel["rows"]:
                continue  # places are smaller than what the pointer can be put on here
            point(driver, frames[0], size["width"] - 2, size["height"] - 2)
            assert place.find_element(By.TAG_NAME, "output").text == text, name
        else:
            assert figure["strips"][0]["captions"][0] in told_home(place, frames[0]), name


def point(driver, frame, x, y):
    """Moves the pointer to a place of the frame, in pixels from its upper left corner."""
    size = frame.size
    ActionChains(driver).move_to_element_with_offset(frame, x - size["width"] / 2, y - size["height"] / 2).perform()


def check_means(driver):
    """A matrix of 2 x 97 entries j + 1000 i has squares of two columns; the last one has one."""
    number = next(i for i, figure in enumerate(figures_of(driver)) if figure["name"] == "steps.4.matrix")
    place = driver.find_element(By.CSS_SELECTOR, f"figure[data-figure='{number}']")
    frame = place.find_element(By.CSS_SELECTOR, ".places")
    width, height = frame.size["width"], frame.size["height"]
    for square in range(49):
        point(driver, frame, (square + 0.5) / 49 * width, height * 0.75)
        first, last = 2 * square, min(96, 2 * square + 1)
        expected = f"column {first} to {last} (mean): {1000 + (first + last) / 2:g}" if last > first else f"column {first}: {1000 + first}"
        assert place.find_element(By.TAG_NAME, "output").text.endswith(expected), (place.find_element(By.TAG_NAME, "output").text, expected)
    heads = [head.get_attribute("textContent") for head in place.find_elements(By.CSS_SELECTOR, "details th")]
    assert heads[:3] == ["row", "0 to 1 (mean)", "2 to 3 (mean)"] and heads[-1] == "96", heads


def told_home(place, frame):
    frame.send_keys(Keys.HOME, *[Keys.ARROW_UP] * 8)
    return place.find_element(By.TAG_NAME, "output").text


def check_map(driver):
    links = driver.find_elements(By.CSS_SELECTOR, ".map a.used")
    assert len(links) == 3, "fc1, fc2, and fc3 whose weights are read"
    assert not driver.find_elements(By.CSS_SELECTOR, "details.layer[open]")
    links[1].send_keys(Keys.ENTER)
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "details.layer[open]"), "the link opens no layer")
    opened = driver.find_elements(By.CSS_SELECTOR, "details.layer[open]")
    assert len(opened) == 1 and opened[0].text.startswith("fc2: completeness, explore"), opened[0].text
    until(lambda: "pca" in opened[0].text, "the layer tells nothing of its completeness")


def lines_of(chart):
    return chart.find_elements(By.CSS_SELECTOR, "svg [aria-label='line'] path")


def labels_told(chart):
    """The curves that the keyboard reaches, from the first one down."""
    chart.send_keys(Keys.HOME, *[Keys.ARROW_UP] * 8)
    labels = []
    for _ in range(8):
        labels.append(chart.find_element(By.TAG_NAME, "output").text.split(":")[0])
        chart.send_keys(Keys.ARROW_DOWN)
    return set(labels)


def check_charts(driver):
    charts = driver.find_elements(By.CSS_SELECTOR, ".charts .chart")
    assert len(charts) == 2, f"curves and spectrum: {len(charts)} charts"
    for chart, count in zip(charts, (6, 3)):
        chart.send_keys(Keys.HOME)
        until(lambda: len(lines_of(chart)) == count, f"{len(lines_of(chart))} lines instead of {count}")
        before = labels_told(chart)
        assert len(before) == count and all(label.startswith("step ") for label in before), before
        # What is ticked off is not drawn.
        box = chart.find_element(By.CSS_SELECTOR, "fieldset label")
        box.find_element(By.TAG_NAME, "input").click()
        until(lambda: len(lines_of(chart)) == count - 1, "nothing is ticked off")
        assert before - labels_told(chart) == {box.text.strip()}, box.text


def check_numbered(page):
    """Each layer has curves of its own, whatever its name looks like."""
    driver = browser(1000)
    try:
        driver.get(page.as_uri())
        chart = driver.find_element(By.CSS_SELECTOR, ".charts .chart")
        taps = Select(chart.find_element(By.TAG_NAME, "select"))
        assert [option.text for option in taps.options] == ["0.0", "0", "1"], [option.text for option in taps.options]
        for tap in ("0.0", "0", "1"):
            taps.select_by_visible_text(tap)
            until(lambda: len(lines_of(chart)) == 2, f"{tap}: {len(lines_of(chart))} lines")
        assert not errors(driver), errors(driver)
    finally:
        driver.quit()


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
        if width != 768:
            check_figures(driver, len(figures))
        if width == 1400:
            check_means(driver)
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
        for name in ("curves, step 1, pca", "curves, step 5, pca", "again, step 0, pca"):
            assert name in charts[0].find_element(By.TAG_NAME, "fieldset").text, charts[0].find_element(By.TAG_NAME, "fieldset").text
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
    columns = range(97)
    entries = [float(j + 1000 * i) for i in range(2) for j in columns]
    save_safetensors(folder / "wide.safetensors", {"m": ("F32", [2, 97], struct.pack("<194f", *entries))})
    draws = [((i * 7919) % 101) / 50 - 1 for i in range(40 * 8)]
    save_safetensors(folder / "eight.safetensors", {"x": ("F32", [40, 8], struct.pack("<320f", *draws)),
                                                    "label": ("I64", [40], struct.pack("<40q", *[i % 2 for i in range(40)]))})
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
    (folder / "numbered.json").write_text(json.dumps(NUMBERED), encoding="utf-8")
    subprocess.run([COMMAND, "run", folder / "numbered.json", "--out", folder / "numbered", "--quiet"], check=True)
    subprocess.run([COMMAND, "report", folder / "numbered", "--out", folder / "numbered.html"], check=True)
    check_numbered(folder / "numbered.html")
print(f"ok: 3 widths and without a script; opens in {slowest} ms")

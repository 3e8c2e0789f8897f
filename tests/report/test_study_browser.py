"""A whole study in a real browser: from a plain file, with a window that is closed in the middle and the answers as a file,
and from the server, which is killed in the middle.

Needs chromium, chromium-driver and python3-selenium of the distribution; not run where they are missing.
"""

import json
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from browser import browser, errors, requests, until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from served_study import COMMAND, Server, make_study


def heading(driver):
    return driver.find_element(By.TAG_NAME, "h1").text


def press(driver, key):
    time.sleep(0.21)  # the page takes no key that is pressed twice at once
    ActionChains(driver).send_keys(key).perform()


def go_on(driver):
    driver.find_element(By.CSS_SELECTOR, "button:not(.row)").click()


def practise(driver):
    go_on(driver)
    for _ in range(2):
        press(driver, Keys.ARROW_UP)
        assert heading(driver) in ("Yes", "No"), heading(driver)
        go_on(driver)
    go_on(driver)


def asked(driver):
    return bool(driver.find_elements(By.CSS_SELECTOR, "button.row"))


def score(folder):
    scored = subprocess.run([COMMAND, "study", "score", folder / "study"], check=True, capture_output=True, text=True)
    return scored.stdout, json.loads((folder / "study" / "score.json").read_text(encoding="utf-8"))


def play_file(folder, key):
    page = (folder / "study" / "index.html").as_uri()
    driver = browser(900)
    try:
        driver.get(page)
        practise(driver)
        number = 0
        while asked(driver):
            assert heading(driver) == f"Question {number + 1} of {len(key['trials'])}", heading(driver)
            if number == 5:
                driver.get("about:blank")  # the window is left, and opened again
                driver.get(page)
                assert heading(driver) == "Question 6 of 13", heading(driver)
            press(driver, Keys.ARROW_UP if number % 2 else Keys.ARROW_DOWN)
            number += 1
        assert number == len(key["trials"]) == 13, number
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
    said, scored = score(folder)
    assert len(scored["participants"]) == 1 and scored["participants"][0]["participant"] in said, said
    right = sum(answer["chosen"] == next(t["coherent"] for t in key["trials"] if t["id"] == answer["trial"])
                for answer in saved["answers"])
    assert right == sum(group["right"] for group in scored["groups"]) + sum(one["attention_checks_right"] for one in scored["participants"])


def play_served(folder, key):
    server = Server(folder / "study")
    driver = browser(900)
    try:
        driver.get(server.link)
        practise(driver)
        chosen = {}
        while asked(driver):
            number = len(chosen)
            if number == 4:
                server.kill()
            if number == 7:
                until(lambda: "3 answers wait here" in driver.find_element(By.CSS_SELECTOR, "output.note").text,
                      "the page does not say that the server is gone")
            if number == 9:
                server.start()
                driver.get(server.link)  # opened again meanwhile
            assert heading(driver) == f"Question {number + 1} of 13", heading(driver)
            press(driver, Keys.ARROW_UP if number % 3 else Keys.ARROW_DOWN)
            chosen[number] = True
        until(lambda: "All answers have arrived" in driver.find_element(By.TAG_NAME, "main").text, "answers do not arrive")
        state = json.loads(driver.execute_script("return localStorage.getItem(localStorage.key(0))"))
        fetched = {url for url in requests(driver) if not url.startswith("data:")}
        assert fetched == {server.link, server.link + "answers"}, fetched
        # What the browser logs is the time without a server, and no other trouble.
        severe = [entry for entry in errors(driver) if "ERR_CONNECTION_REFUSED" not in entry["message"]]
        assert not severe, severe
    finally:
        driver.quit()
    out, err = server.stop()
    assert "13 answers of 1 participant\n" in out and not err, (out, err)
    # The same answers as a file change nothing: a page that could not send all of them saves all of them.
    own = {"study": key["study"], "participant": state["participant"], "answers": state["answers"]}
    (folder / "study" / "answers" / "two.json").write_text(json.dumps(own), encoding="utf-8")
    said, scored = score(folder)
    assert len(scored["participants"]) == 2, said
    assert sum(group["answers"] for group in scored["groups"]) + sum(one["attention_checks"] for one in scored["participants"]) == 26


def play_two_windows(folder, key):
    """One participant in two windows: each question is asked once; then another person begins."""
    server = Server(folder / "study")
    driver = browser(900)
    try:
        driver.get(server.link)
        practise(driver)
        windows = [driver.current_window_handle]
        driver.switch_to.new_window("tab")
        driver.get(server.link)
        windows.append(driver.current_window_handle)
        for number in range(13):
            for window in windows:
                driver.switch_to.window(window)
                until(lambda: heading(driver) == f"Question {number + 1} of 13", f"{heading(driver)} instead of {number + 1}")
            driver.switch_to.window(windows[number // 2 % 2])
            press(driver, Keys.ARROW_UP)
        for window in windows:
            driver.switch_to.window(window)
            until(lambda: "All answers have arrived" in driver.find_element(By.TAG_NAME, "main").text, "answers do not arrive")
        go_on(driver)  # "Another person begins"
        assert heading(driver) == "Which strip is coherent?", heading(driver)
        driver.switch_to.window(windows[0])
        until(lambda: heading(driver) == "Which strip is coherent?", "the other window does not follow")
        practise(driver)
        press(driver, Keys.ARROW_DOWN)
        until(lambda: "14 answers" in server_says(folder), "the answer of the other person does not arrive")
        assert not errors(driver), errors(driver)
    finally:
        driver.quit()
    out, err = server.stop()
    assert "14 answers of 2 participants\n" in out and not err, (out, err)


def server_says(folder):
    with closing(sqlite3.connect(folder / "study" / "answers.sqlite")) as database:
        return f"{database.execute('SELECT COUNT(*) FROM answers').fetchone()[0]} answers"


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    key = make_study(folder, ["fc2"], 6)
    play_file(folder, key)
    play_served(folder, key)
    for file in [*(folder / "study").glob("answers.sqlite*"), *(folder / "study" / "answers").iterdir()]:
        file.unlink()
    play_two_windows(folder, key)
print("ok: 13 questions from a file, 13 from a server that was killed, 13 in two windows")

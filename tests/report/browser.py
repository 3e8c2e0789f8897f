"""Chromium for tests of pages; ends the test as not run where it is missing."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    # The distribution's Python has the distribution's packages.
    system = "/usr/bin/python3"
    if Path(system).exists() and "DESCRAMBLE_RETRIED" not in os.environ:
        os.execve(system, [system, *sys.argv], {**os.environ, "DESCRAMBLE_RETRIED": "1"})
    print("not run: python3-selenium is missing")
    sys.exit(77)
driver_path = shutil.which("chromedriver")
if not driver_path or not shutil.which("chromium"):
    print("not run: chromium or chromium-driver is missing")
    sys.exit(77)


def browser(width, *more, height=900):
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={width},{height}", *more):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service(driver_path), options=options)
    # A window has a least width, which is more than a telephone's.
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    return driver


def requests(driver):
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def errors(driver):
    return [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def until(condition, what):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(what)

#!/usr/bin/python3
"""Takes a picture of an HTML page: picture_of_page.py PAGE PNG [WIDTH HEIGHT]. Needs chromium-driver and python3-selenium."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "report"))

from browser import browser  # noqa: E402

page, picture = Path(sys.argv[1]).resolve(), sys.argv[2]
width, height = (int(text) for text in (sys.argv[3:5] or ("1000", "900")))
driver = browser(width, height=height)
driver.get(page.as_uri())
driver.save_screenshot(picture)
driver.quit()

"""Headless Chromium for the browser tests: the system's, driven by Playwright, else Playwright's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

LOOKS = [
    ("light", 1280),
    ("dark", 320),
    *(pytest.param(theme, width, marks=pytest.mark.slow) for theme, width in (("dark", 1280), ("light", 390))),
]
"""Both themes and both ends of the widths every day, the others with the slow tests."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATH = os.environ.get("TRUELIFT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root, where Chromium's sandbox does not start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield a browser, or skip the test. Close it soon: while it is open, no other test can run an event loop."""
    with sync_playwright() as playwright:
        path = PATH or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("Chromium is not installed: `apt-get install chromium`, or set TRUELIFT_CHROMIUM to its path.")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()

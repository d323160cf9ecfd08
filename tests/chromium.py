"""Headless Chromium for the browser tests: the system's, driven by Playwright, else Playwright's own."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright


class Look(NamedTuple):
    """A theme, a width, and whether every rule of accessibility is held there or only what theme and width decide."""

    theme: str
    width: int
    whole: bool = True


LOOKS = [
    pytest.param((Look("light", 1280), Look("dark", 320, whole=False)), id="daily"),
    pytest.param((Look("dark", 1280), Look("light", 390), Look("dark", 320)), id="others", marks=pytest.mark.slow),
]
"""Both themes and both ends of the widths every day in one browser, the others with the slow tests."""
FEWER_LOOKS = [
    pytest.param((Look("light", 320),), id="daily"),
    pytest.param(
        (Look("light", 1280), Look("dark", 1280), Look("light", 390), Look("dark", 320)),
        id="others", marks=pytest.mark.slow,
    ),
]  # fmt: skip
"""Of pages that tests/analysis/pages/test_every_look.py looks at as well: the narrowest every day, with every rule."""
DECIDED_BY_LOOK = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATH = os.environ.get("TRUELIFT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
SECONDS = 240
"""How long one browser may be open: less than the time that pytest gives a test."""
ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root, where Chromium's sandbox does not start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def listen(page: Page, wrong: list[str]) -> None:
    """Write down what a page complains of in its console."""
    page.on("console", lambda said: wrong.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))


def faults(page: Page, look: Look) -> list[str]:
    """Return what is not accessible on a page, each with the first element that shows it: sizes of targets too."""
    options: dict[str, object] = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    if not look.whole:
        options["runOnly"] = {"type": "rule", "values": DECIDED_BY_LOOK}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{page.url}: {one['id']} {one['nodes'][0]['html'][:150]}" for one in found]


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield a browser, or skip the test. Close it soon: while it is open, no other test can run an event loop.

    It is killed when its time is over, which fails the call that waits for it.
    """
    with sync_playwright() as playwright:
        path = PATH or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("Chromium is not installed: `apt-get install chromium`, or set TRUELIFT_CHROMIUM to its path.")
        others = set(psutil.Process().children(recursive=True))
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        watch = threading.Timer(SECONDS, _kill, [set(psutil.Process().children(recursive=True)) - others])
        watch.daemon = True
        watch.start()
        try:
            yield browser
        finally:
            watch.cancel()
            browser.close()


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if "chrom" in process.name():
                process.kill()

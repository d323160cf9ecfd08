"""Every page there is, found from the URL conf, as a browser draws it: accessible, within the width, without a word
in the console. Its pictures are kept for people to look at."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from config.paths import REPOSITORY
from tests import chromium
from tests.analysis.pages import kept_site
from tests.analysis.pages.every_page import name_of, told_apart
from tests.chromium import Look

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

PICTURES = Path(os.environ.get("TRUELIFT_SHOTS") or REPOSITORY / ".artefacts" / "pages")
A4 = 688
"""Pixels that a page of paper holds between its margins of 14 mm."""
LOOKS = [Look("light", 1280), Look("dark", 1280, whole=False), Look("light", 390, whole=False), Look("dark", 320)]


@pytest.mark.parametrize("look", [pytest.param(look, id=f"{look.theme}-{look.width}") for look in LOOKS])
def test_pages__all_of_them__are_accessible_and_fit(answers, parts, look: Look, monkeypatch):
    monkeypatch.setattr(chromium, "SECONDS", 1100)
    PICTURES.mkdir(parents=True, exist_ok=True)
    addresses = told_apart(answers)
    assert len(addresses) > 100
    wrong: list[str] = []
    with kept_site.served(answers, parts) as site, chromium.launched() as browser:
        page = browser.new_page(color_scheme=look.theme, viewport={"width": look.width, "height": 900})  # type: ignore[arg-type]
        chromium.listen(page, wrong)
        for address in addresses:
            page.goto(site + address, wait_until="load")
            wrong += seen(page, address, look)
            if look is LOOKS[1] and "results" in address:
                wrong += printed(page, address, look)
    assert wrong == [], "\n".join(wrong)


def seen(page: Page, address: str, look: Look) -> list[str]:
    """Take a page's picture, then open what is folded on it and return what is wrong with it."""
    picture = PICTURES / f"{name_of(address)}-{look.theme}-{look.width}.png"
    page.screenshot(path=picture, full_page=True)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    wrong = [one for one in chromium.faults(page, look) if not address.endswith("/body/") or not one_of_page(one)]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append(f"{address}: is wider than {look.width} px")
    return wrong


def one_of_page(fault: str) -> bool:
    """Say whether a fault is one of whole pages: an e-mail is read inside another's, whose landmarks count."""
    return ": landmark-one-main " in fault or ": region " in fault


def printed(page: Page, address: str, look: Look) -> list[str]:
    """Put a page on A4 paper as a dark window prints it, take its picture, and return what does not fit."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme=look.theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": A4, "height": 900})
    page.screenshot(path=PICTURES / f"{name_of(address)}-print.png", full_page=True)
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bar = page.locator(".bar").first.is_visible()
    page.emulate_media(media="screen", color_scheme=look.theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": look.width, "height": 900})
    return [*([] if fits else [f"{address}: is wider than paper"]), *([f"{address}: prints its menu"] if bar else [])]

"""Every page there is, found from the URL conf, as a browser draws it: accessible, within the width, without a word
in the console. Its pictures are kept for people to look at."""

import mimetypes
import os
from pathlib import Path

import pytest
from django.http import HttpResponse
from playwright.sync_api import Browser, Page, Route

from config.paths import REPOSITORY
from tests import chromium
from tests.analysis.pages import form_walk
from tests.chromium import Look

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

HOST = "http://truelift.localhost"
GUIDE = REPOSITORY / "docs" / "user-guide" / "images"
STATIC = REPOSITORY / "templates" / "static"
PICTURES = Path(os.environ.get("TRUELIFT_SHOTS") or REPOSITORY / ".artefacts" / "pages")
LOOKS = [Look("light", 1280), Look("dark", 1280, whole=False), Look("light", 390, whole=False), Look("dark", 320)]


@pytest.fixture
def answers(client_of_alice, shop, alice, settings) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    settings.WEBHOOK_PRIVATE = True
    return form_walk.all_pages(client_of_alice, form_walk.world(shop, alice))


def opened(browser: Browser, answers: dict[str, HttpResponse], look: Look) -> Page:
    page = browser.new_page(color_scheme=look.theme, viewport={"width": look.width, "height": 900})  # type: ignore[arg-type]

    def answer(route: Route) -> None:
        asked = route.request.url.removeprefix(HOST)
        path = asked.split("?")[0]
        if asked in answers and route.request.is_navigation_request():
            kept = answers[asked]
            route.fulfill(status=kept.status_code, headers=dict(kept.headers), body=kept.content)
        elif path.startswith("/guide/images/"):
            route.fulfill(body=(GUIDE / f"{path.split('/')[3]}.webp").read_bytes(), content_type="image/webp")
        elif path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0])
        else:
            route.fulfill(status=204)  # what a page asks for beside itself

    page.route("**/*", answer)
    return page


@pytest.mark.parametrize("look", [pytest.param(look, id=f"{look.theme}-{look.width}") for look in LOOKS])
def test_pages__all_of_them__are_accessible_and_fit(answers, look: Look, monkeypatch):
    monkeypatch.setattr(chromium, "SECONDS", 1100)
    wrong: list[str] = []
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium.launched() as browser:
        page = opened(browser, answers, look)
        chromium.listen(page, wrong)
        for address in answers:
            page.goto(HOST + address, wait_until="load")
            page.screenshot(path=PICTURES / f"{name_of(address)}-{look.theme}-{look.width}.png", full_page=True)
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            wrong += chromium.faults(page, look)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"{address}: is wider than {look.width} px")
    assert wrong == []


def name_of(address: str) -> str:
    return address.strip("/").replace("/", "-").replace("?", "-")[:120] or "first"

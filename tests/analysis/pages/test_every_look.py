"""Every page there is, found from the URL conf, as a browser draws it: accessible, within the width, without a word
in the console. Its pictures are kept for people to look at."""

import os
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone
from playwright.sync_api import Page

from analysis import sharing
from analysis.models import Digest, Recipient
from analysis.pages.sample_chains import CHAINS
from config.paths import REPOSITORY
from experiments import members
from experiments.domain.access import Role
from experiments.models import Experiment, Project, User
from tests import builders, chromium
from tests.analysis.pages import form_walk, kept_site
from tests.analysis.pages.test_chain import variant
from tests.analysis.pages.test_depth import clicks, keep
from tests.chromium import Look

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

PICTURES = Path(os.environ.get("TRUELIFT_SHOTS") or REPOSITORY / ".artefacts" / "pages")
A4 = 688
"""Pixels that a page of paper holds between its margins of 14 mm."""
LOOKS = [Look("light", 1280), Look("dark", 1280, whole=False), Look("light", 390, whole=False), Look("dark", 320)]


@pytest.fixture
def parts(client_of_alice, answers) -> dict[str, HttpResponse]:
    """Fetch what pages fetch themselves, as they do it."""
    found = kept_site.parts_of(answers.values())
    return {address: client_of_alice.get(address, headers={"HX-Request": "true"}) for address in sorted(found)}


@pytest.fixture
def answers(client_of_alice, shop, alice, settings) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    settings.WEBHOOK_PRIVATE = True
    made = form_walk.world(shop, alice)
    more = _in_depth(shop)
    empty = builders.project("empty", owner=alice)
    bare = form_walk.World(shop=empty, alice=alice, bob=made.bob, numbers={}, words={})
    return {
        **form_walk.all_pages(client_of_alice, made),
        **form_walk.all_pages(client_of_alice, bare),
        **{address: client_of_alice.get(address) for address in more},
        **{address: Client().get(address) for address in _without_an_account(shop, alice)},
    }


def _in_depth(shop: Project) -> list[str]:
    """Give results a way from the model to the business; return what stands under more than one part of an address."""
    running = Experiment.objects.get(project=shop, key="running")
    models = [variant("control", 0.4), variant("treatment", 0.42)]
    metrics = [clicks(), *builders.shop_metrics()[1:]]
    builders.snapshot(running, builders.results(running, variants=models, chains=CHAINS, metrics=metrics))
    keep(running)
    broken = Experiment.objects.get(project=shop, key="paused")
    builders.snapshot(broken, builders.broken_results(broken))
    return [
        reverse("metric_in_depth", args=[shop.slug, "running", "click-through-rate"]),
        *(reverse("experiment_set_up", args=[shop.slug, "draft", step]) for step in ("who", "what", "how")),
        *(reverse("experiment_list", args=[shop.slug]) + f"?view={view}" for view in ("board", "timeline")),
    ]


def _without_an_account(shop: Project, alice: User) -> list[str]:
    running = Experiment.objects.get(project=shop, key="running")
    shared = sharing.share(running, alice, "The board", 7, timezone.now(), snapshot=None)[1]
    invited = members.invite(shop, "dora@example.com", Role.VIEWER, alice)
    return [
        reverse("sign_in"),
        reverse("shared_results", args=[shared]),
        reverse("join", args=[members.token_of(invited)]),
        reverse("unsubscribe", args=[Digest.objects.get(project=shop).token]),
        reverse("preferences", args=[Recipient.objects.get(project=shop, email=alice.email).token]),
    ]


def told_apart(answers: dict[str, HttpResponse]) -> list[str]:
    """Return one address for each way that a page can be drawn."""
    found: dict[object, str] = {}
    for address, page in answers.items():
        if page.status_code == 200 and kept_site.is_whole(page):
            found.setdefault((resolve(address.split("?")[0]).url_name, kept_site.drawn_with(page)), address)
    return list(found.values())


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


def name_of(address: str) -> str:
    """Return a picture's name: the same in every run, also where a token stands in the address."""
    match = resolve(address.split("?")[0])
    if "token" in match.kwargs:
        return str(match.url_name)
    return address.strip("/").replace("/", "-").replace("?", "-")[:120]

"""The pages as a browser draws them: both themes, wide and narrow, under the policy that the server sends."""

import mimetypes

import pytest
from django.http import HttpResponse
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route

from analysis.pages.sample_chains import CHAINS
from config.paths import REPOSITORY
from experiments.domain.lifecycle import Status
from tests import builders, chromium
from tests.analysis.pages.test_chain import variant
from tests.analysis.pages.test_depth import clicks, keep

pytestmark = pytest.mark.browser

GUIDE = REPOSITORY / "docs" / "user-guide" / "images"
STATIC = REPOSITORY / "templates" / "static"
HOST = "http://truelift.localhost"
STEADY = 0.1
"""The most that a page may jump while it opens; above it people notice (web.dev, Cumulative Layout Shift)."""
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def answers(client_of_alice, shop, purchase) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    ranker = builders.experiment(shop, primary=purchase)
    models = [variant("control", 0.4), variant("treatment", 0.42)]
    metrics = [clicks(), *builders.shop_metrics()[1:]]
    builders.snapshot(ranker, builders.results(ranker, variants=models, chains=CHAINS, metrics=metrics))
    keep(ranker)
    broken = builders.experiment(shop, "broken", primary=purchase)
    builders.snapshot(broken, builders.broken_results(broken))
    builders.experiment(shop, "draft", status=Status.DRAFT, primary=purchase)
    builders.experiment(shop, "waiting", primary=purchase)
    project = [reverse(name, args=["shop"]) for name in ("project_home", "experiment_new", "metric_new", "key_list")]
    results = [reverse("experiment_results", args=["shop", key]) for key in ("new-ranker", "broken", "waiting")]
    results.append(reverse("metric_in_depth", args=["shop", "new-ranker", "click-through-rate"]))
    lists = [
        reverse("experiment_list", args=["shop"]) + query for query in ("?sort=name", "?view=board", "?view=timeline")
    ]
    paths = [
        *project,
        *results,
        *lists,
        reverse("glossary"),
        reverse("guide_chapter", args=["reading-results"]),
        reverse("experiment_detail", args=["shop", "draft"]),
        reverse("styleguide"),
    ]
    return {path: client_of_alice.get(path) for path in paths}


def opened(browser: Browser, answers: dict[str, HttpResponse], theme: str, width: int) -> Page:
    page = browser.new_page(color_scheme=theme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]

    def answer(route: Route) -> None:
        asked = route.request.url.removeprefix(HOST)
        path = asked if asked in answers else asked.split("?")[0]
        if path in answers:
            kept = answers[path]
            route.fulfill(status=kept.status_code, headers=dict(kept.headers), body=kept.content)
        elif path.startswith("/guide/images/"):
            route.fulfill(body=(GUIDE / f"{path.split('/')[3]}.webp").read_bytes(), content_type="image/webp")
        elif path.startswith("/p/"):
            route.fulfill(status=204)  # what a page asks for beside itself
        else:
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0])

    page.route("**/*", answer)
    page.add_init_script(WATCH_SHIFTS)
    return page


@pytest.mark.parametrize("looks", chromium.LOOKS)
def test_pages__in_every_look__are_accessible_fit_and_obey_the_policy(answers, looks: tuple[chromium.Look, ...]):
    wrong: list[str] = []
    with chromium.launched() as browser:
        for look in looks:
            page = opened(browser, answers, look.theme, look.width)
            chromium.listen(page, wrong)
            for path in answers:
                page.goto(HOST + path, wait_until="load")
                wrong += chromium.faults(page, look)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{path}: is wider than {look.width} px")
                if (shifted := page.evaluate("window.shifted")) > STEADY:
                    wrong.append(f"{path}: jumps by {shifted:.2f}")
            page.close()
    assert wrong == []


def test_results__charts__are_drawn_and_follow_the_theme(answers):
    with chromium.launched() as browser:
        page = opened(browser, answers, "light", 1280)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(HOST + reverse("experiment_results", args=["shop", "new-ranker"]))
        bar = page.locator(".bars path").first
        light = bar.evaluate("bar => getComputedStyle(bar).fill")
        page.get_by_role("button", name="Switch to the dark theme").click()
        dark = page.locator(".bars path").first.evaluate("bar => getComputedStyle(bar).fill")
        page.locator("#effect .nsewdrag").hover()
        page.locator("#effect .hoverlayer text").first.wait_for(timeout=5000)
        assert (light, dark) == ("rgb(122, 133, 147)", "rgb(138, 149, 163)")
        assert page.locator(".js-plotly-plot").count() == 2
    assert complaints == []

"""The pages of evidence as a browser draws them: both themes, wide and narrow, accessible, under the strict policy."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.urls import reverse

from analysis.past import keeping
from analysis.programme import holdbacks, interactions
from experiments import north_star as choosing
from experiments.models import Experiment, Metric
from tests import builders, chromium
from tests.analysis.pages.test_looks import HOST, opened
from tests.analysis.programme import samples, test_holdbacks, test_interactions, test_north_star, test_past
from tests.builders import T0

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
SHOTS = os.environ.get("TRUELIFT_SHOTS", "")
"""A directory to keep pictures in, for people who want to look."""


TORN = r"""Array.from(document.querySelectorAll('.proxies tbody th a')).filter(one => {
  const range = document.createRange();
  range.selectNodeContents(one);
  const lines = new Set(Array.from(range.getClientRects(), box => Math.round(box.top))).size;
  return lines > one.textContent.trim().split(/[\s-]+/).length;
}).map(one => one.textContent)"""


@pytest.fixture
def answers(client_of_alice, alice, shop, tmp_path) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    samples.metrics(shop, "sign-ups", "returns")
    samples.programme(shop, 90, others=["sign-ups"], family=True, signal=2.0, seed=4)
    samples.programme(shop, 12, others=["sign-ups", "returns"], seed=5)
    empty = builders.project("empty", owner=alice)
    told = launches(alice), pairs(alice), holdback(alice), *brought_in(alice, tmp_path)
    paths = [reverse("evidence", args=["shop"]), reverse("evidence", args=[empty.slug]), *told]
    return {path: client_of_alice.get(path) for path in paths}


def launches(alice) -> str:
    """A quarter with ten launches and a holdout, in a project of its own."""
    home = builders.project("launches", owner=alice)
    samples.metrics(home)
    choosing.choose(home, Metric.objects.get(project=home, key=samples.BUSINESS), alice, "we live on it")
    test_north_star.winners(home, 10)
    test_north_star.a_holdout(home, 0.03, 0.01)
    return reverse("evidence_north_star", args=[home.slug]) + "?quarter=2026-Q1"


def pairs(alice) -> str:
    """Two experiments that undo each other, and one that cannot be told."""
    home = builders.project("pairs", owner=alice)
    test_interactions.pair(home, first=0.15, second=0.15, both=-0.3)
    builders.experiment(home, "third")
    interactions.scan(home, test_interactions.NOW)
    Experiment.objects.filter(project=home).update(started_at=test_interactions.NOW)
    return reverse("evidence_interactions", args=[home.slug])


def holdback(alice) -> str:
    """A launch whose lift is gone after six weeks."""
    home = builders.project("holdback", owner=alice)
    _, held, orders = test_holdbacks.launched(home)
    test_holdbacks.live(held, orders, 16, lambda week: 0.35 if week < 6 else 0.0, units=600)
    holdbacks.watch(home, T0 + timedelta(days=120))
    return reverse("evidence_holdbacks", args=[home.slug])


def brought_in(alice, directory: Path) -> list[str]:
    """Past experiments from another tool, what they say, and an import that was just removed."""
    home = builders.project("past", owner=alice)
    samples.metrics(home)
    file = directory / "archive-2025.csv"
    file.write_text(test_past.archive(80, 0.6) + "\nold-1,bounces,.1,.1,2025-01-15,ranker")
    test_past.bring(home, file, source="Our former platform, exported in November 2026")
    gone = test_past.bring(home, file, name="By mistake")
    keeping.remove(gone, alice)
    address = reverse("evidence_past", args=[home.slug])
    return [reverse("evidence", args=[home.slug]), f"{address}?removed={gone.pk}"]


@pytest.mark.parametrize("looks", chromium.FEWER_LOOKS)
def test_pages__in_every_look__are_accessible_fit_and_obey_the_policy(answers, looks: tuple[chromium.Look, ...]):
    wrong: list[str] = []
    with chromium.launched() as browser:
        for look in looks:
            page = opened(browser, answers, look.theme, look.width)
            chromium.listen(page, wrong)
            for path in answers:
                page.goto(HOST + path, wait_until="load")
                if SHOTS:
                    name = path.split("?")[0].strip("/").replace("/", "-")
                    page.screenshot(path=Path(SHOTS) / f"{name}-{look.theme}-{look.width}.png", full_page=True)
                page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
                wrong += chromium.faults(page, look)
                torn = page.evaluate(TORN)
                wrong += [f"{path}: {name!r} breaks inside a word" for name in torn]
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{path}: is wider than {look.width} px")
            page.close()
    assert wrong == []


def test_chart__a_click_on_a_point__opens_its_experiment(answers):
    with chromium.launched() as browser:
        page = opened(browser, answers, "light", 1280)
        page.goto(HOST + reverse("evidence", args=["shop"]), wait_until="load")
        page.locator("#detail .js-plotly-plot .points path.point").first.wait_for(timeout=10_000)
        point = page.locator("#detail .points path.point").first
        point.scroll_into_view_if_needed()
        box = point.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.locator("#detail .hoverlayer text").first.wait_for(timeout=5000)
        said = page.locator("#detail .hoverlayer").text_content() or ""
        with page.expect_request(lambda request: "/results/" in request.url):
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "Idea" in said

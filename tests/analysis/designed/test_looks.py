"""The pages of the kinds beside the A/B test as a browser draws them: accessible, fitting, obeying the policy."""

from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.urls import reverse

from analysis.bandits import result as bandits
from analysis.interleaving import result as interleaving
from analysis.offpolicy.giving import give
from analysis.switchback import result as switchback
from tests import builders, chromium
from tests.analysis.bandits.test_moving import finished
from tests.analysis.interleaving.test_result import choose, people, show
from tests.analysis.interleaving.test_result import interleaving as an_interleaving
from tests.analysis.offpolicy.files import toy, write
from tests.analysis.offpolicy.test_result import evaluation
from tests.analysis.pages.test_looks import HOST, opened
from tests.analysis.switchback.test_result import END, market
from tests.analysis.switchback.test_result import switchback as a_switchback
from tests.builders import T0
from tests.e2e.conftest import ARTEFACTS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEYS = ("would-it", "rankers", "banner", "surge")


@pytest.fixture
def answers(client_of_alice, shop, tmp_path) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    valued(shop, tmp_path)
    preferred(shop)
    keep(finished(shop), bandits.read, T0 + timedelta(days=6))
    turns = a_switchback(shop)
    market(shop, turns, gain=3)
    keep(turns, switchback.read, END)
    paths = [
        reverse("experiment_kinds", args=["shop"]),
        *(reverse("design_new", args=["shop", slug]) for slug in ("bandit", "switchback")),
        *(reverse("experiment_results", args=["shop", key]) for key in KEYS),
        *(reverse("experiment_detail", args=["shop", key]) for key in ("would-it", "banner")),
        reverse("experiment_results", args=["shop", "hopeless"]),
    ]
    return {path: client_of_alice.get(path) for path in paths}


def keep(tested, read, as_of) -> None:
    found = read(tested, as_of)
    assert found is not None
    builders.snapshot(tested, found)


def valued(shop, tmp_path) -> None:
    tested = evaluation(shop, "file")
    give(tested, write(tmp_path / "log.csv", toy()), "decisions.csv", None)
    rows = [[*row[:6], 0.5 if i < 30 else 0] for i, row in enumerate(toy())]
    hopeless = builders.experiment(shop, "hopeless", kind=tested.kind, design=tested.design,
                                   primary=tested.plan.get().metric)  # fmt: skip
    hopeless.variants.filter(position=1).update(key="new-model", name="New model")
    give(hopeless, write(tmp_path / "hopeless.csv", rows), "decisions.csv", None)


def preferred(shop) -> None:
    people(shop, 60, 20, 20)
    for number in range(120):
        at = T0 + timedelta(days=1 + number // 40)
        show(shop, f"next{number}", f"n{number}", at=at, first=["treatment", "control"][number % 2])
        if number % 3:
            choose(shop, f"next{number}", "a", at=at)
    keep(an_interleaving(shop), interleaving.read, T0 + timedelta(days=9))


@pytest.mark.parametrize("looks", chromium.LOOKS)
def test_pages__in_every_look__are_accessible_fit_and_obey_the_policy(answers, looks: tuple[chromium.Look, ...]):
    wrong: list[str] = []
    ARTEFACTS.mkdir(exist_ok=True)
    with chromium.launched() as browser:
        for look in looks:
            page = opened(browser, answers, look.theme, look.width)
            page.set_default_timeout(90_000)
            chromium.listen(page, wrong)
            for path in answers:
                page.goto(HOST + path, wait_until="load")
                wrong += chromium.faults(page, look)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{path}: is wider than {look.width} px")
                name = path.strip("/").replace("p/shop/", "").replace("/", "-")
                page.screenshot(path=ARTEFACTS / f"kinds-{name}-{look.theme}-{look.width}.png", full_page=True)
            page.close()
    assert wrong == []

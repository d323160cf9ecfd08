"""The set-up pages as a browser draws them: both themes, wide and narrow, accessible, under the strict policy."""

import os
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.urls import reverse
from playwright.sync_api import Page

from experiments import holdouts, layers, overrides, prerequisites, rules, segments
from experiments.domain.kinds import RuleKind, SegmentKind
from experiments.domain.lifecycle import Status
from tests import builders, chromium
from tests.analysis.pages.test_looks import HOST, opened

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("TRUELIFT_SHOTS", "")
"""A directory to keep pictures in, for people who want to look."""

LEAVE = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
"""What the browser asks the page before it is left: false where the page wants people to be asked."""
SENTENCE = "/p/shop/targeting/"
"""A piece that pages ask for, and no page."""


@pytest.fixture
def answers(client_of_alice, alice, shop, purchase) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    _fill(alice, shop, purchase)
    flag = builders.flag(shop, on=("staging", "production"), description="The checkout in one step")
    pro = rules.RulePlan(kind=RuleKind.FORCE, value=True, name="Our staff first", targeting={"$segment": "staff"})
    rule = rules.add_rule(flag, alice, pro)
    some = rules.RulePlan(kind=RuleKind.ROLLOUT, value=True, share=1000, targeting={"country": {"$in": ["DE", "AT"]}})
    rules.add_rule(flag, alice, some)
    prerequisites.set_prerequisites(flag, alice, {"base": True})
    pages = ["flag_list", "flag_new", "layer_list", "segment_list", "segment_new", "holdout", "key_list"]
    paths = [
        *(reverse(name, args=["shop"]) for name in pages),
        reverse("segment_edit", args=["shop", "staff"]),
        *(reverse(name, args=["shop", flag.key]) for name in ("flag_detail", "flag_edit", "flag_rule_new")),
        *(reverse(name, args=["shop", flag.key, rule.pk]) for name in ("flag_rule_edit", "flag_rule_delete")),
        *(reverse("experiment_detail", args=["shop", key]) for key in ("new-ranker", "draft")),
        *(reverse("experiment_audience", args=["shop", key]) for key in ("new-ranker", "draft")),
        *(reverse(f"experiment_{step}", args=["shop", "new-ranker"]) for step in ("pause", "ship", "grow", "phase")),
        "/p/shop/simulator/?unit=user-1&name=country&value=DE",
        "/p/shop/simulator/new-ranker/",
    ]
    found = {path.split("?")[0]: client_of_alice.get(path) for path in paths}
    refused = client_of_alice.post(reverse("flag_rule_new", args=["shop", flag.key]), {"kind": "rollout"})
    sentence = client_of_alice.post(SENTENCE, {"targeting-TOTAL_FORMS": "0", "targeting-INITIAL_FORMS": "0"})
    return {**found, "/refused/": refused, SENTENCE: sentence}


def _fill(alice, shop, purchase) -> None:
    staff = segments.SegmentPlan(
        key="staff", name="Our staff", kind=SegmentKind.LIST, unit_attribute="id", values=("u1", "u2")
    )
    segments.create_segment(shop, alice, staff)
    builders.flag(shop, "base")
    home = layers.create_layer(shop, alice, "home", "Home page", description="Above the fold")
    draft = builders.experiment(shop, "draft", status=Status.DRAFT, primary=purchase)
    layers.join(draft, home, 2500, alice)
    layers.join(builders.experiment(shop, "other", status=Status.DRAFT, primary=purchase), home, 4000, alice)
    holdouts.start(shop, alice, 500, [purchase])
    ranker = builders.experiment(
        shop, primary=purchase, allocation=5000, targeting={"$or": [{"country": "DE"}, {"$segment": "staff"}]}
    )
    overrides.add(ranker, "user-7", ranker.variants.get(key="treatment"), alice, "Ann's phone")


@pytest.mark.parametrize("looks", chromium.FEWER_LOOKS)
def test_pages__in_every_look__are_accessible_fit_and_obey_the_policy(answers, looks: tuple[chromium.Look, ...]):
    wrong: list[str] = []
    with chromium.launched() as browser:
        for look in looks:
            page = opened(browser, answers, look.theme, look.width)
            chromium.listen(page, wrong)
            for path in set(answers) - {SENTENCE}:
                page.goto(HOST + path, wait_until="load")
                page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
                wrong += chromium.faults(page, look)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{path}: is wider than {look.width} px")
                keep(page, path, look.theme, look.width)
            page.close()
    assert [line for line in wrong if "status of 400" not in line] == []


def keep(page: Page, path: str, theme: str, width: int) -> None:
    if SHOTS:
        name = path.strip("/").replace("/", "-")
        page.screenshot(path=Path(SHOTS) / f"{name}-{theme}-{width}.png", full_page=True)


def test_rule_builder__by_keyboard__adds_a_row_hides_what_is_not_needed_and_asks_before_it_is_left(answers):
    with chromium.launched() as browser:
        page = opened(browser, answers, "light", 1280)
        page.goto(HOST + reverse("flag_rule_new", args=["shop", "new-checkout"]))
        page.wait_for_function("document.querySelector('form[data-guard]').dataset.first")
        may_leave_untouched = page.evaluate(LEAVE)
        page.get_by_role("button", name="Add a row").press("Enter")
        visible = page.locator("[data-row]:visible")
        assert visible.count() == 2
        focused = page.evaluate("document.activeElement.name")
        visible.nth(0).locator("[name$=-op]").select_option("in_segment")
        disabled = visible.nth(0).locator("[name$=-attribute]").is_disabled()
        page.get_by_label("A value for a share").check()
        share = page.get_by_label("To this share of them, %").is_visible()
        may_leave_changed = page.evaluate(LEAVE)
    assert focused == "targeting-1-attribute"
    assert disabled
    assert share
    assert (may_leave_untouched, may_leave_changed) == (True, False)

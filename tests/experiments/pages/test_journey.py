"""A product manager's way through flags, targeting, the simulator and shipping, in a browser against a live server."""

import pytest
from playwright.sync_api import Page, expect

from experiments.models import Experiment, Flag
from tests import builders, chromium
from tests.experiments.conftest import signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def session(transactional_db) -> str:
    alice = builders.user("alice@example.com")
    shop = builders.project("shop", owner=alice)
    purchase = builders.metric(shop)
    builders.experiment(shop, status=builders.Status.DRAFT, primary=purchase, allocation=5000)
    return signed_in(alice).cookies["sessionid"].value


def test_journey__flag_targeting_simulator_ship(session, live_server):
    wrong: list[str] = []
    with chromium.launched() as browser:
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        expect.set_options(timeout=20_000)
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        make_flag(page)
        add_rule(page)
        simulate(page)
        target(page)
        ship(page)
        context.close()
    assert [text for text in wrong if "Failed to load resource" not in text] == []
    assert Flag.objects.get().rules.get().targeting == {"country": "DE"}
    shipped = Experiment.objects.get(key="new-ranker")
    assert (shipped.shipped_variant.key, shipped.holdback_share) == ("treatment", 300)
    assert Experiment.objects.filter(kind="holdback").count() == 1


def make_flag(page: Page) -> None:
    page.goto("/p/shop/flags/")
    page.get_by_role("link", name="Make the first flag").click()
    page.get_by_label("Name").fill("New checkout")
    expect(page.locator("#id_key")).to_have_value("new-checkout")
    page.get_by_role("button", name="Make flag").dblclick()
    page.get_by_role("button", name="Switch on in production").click()
    expect(page.get_by_role("status").first).to_contain_text("New checkout is on in production")


def add_rule(page: Page) -> None:
    page.get_by_role("link", name="Add a rule").click()
    page.wait_for_load_state()  # what is typed before the page's script listens is not heard
    page.get_by_label("Attribute").first.fill("country")
    page.locator("#id_targeting-0-value").press_sequentially("DE")
    expect(page.locator("#targeting-words")).to_have_text("Only if country is DE")
    page.locator("#id_value").select_option("true")
    page.get_by_role("button", name="Add rule").click()
    expect(page.locator("#rules")).to_contain_text("Only if country is DE")


def simulate(page: Page) -> None:
    page.get_by_role("link", name="Try it").click()
    page.get_by_label("Unit").fill("user-1")
    page.get_by_label("Attribute 1").fill("country")
    page.get_by_label("Value 1").fill("DE")
    page.get_by_role("button", name="Show who gets what").click()
    expect(page.get_by_role("row", name="New checkout")).to_contain_text("A rule of the flag reaches this unit")


def target(page: Page) -> None:
    page.goto("/p/shop/experiments/new-ranker/")
    page.get_by_role("link", name="Change", exact=True).click()
    page.wait_for_load_state()
    page.get_by_label("Attribute").first.fill("plan")
    page.locator("#id_targeting-0-value").fill("pro")
    page.get_by_role("button", name="Add a row").click()
    page.locator("#id_targeting-1-joiner").select_option("or")
    page.locator("#id_targeting-1-op").select_option("known")
    page.locator("#id_targeting-1-attribute").fill("trial")
    expect(page.locator("#targeting-words")).to_have_text("Only if plan is pro; or if trial is known")
    page.get_by_role("button", name="Save and close").click()
    expect(page.get_by_text("Only if plan is pro; or if trial is known.")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status").first).to_contain_text("is running")


def ship(page: Page) -> None:
    page.get_by_role("link", name="Ship a variant").click()
    page.wait_for_load_state()
    page.get_by_label("Hold back, %").fill("3")
    page.get_by_label("Why?").click()
    expect(page.locator("#consequences")).to_contain_text("except those held back (3 % of all)")
    page.get_by_label("Why?").fill("It won")
    page.get_by_role("button", name="Ship it").dblclick()
    expect(page.locator("dl.facts")).to_contain_text("Treatment, 3 % held back")

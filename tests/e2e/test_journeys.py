"""What a product manager does with the demo's findings, from the page that says so to the decision that follows."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from config.demo.credentials import DEMO_EMAIL, DEMO_PASSWORD
from config.stack.running import RunningStack
from tests.e2e import by_keyboard, in_two_tabs
from tests.e2e.conftest import LOOKS

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

HOME = "/p/demo-shop/"


@pytest.fixture
def visitor(demo: RunningStack, browser: Browser):
    """Somebody in a browser of their own; what it complains of fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def comes() -> Page:
        contexts.append(browser.new_context(base_url=demo.base_url, **LOOKS["light"]))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page

    yield comes
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(visitor: Callable[[], Page]):
    """A manager who has just signed in."""
    page = visitor()
    page.goto("/sign-in/")
    page.get_by_label("E-mail address").fill(DEMO_EMAIL)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="What needs")).to_be_visible()
    return page


def results(page: Page, name: str) -> None:
    page.goto(f"{HOME}experiments/{name}/results/")


def conclude(page: Page, name: str, decision: str, why: str, *, against: bool = False) -> None:
    page.goto(f"{HOME}experiments/{name}/")
    page.get_by_role("link", name="Conclude").click()
    if against:
        expect(page.locator("section.verdict")).to_contain_text("contradicts it")
    page.get_by_label(decision).first.check()
    page.get_by_label("Why?").fill(why)
    page.get_by_label("What was learned?").fill(why)
    page.get_by_role("button", name="Conclude").click()


def test_broken_split__is_named_first_keeps_its_numbers_back_and_leads_to_a_cause(page):
    page.get_by_role("link", name="Basket recommendations from embeddings").first.click()
    page.goto(f"{HOME}experiments/basket-recommender-v3/results/")
    verdict = page.locator("section.verdict")
    expect(verdict).to_contain_text("The split is broken")
    expect(verdict).to_contain_text("Next:")
    expect(verdict.locator(".failed")).to_contain_text("Traffic split")
    expect(verdict).to_be_in_viewport()
    expect(page.get_by_role("row", name="Click-through")).to_contain_text("Withheld")
    page.goto(f"{HOME}experiments/basket-recommender-v3/")
    expect(page.get_by_text("Wrap up").first).to_be_visible()


def test_clicks_without_revenue__the_chain_names_the_broken_link_and_what_to_look_at(page):
    results(page, "search-ranker-v8-clicks")
    chain = page.locator("section.way").first
    expect(chain.get_by_role("heading", name="Stopped at clicks")).to_be_in_viewport()
    expect(chain.locator(".stations li")).to_have_count(3)
    expect(chain).to_contain_text("What to look at")
    chain.locator("summary", has_text="Where the change comes from").click()
    expect(chain.get_by_role("table")).to_contain_text("Orders per click")
    conclude(page, "search-ranker-v8-clicks", "Roll back", "Clicks rose, and nobody bought more.")
    expect(page.get_by_role("status").first).to_contain_text("oncluded")
    page.goto(f"{HOME}library/?q=nobody+bought")
    expect(page.get_by_role("article")).to_contain_text("Search ranking tuned for clicks")


def test_guardrail_crossed__says_by_how_much_and_deciding_against_it_is_said_and_written_down(page):
    results(page, "search-ranker-v9-transformer")
    expect(page.locator("section.verdict")).to_contain_text("beyond its limit")
    expect(page.get_by_role("row", name="Page latency")).to_contain_text("limit +5")
    conclude(page, "search-ranker-v9-transformer", "Ship: everyone", "Half a second does not matter.", against=True)
    page.goto(f"{HOME}experiments/search-ranker-v9-transformer/")
    expect(page.get_by_text("Against the rule").first).to_be_visible()


def test_ship_with_a_holdback__the_app_gets_the_variant_and_a_few_keep_the_old(page, demo):
    results(page, "search-ranker-v8")
    expect(page.locator("section.verdict")).to_contain_text("Ship")
    page.goto(f"{HOME}experiments/search-ranker-v8/")
    page.get_by_role("link", name="Ship a variant").click()
    page.get_by_label("Hold back, %").fill("5")
    page.get_by_label("Why?").fill("More revenue, as planned")
    page.get_by_role("button", name="Ship it").click()
    expect(page.locator("dl.facts")).to_contain_text("5 % held back")
    key = (demo.home / "demo-api-key").read_text().strip()
    with httpx.Client(base_url=demo.base_url, headers={"Authorization": f"Bearer {key}"}) as app:
        got = [
            app.post(
                "/ofrep/v1/evaluate/flags/search-ranker-v8", json={"context": {"targetingKey": f"later-{number}"}}
            ).json()["variant"]
            for number in range(600)
        ]
    kept = got.count("control")
    assert 10 <= kept <= 55, f"{kept} of 600 keep the old ranker; 30 are expected"


def invite(page: Page, colleague: Page) -> None:
    """Have a colleague join who may decide too, by the link that the page shows."""
    page.goto(f"{HOME}members/")
    page.get_by_label("E-mail address").fill("cleo@example.com")
    page.get_by_label("Editor: ").check()
    page.get_by_role("button", name="Invite").click()
    colleague.goto(urlsplit(page.locator("pre[id^=invite]").inner_text()).path)
    colleague.get_by_label("Name").fill("Cleo")
    colleague.get_by_label("Password").fill("a long walk by the sea")
    colleague.get_by_role("button", name="Join").click()
    expect(colleague.get_by_role("heading", name="What needs")).to_be_visible()


def test_against_the_rule_with_a_colleague__is_decided_by_nobody_until_the_second_person_agrees(page, visitor):
    name, colleague = "basket-recommender-v3", visitor()
    invite(page, colleague)
    expect(colleague.get_by_text("Waiting for your review")).to_have_count(0)
    conclude(page, name, "Ship: everyone", "The shops cannot wait for another month.", against=True)
    expect(page.get_by_role("status").first).to_contain_text("a second person has to agree: Cleo")
    expect(page.get_by_text("Somebody else who may edit has to agree.")).to_be_visible()
    expect(page.get_by_role("link", name="Conclude")).to_have_count(0)
    colleague.goto(HOME)
    waiting = colleague.get_by_role("region", name="Waiting for your review")
    expect(waiting).to_contain_text("wants to ship; the rule says: not trustworthy")
    waiting.get_by_role("link", name="Agree or disagree").click()
    colleague.get_by_label("Your words").fill("The shops know the risk.")
    colleague.get_by_role("button", name="Agree", exact=True).click()
    expect(colleague.get_by_role("region", name="Decisions")).to_contain_text("Cleo agreed: “The shops know the risk.”")
    colleague.goto(HOME)
    expect(colleague.get_by_text("Waiting for your review")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("It was decided: ship.")).to_be_visible()


def test_without_a_pointer__an_experiment_is_set_up_started_read_and_concluded(visitor):
    page = visitor()
    hand = by_keyboard.Keyboard(page)
    page.goto("/sign-in/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    hand.write("E-mail address", DEMO_EMAIL)
    hand.write("Password", DEMO_PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What needs")).to_be_visible()
    by_keyboard.single_keys(hand, f"{HOME}experiments/")
    by_keyboard.a_list_of_choices(hand, f"{HOME}notifications/deliveries/")
    page.goto(HOME)
    by_keyboard.an_experiment(hand)
    results(page, "search-ranker-v8")
    by_keyboard.a_result(hand, "Revenue per shopper")
    by_keyboard.an_end(hand, f"{HOME}experiments/by-keyboard/")


def a_draft(page: Page, name: str) -> str:
    """Make a draft; return its address."""
    page.goto(f"{HOME}experiments/new/")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create draft and close").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    address = urlsplit(page.url).path
    page.goto(f"{address}set-up/how/")
    page.get_by_label("Primary metric").select_option(label="Revenue per shopper")
    page.get_by_role("button", name="Save and close").click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    return address


FORMS = {
    "why": ("Hypothesis", "Typed with care, elsewhere.", "Typed with care, here."),
    "who": ("Share of traffic", "40", "60"),
    "what": ("Address of a page", "https://shop.example/there", "https://shop.example/here"),
    "how": ("Planned days", "9", "11"),
}
"""A field of each step of the set-up, and what two tabs write into it."""


def test_set_up__each_step_in_an_old_tab_and_after_the_session__loses_nothing(page):
    address = a_draft(page, "Set up in two tabs")
    for step, (label, elsewhere, here) in FORMS.items():
        at = f"{address}set-up/{step}/"
        in_two_tabs.nothing_is_lost(page, at, label, "Save and close", elsewhere=elsewhere, here=here)
        expect(page.get_by_role("heading", level=1, name="Set up in two tabs")).to_be_visible()


def test_metric__by_two_clicks_in_an_old_tab_and_after_the_session__is_one_and_loses_nothing(page):
    page.goto(f"{HOME}metrics/new/")
    page.get_by_label("Name").first.fill("Typed in two tabs")
    page.get_by_label("Share of units that send the event at all").check()
    page.get_by_label("Event", exact=True).first.fill("Order Completed")
    page.get_by_role("button", name="Add metric").dblclick()
    expect(page).not_to_have_url(re.compile("/new/$"))
    page.goto(f"{HOME}metrics/")
    expect(page.get_by_role("link", name="Typed in two tabs")).to_have_count(1)
    page.get_by_role("link", name="Typed in two tabs").click()
    in_two_tabs.nothing_is_lost(
        page, f"{urlsplit(page.url).path}edit/", "Description", "Save", elsewhere="Typed there.", here="Typed here."
    )
    expect(page.locator("main")).to_contain_text("Typed here.")


def test_settings__a_segment_by_two_clicks_in_an_old_tab_and_after_the_session__is_one_and_loses_nothing(page):
    page.goto(f"{HOME}segments/new/")
    page.get_by_label("Name").first.fill("Ours")
    page.get_by_label("Key").first.fill("ours")
    page.get_by_label("Values", exact=True).fill("shopper-1")
    page.get_by_role("button", name="Make segment").dblclick()
    expect(page).not_to_have_url(re.compile("/new/$"))
    page.goto(f"{HOME}segments/")
    expect(page.get_by_role("link", name="Ours", exact=True)).to_have_count(1)
    at = f"{HOME}segments/ours/"
    in_two_tabs.nothing_is_lost(page, at, "Description", "Save", elsewhere="Typed there.", here="Typed here.")


def test_digests__an_address_typed_after_the_session_and_a_removal_in_an_old_tab__lose_nothing_and_end_once(page):
    at = f"{HOME}experiments/search-ranker-v8-clicks/digests/"
    page.goto(at)
    page.get_by_label("E-mail").first.fill("later@example.com")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Add recipient").click()
    in_two_tabs.sign_in_again(page)
    expect(page.get_by_label("E-mail").first).to_have_value("later@example.com")
    page.get_by_role("button", name="Add recipient").dblclick()
    expect(page.get_by_role("row", name="later@example.com")).to_have_count(1)
    older = page.context.new_page()
    older.goto(at)
    for tab in (page, older):
        tab.get_by_role("button", name="Remove later@example.com").click()
        expect(tab.get_by_role("heading", name="Recipients")).to_be_visible()
        expect(tab.get_by_role("row", name="later@example.com")).to_have_count(0)


def test_ship__by_two_clicks_and_again_in_an_older_tab__is_done_once_and_says_who_did_it(page):
    address = a_draft(page, "Shipped twice")
    page.goto(address)
    page.get_by_role("button", name="Start", exact=True).click()
    older = in_two_tabs.done_once(page, f"{address}ship/", "Ship it", {"Why?": "It won."})
    expect(page.locator("dl.facts")).to_contain_text("5 % held back")
    older.get_by_label("Why?").fill("It pays.")
    older.get_by_label("Hold back, %").fill("10")
    older.get_by_role("button", name="Ship it").click()
    expect(older.locator("main")).to_contain_text("shipped a variant (“It won.”)")
    expect(older.locator("main")).to_contain_text("“It pays.”")
    expect(older.locator("dl.facts")).to_contain_text("5 % held back")


def test_life__each_step_by_two_clicks_and_again_in_an_older_tab__is_taken_once_and_says_who_took_it(page):
    address = a_draft(page, "Ended twice")
    older = page.context.new_page()
    older.goto(address)
    page.goto(address)
    page.get_by_role("button", name="Start", exact=True).dblclick()
    expect(page.get_by_text("Running, day 1").first).to_be_visible()
    older.get_by_role("button", name="Start", exact=True).click()
    expect(older.get_by_text("Running, day 1").first).to_be_visible()

    older = in_two_tabs.done_once(page, f"{address}stop/", "Stop for good", {"Why?": "It was to be ended."})
    older.get_by_label("Why?").fill("It was slow.")
    older.get_by_role("button", name="Stop for good").click()
    expect(older.locator("main")).to_contain_text("stopped it (“It was to be ended.”)")
    expect(older.locator("main")).to_contain_text("“It was slow.”")

    words = {"Why?": "Nothing was learned.", "What was learned?": "Two tabs, one decision."}
    older = in_two_tabs.done_once(page, f"{address}conclude/", "Conclude", words, choose="Iterate")
    expect(page.get_by_text("It was decided: iterate.")).to_be_visible()
    older.get_by_label("What was learned?").fill("Three tabs.")
    older.get_by_role("button", name="Conclude").click()
    expect(older.locator("main")).to_contain_text("has decided meanwhile: iterate (“Nothing was learned.”)")
    expect(older.get_by_label("What was learned?")).to_have_value("Three tabs.")
    page.goto(address)
    page.locator("summary", has_text="History").click()
    for said in ("started it", "stopped it", "concluded it"):
        expect(page.locator("main li, main tr", has_text=said)).to_have_count(1)


def test_forms__sent_by_two_clicks__do_one_thing(page):
    address = f"{HOME}experiments/search-ranker-v8/"
    page.goto(f"{address}notes/")
    page.get_by_label("Note").fill("Clicked twice.")
    page.get_by_role("button", name="Save").dblclick()
    expect(page.locator("#notes li", has_text="Clicked twice.")).to_have_count(1)
    page.goto(f"{address}digests/")
    page.get_by_label("E-mail").first.fill("twice@example.com")
    page.get_by_role("button", name="Add recipient").dblclick()
    expect(page.get_by_role("row", name="twice@example.com")).to_have_count(1)
    page.goto(f"{HOME}layers/")
    page.get_by_label("Name").first.fill("Twice")
    page.get_by_label("Key").first.fill("twice")
    page.locator("main form button:has-text('layer')").first.dblclick()
    expect(page.get_by_role("heading", name="Twice")).to_have_count(1)

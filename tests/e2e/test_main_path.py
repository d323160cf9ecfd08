"""The main job in one sitting, as a newcomer does it: from an empty installation to an e-mail with the answer."""

import csv
import io
import re
import time
from email.message import EmailMessage

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect
from statsmodels.stats.proportion import test_proportions_2indep as compare_proportions

from config.stack.running import RunningStack
from tests.e2e.app import Shop
from tests.e2e.conftest import Mailbox

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

EMAIL, PASSWORD = "owner@shop.example", "a long enough secret"
HOME = "/p/corner-shop/"
EXPERIMENT = f"{HOME}experiments/better-ranking/"


def test_main_path__from_an_empty_installation_to_the_answer_by_mail(watched, stack, mailbox, photograph):
    page = watched.page
    make_first_account(page)
    key = make_key(page)
    catalogue(page)
    set_up_and_start(page)
    shop = Shop(stack.base_url, key, "better-ranking")
    shop.visit(range(1200))
    refresh(page)
    read_results(page, shop)
    check_csv(page, shop)
    check_api(stack, key, shop)
    send_mail(page, mailbox[0])
    check_accessibility(page, EXPERIMENT + "results/")
    photograph(page.context, EXPERIMENT + "results/", "results")


def make_first_account(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Your name").fill("Olivia Owner")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("[data-error-summary]")).to_contain_text("at least 10 characters")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_label("Name").fill("Corner shop")
    page.get_by_role("button", name="Create project").click()
    expect(page).to_have_url(at(HOME))
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(at(HOME))


def at(path: str) -> re.Pattern[str]:
    return re.compile(rf"^http://127\.0\.0\.1:\d+{re.escape(path)}$")


def make_key(page: Page) -> str:
    page.goto(f"{HOME}keys/")
    page.get_by_label("Name").fill("Shop front")
    page.get_by_label("Read: fetch results").check()
    page.get_by_role("button", name="Make key").click()
    key = page.locator("#new-key").inner_text().strip()
    assert key.startswith("tl_")
    page.goto(f"{HOME}keys/")
    assert key not in page.content(), "a key is shown once"
    return key


def catalogue(page: Page) -> None:
    add_metric(page, "Purchase rate", "Share of units that send the event at all", "Order Completed", shown="Percent")
    add_metric(page, "Revenue per shopper", "Total of a property per unit", "Order Completed", "revenue", shown="Money")
    add_metric(
        page,
        "Page latency",
        "Average of a property over its events",
        "Product List Viewed",
        "latency_ms",
        shown="Milliseconds",
        lower=True,
    )
    for version, value in (("v1", "0.412"), ("v2", "0.433")):
        page.goto(f"{HOME}models/new/")
        page.get_by_label("Model", exact=True).fill("ranker")
        page.get_by_label("Version", exact=True).fill(version)
        page.get_by_role("button", name="Add a metric").click()
        first = page.locator("#metrics [data-row]:visible")
        first.get_by_label("Metric").fill("NDCG@10")
        first.get_by_label("Value").fill(value)
        page.get_by_role("button", name="Register").click()
        expect(page.get_by_role("heading", name="ranker").first).to_be_visible()


def add_metric(
    page: Page, name: str, kind: str, event: str, prop: str = "", *, shown: str, lower: bool = False
) -> None:
    page.goto(f"{HOME}metrics/new/")
    page.get_by_label("Name").fill(name)
    page.get_by_label(kind).check()
    page.get_by_label("Event", exact=True).fill(event)
    if prop:
        page.locator("#id_property").fill(prop)
    if lower:
        page.get_by_label("Lower is better").check()
    page.get_by_label("Shown as").select_option(label=shown)
    page.get_by_role("button", name="Add metric").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    page.goto(f"{HOME}metrics/")
    expect(page.get_by_role("rowheader", name=name)).to_be_visible()


def set_up_and_start(page: Page) -> None:
    page.goto(HOME)
    page.get_by_role("link", name="Create experiment").first.click()
    page.locator("main .kinds a").first.click()  # the usual way: an A/B test
    say_why(page)
    say_who(page)
    say_what(page)
    say_how(page)
    page.get_by_role("button", name="Start").dblclick()
    expect(page.get_by_text("Running, day 1 of 14").first).to_be_visible()


def say_why(page: Page) -> None:
    page.get_by_label("Name").first.fill("Better ranking")
    expect(page.locator("#id_key")).to_have_value("better-ranking")
    page.get_by_label("Hypothesis").press_sequentially("Ranker v2 shows better products first, so more shoppers buy.")
    expect(page.locator("#purpose")).to_contain_text("Which metric will show it?")
    page.get_by_label("Hypothesis").fill("If we rank by ranker v2, the purchase rate rises, because it knows seasons.")
    page.get_by_label("Hypothesis").press("End")
    page.keyboard.type(" ")
    expect(page.locator("#purpose li.good")).to_have_count(4)
    page.get_by_role("button", name="Create draft and go on").click()
    expect(page).to_have_url(at(EXPERIMENT + "set-up/who/"))


def say_who(page: Page) -> None:
    page.get_by_label("Share of traffic").fill("50")
    expect(page.locator("#reach")).to_contain_text("50 % of all users take part: 25 % Control, 25 % Treatment.")
    page.get_by_label("Share of traffic").fill("100")
    page.get_by_role("button", name="Save and go on").click()
    expect(page).to_have_url(at(EXPERIMENT + "set-up/what/"))


def say_what(page: Page) -> None:
    variants = page.locator("#variants [data-row]")
    for row, (name, weight, version) in enumerate([("Control", "50", "ranker v1"), ("Treatment", "49", "ranker v2")]):
        variants.nth(row).get_by_label("Name").fill(name)
        variants.nth(row).get_by_label("Weight").fill(weight)
        variants.nth(row).get_by_label("Model version").select_option(label=version)
    page.get_by_role("button", name="Save and go on").click()
    expect(page.locator("[data-error-summary]")).to_contain_text("add up to 99 %")
    expect(page.locator("[data-error-summary]")).to_be_focused()
    page.locator("#variants [data-row]").nth(1).get_by_label("Weight").fill("50")
    page.locator("#variants [data-row]").nth(1).get_by_label("Pictures").set_input_files(
        {"name": "list.png", "mimeType": "image/png", "buffer": a_picture()}
    )
    page.get_by_role("button", name="How we decide").click()  # a step of the bar saves as well
    expect(page).to_have_url(at(EXPERIMENT + "set-up/how/"))


def a_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 400), "teal").save(out, "PNG")
    return out.getvalue()


def say_how(page: Page) -> None:
    page.get_by_label("Primary metric").select_option(label="Purchase rate")
    expect(page.locator("#forecast")).to_contain_text("no experiment has units for it")
    page.get_by_role("button", name="Add a guardrail").click()
    guardrail = page.locator("#guardrails [data-row]:visible")
    guardrail.locator("select").select_option(label="Page latency")
    guardrail.locator("input[type=number]").fill("5")
    page.get_by_text("Secondary metrics, and more that decide").click()
    page.get_by_role("group", name="Secondary metrics").get_by_label("Revenue per shopper").check()
    page.get_by_role("button", name="Save and check").click()
    expect(page).to_have_url(at(EXPERIMENT))
    picture = page.get_by_alt_text("How Treatment looks, picture 1")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 640)


def refresh(page: Page) -> None:
    page.goto(EXPERIMENT + "results/")
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator(".verdict h2")).to_be_visible(timeout=60_000)


def read_results(page: Page, shop: Shop) -> None:
    facts = page.locator("dl.facts")
    expect(facts).to_contain_text(f"{shop.exposed.total():,}")
    row = page.get_by_role("row", name="Purchase rate")
    for variant in ("control", "treatment"):
        expect(row).to_contain_text(f"{100 * shop.buyers[variant] / shop.exposed[variant]:.2f}%")
    expect(page.locator(".verdict")).to_contain_text("Traffic split")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.get_by_role("row", name="Page latency")).to_contain_text("limit +5")


def check_csv(page: Page, shop: Shop) -> None:
    page.locator("summary").filter(has_text="Share").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    purchase = next(row for row in rows if row["metric"] == "Purchase rate")
    assert int(purchase["n"]) == shop.exposed["treatment"]
    assert int(purchase["control_n"]) == shop.exposed["control"]


def check_api(stack: RunningStack, key: str, shop: Shop) -> None:
    answer = httpx.get(
        f"{stack.base_url}/api/v1/experiments/better-ranking/results", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 200, answer.text
    metric = next(metric for metric in answer.json()["metrics"] if metric["key"] == "purchase-rate")
    comparison = metric["comparisons"][0]
    expected = compare_proportions(
        shop.buyers["treatment"],
        shop.exposed["treatment"],
        shop.buyers["control"],
        shop.exposed["control"],
        method="wald",
        compare="diff",
    )
    assert comparison["p_value"] == pytest.approx(expected.pvalue, rel=0.01)
    assert comparison["n"] == shop.exposed["treatment"]


def send_mail(page: Page, box: Mailbox) -> None:
    page.goto(EXPERIMENT + "results/")
    page.get_by_role("link", name="E-mail results").click()
    page.get_by_label("E-mail").first.fill("exec@elsewhere.example")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Add recipient").click()
    page.get_by_role("button", name="Send one now").click()
    message = wait_for_mail(box, "exec@elsewhere.example")
    kinds = [part.get_content_type() for part in message.walk()]
    assert {"text/plain", "text/html", "image/png"} <= set(kinds)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = message.get_body(("plain",)).get_content()
    assert "Purchase rate" in text
    link = next(word for word in text.split() if "/results/" in word)
    page.goto(link)
    expect(page.get_by_text("They do not change.")).to_be_visible()
    one_click = message["List-Unsubscribe"].strip("<>")
    assert httpx.post(one_click, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    page.goto(EXPERIMENT + "digests/")
    expect(page.get_by_text("Nobody gets these e-mails yet.")).to_be_visible()


def wait_for_mail(box: Mailbox, recipient: str) -> EmailMessage:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for message in box.messages:
            if message["To"] == recipient:
                return message
        time.sleep(0.2)
    raise AssertionError(f"No mail for {recipient} arrived; the mailbox holds {[m['To'] for m in box.messages]}.")


def check_accessibility(page: Page, address: str) -> None:
    page.goto(address, wait_until="networkidle")
    found = Axe().run(page)
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == [], f"{address}: {[(v['id'], [n['html'][:200] for n in v['nodes'][:3]]) for v in serious]}"

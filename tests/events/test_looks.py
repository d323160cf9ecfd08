"""The event pages as a browser draws them: both themes, wide and narrow, with and without script."""

import mimetypes

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route

from analysis.models import Identity, Link
from config.paths import REPOSITORY
from events import catalogue
from events.watch import Refusal, Watch
from tests import builders, chromium
from tests.events.builders import NOW, arrive

pytestmark = pytest.mark.browser

STATIC = REPOSITORY / "templates" / "static"
PAGES = ("event_list", "event_catalogue", "event_quality", "event_bots")
HOST = "http://truelift.localhost"


@pytest.fixture
def answers(client, address) -> dict[str, HttpResponse]:
    """Fetch every page first: Django refuses its database beside Playwright's event loop."""
    bob = builders.user("bob@example.com")
    client.force_login(bob)
    shop, empty = builders.project("shop", owner=bob), builders.project("empty", owner=bob)
    for number in range(12):
        arrive(shop, "Order Completed", f"user-{number}", revenue=19.9, order_id=f"o-{number}", environment=number % 2)
        arrive(shop, "Search with a long name", f"user-{number}-" + "x" * 60, anonymous_id="device-1", q="shoes")
    arrive(shop, "Bare", "user-1")
    arrive(shop, "$identify", "user-1", anonymous_id="device-1")
    for user in ("user-1", "user-2"):
        Link.objects.create(project=shop, alias="device-1", user_id=user, linked_at=NOW)
    Identity.objects.create(project=shop, alias="device-1", person="user-1")
    catalogue.bring_up_to_date()
    watch = Watch(settings.REDIS_URL)
    watch.accepted(shop.pk, 0, {"Order Completed": 120, "Search with a long name": 12})
    snippet = b'{"type":"track","event":"Order Completed","properties":{"revenue":19.9,"note":"%s"}}' % (b"y" * 200)
    refusal = Refusal(
        at=NOW, door=0, environment=0, code="missing_unit", message_id=None, snippet=snippet,
        message="The event names no unit; send userId, anonymousId or one of the properties session_id, account_id.",
    )  # fmt: skip
    for _ in range(3):
        watch.refused(shop.pk, refusal)
    watch._pass_on(watch._counts, watch._refusals)
    paths = [reverse(name, args=[home.slug]) for name in PAGES for home in (shop, empty)]
    paths.append(reverse("event_names", args=["shop"]))
    return {path: client.get(path) for path in paths}


def opened(browser: Browser, answers: dict[str, HttpResponse], **options) -> Page:
    page = browser.new_page(**options)

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(HOST).split("?")[0]
        if path in answers:
            kept = answers[path]
            route.fulfill(status=kept.status_code, headers=dict(kept.headers), body=kept.content)
        elif path.endswith("/arrivals/"):
            route.fulfill(status=204)
        elif path.endswith("/names/"):
            route.fulfill(status=200, body="", content_type="text/html")
        else:
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0])

    page.route("**/*", answer)
    return page


@pytest.mark.parametrize("looks", chromium.LOOKS)
def test_pages__in_every_look__are_accessible_fit_and_obey_the_policy(answers, looks: tuple[chromium.Look, ...]):
    wrong: list[str] = []
    with chromium.launched() as browser:
        for look in looks:
            page = opened(browser, answers, color_scheme=look.theme, viewport={"width": look.width, "height": 900})
            chromium.listen(page, wrong)
            for path in [path for path in answers if not path.endswith("/names/")]:
                page.goto(HOST + path, wait_until="load")
                for folded in page.locator("details").all()[:3]:
                    folded.locator("summary").click()
                wrong += chromium.faults(page, look)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append(f"{path}: is wider than {look.width} px")
            page.close()
    assert wrong == []


def test_live__polls_and_fills_its_suggestions(answers):
    polls: list[str] = []
    with chromium.launched() as browser:
        page = opened(browser, answers)
        page.on("request", lambda sent: polls.append(sent.url) if "/arrivals/" in sent.url else None)
        with page.expect_request("**/arrivals/**", timeout=20_000):
            page.goto(HOST + reverse("event_list", args=["shop"]))
        page.locator("#event-names option").first.wait_for(state="attached", timeout=20_000)
        assert page.get_by_role("link", name="Pause").is_visible()
    assert "state=" in polls[0]


def test_live__without_script__can_be_looked_at_again(answers):
    with chromium.launched() as browser:
        page = opened(browser, answers, java_script_enabled=False)
        page.goto(HOST + reverse("event_list", args=["shop"]))
        assert page.get_by_role("link", name="Look again").is_visible()
        assert page.get_by_text("Order Completed").first.is_visible()

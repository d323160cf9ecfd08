"""The e-mails as mail programs draw them: light, dark, on a phone, with pictures off."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from analysis.mail import inspection, rendering
from analysis.mail.parts import Rendered
from analysis.models import Digest, ResultSnapshot
from analysis.results.schema import Results, to_payload
from experiments.models import Experiment, Project
from tests import builders, chromium
from tests.analysis.mail.test_rendering import many_metrics
from tests.builders import T0

pytestmark = pytest.mark.browser

ARTEFACTS = Path(__file__).resolve().parents[3] / ".artefacts"
WIDTHS = (320, 390, 700)
MAILS: dict[str, Callable[[], Results]] = {
    "result": builders.results,
    "broken-split": builders.broken_results,
    "three-treatments": lambda: many_metrics(7, 3),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


@cache
def mail(name: str) -> Rendered:
    """Render without a database: everything an e-mail says is in the snapshot."""
    home = Project(pk=1, slug="shop", name="Shop")
    about = Experiment(pk=1, project=home, key="new-ranker", name="New ranker")
    to = Digest(
        pk=1, project=home, experiment=about, email="ada@example.com", cadence="weekly", time_zone="Europe/Berlin",
        next_due_at=T0,
    )  # fmt: skip
    results = MAILS[name]()
    stored = ResultSnapshot(pk=1, experiment=about, as_of=results.as_of, payload=to_payload(results))
    return rendering.render_result(to, stored, results.as_of + timedelta(hours=1), {})


def show(browser: Browser, html: str, *, scheme: str = "light", width: int = 700) -> Page:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
    page.set_content(html)
    return page


def with_pictures(rendered: Rendered) -> str:
    return inspection.body_response(rendered.html, rendered.encoded_pictures).content.decode()


def keep(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"mail-{name}.png", full_page=True)


@pytest.mark.parametrize("name", MAILS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_mail__at_every_width__fits_without_scrolling_sideways(browser: Browser, name: str, scheme: str):
    html = with_pictures(mail(name))
    for width in WIDTHS:
        page = show(browser, html, scheme=scheme, width=width)
        keep(page, f"{name}-{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


@pytest.mark.parametrize("name", MAILS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_mail__for_assistive_technology__has_no_serious_fault(browser: Browser, name: str, scheme: str):
    page = show(browser, with_pictures(mail(name)), scheme=scheme)
    faults = Axe().run(page).response["violations"]
    page.close()
    assert [
        (fault["id"], fault["nodes"][0]["html"]) for fault in faults if fault["impact"] in {"serious", "critical"}
    ] == []


@pytest.mark.parametrize(("scheme", "shown"), [("light", "in-light"), ("dark", "in-dark")])
def test_mail__shows_the_pictures_of_the_readers_mode_alone(browser: Browser, scheme: str, shown: str):
    page = show(browser, with_pictures(mail("result")), scheme=scheme)
    visible = [image.get_attribute("src") for image in page.locator("img").all() if image.is_visible()]
    own = [image.get_attribute("src") for image in page.locator(f"img.{shown}, .{shown} img").all()]
    page.close()
    assert visible == own
    assert len(visible) == 2


def test_mail__dark__is_dark(browser: Browser):
    page = show(browser, with_pictures(mail("result")), scheme="dark")
    background = page.locator(".sheet").first.evaluate("element => getComputedStyle(element).backgroundColor")
    page.close()
    assert background == "rgb(24, 28, 34)"


def test_mail__with_pictures_off__says_what_they_show(browser: Browser):
    page = show(browser, mail("result").html)
    keep(page, "result-pictures-off")
    sentences = [image.get_attribute("alt") for image in page.locator("img").all() if image.is_visible()]
    page.close()
    assert sentences[0] == "Chart of the intervals in the table above, under each other."
    assert sentences[1] == "Treatment: +8.6% by 2 Mar 2026, +5.8% by 15 Mar 2026 (+2.4% to +9.1%)."

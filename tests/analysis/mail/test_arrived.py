"""What really arrives, drawn as mail programs draw it: taken from an SMTP server, its pictures from its own parts, in
light and dark, on a phone, with pictures off, and its text. The drawings are kept to be looked at."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from html import escape
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec import structs
from playwright.sync_api import Browser

from analysis.alerts.kinds import AlertKind, Severity
from analysis.mail import queueing
from analysis.models import Digest
from analysis.notices.addressing import address_new
from analysis.notices.gathering import write_messages
from analysis.notices.kinds import OccurrenceKind
from analysis.outbox import sending
from analysis.results.schema import Reading, Tone
from experiments.models import Experiment, Project
from tests import builders, chromium
from tests.analysis.mail.conftest import Sink
from tests.analysis.notices.conftest import happened, reader

pytestmark = pytest.mark.browser

ARTEFACTS = Path(__file__).resolve().parents[3] / ".artefacts"
NOW = builders.results().as_of + timedelta(hours=1)
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 700, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 700, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    "narrow": {"color_scheme": "dark", "viewport": {"width": 320, "height": 700}},
}


def write_event(shop: Project, ranker: Experiment) -> None:
    reader(shop, time_zone="Europe/Berlin")
    happened(
        ranker, OccurrenceKind.READY, snapshot=builders.snapshot(ranker), sentence=builders.verdict().headline,
        explanation=builders.verdict().explanation, next_step=builders.verdict().next_step, tone="warn",
        severity=Severity.WARNING, facts=[("Status", "Running, day 14 of 14"), ("Exposed", "184,206 users")],
        now=NOW, happened_at=NOW,
    )  # fmt: skip
    tell()


def write_alarm(shop: Project, ranker: Experiment) -> None:
    reader(shop)
    alarm(shop, ranker)
    tell()


def write_gathered(shop: Project, ranker: Experiment) -> None:
    reader(shop)
    alarm(shop, ranker)
    other = builders.experiment(shop, "checkout", name="One-page checkout")
    happened(other, OccurrenceKind.STARTED, "s", sentence="One-page checkout has started.", now=NOW, happened_at=NOW)
    happened(
        ranker, OccurrenceKind.AVOIDED_LOSS, "l", tone="good", next_step="Conclude it, so that others learn from it.",
        sentence="Stopping New ranker avoided a loss of about €2,400,000 a year.", now=NOW, happened_at=NOW,
    )  # fmt: skip
    tell()


def write_overview(shop: Project, ranker: Experiment) -> None:
    ship = builders.verdict(decision="ship", tone=Tone.GOOD, headline="New ranker raised clicks by 5.6%.")
    builders.snapshot(ranker, builders.results(ranker, verdict=ship))
    loser = builders.experiment(shop, "prices", name="Rounded prices")
    worse = builders.comparison(lift=-0.031, lift_interval=(-0.052, -0.011), reading=Reading.WORSE)
    money = builders.metric_result("revenue", worse, name="Revenue per user", kind="sum", display_unit="currency")
    sad = builders.verdict(decision="do not ship", tone=Tone.BAD, headline="Rounded prices cost revenue: −3.1%.")
    builders.snapshot(loser, builders.results(loser, metrics=[money], verdict=sad))
    quiet = builders.experiment(shop, "banner", name="Winter banner")
    wait = builders.verdict(decision="keep running", tone=Tone.FLAT, headline="Keep it running: day 3 of 14.")
    early = builders.results(quiet, verdict=wait, data_up_to=NOW - timedelta(hours=30))
    builders.snapshot(quiet, structs.replace(early, metrics=[]))
    builders.experiment(shop, "fresh", name="Fresh start")
    alarm(shop, quiet)
    happened(ranker, OccurrenceKind.READY, "r", sentence="New ranker raised clicks by 5.6%.", now=NOW, happened_at=NOW)
    Digest.objects.create(
        project=shop, email="exec@example.com", cadence="weekly", next_due_at=NOW, told_up_to=NOW - timedelta(days=7),
        time_zone="Europe/Berlin",
    )  # fmt: skip
    queueing.queue_due(NOW)


def alarm(shop: Project, of: Experiment) -> None:
    builders.alert(
        shop, AlertKind.GUARDRAIL_CROSSED, key="g", experiment=of, severity=Severity.URGENT, now=NOW,
        sentence="Page latency is +4.6% with Treatment, beyond its limit of +2.0%.",
        what_to_do="Turn the variant off and find the cause. The alarm holds however often results are looked at.",
    )  # fmt: skip


def tell() -> None:
    address_new(NOW)
    write_messages(NOW + timedelta(minutes=3))


def as_drawn(mail: EmailMessage, *, pictures: bool) -> str:
    """Return the HTML part with its pictures put in as a mail program does, or left out."""
    html = str(mail.get_body(("html",)).get_content())  # type: ignore[union-attr]
    for part in mail.walk():
        if pictures and part.get_content_type() == "image/png":
            data = base64.b64encode(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]
            html = html.replace(f"cid:{str(part['Content-ID']).strip('<>')}", f"data:image/png;base64,{data}")
    return html


def as_text(mail: EmailMessage) -> str:
    text = str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    head = f"Subject: {mail['Subject']}\nTo: {mail['To']}\nList-Unsubscribe: {mail['List-Unsubscribe']}\n\n"
    return f"<html lang=en><title>text</title><main><h1>text</h1><pre>{escape(head + text)}</pre></main></html>"


def faults(browser: Browser, html: str, look: str, name: str) -> Iterator[object]:
    page = browser.new_page(**LOOKS[look])  # type: ignore[arg-type]
    page.set_content(html)
    page.screenshot(path=ARTEFACTS / f"arrived-{name}.png", full_page=True)
    width = LOOKS[look]["viewport"]["width"]  # type: ignore[index]
    if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
        yield (name, "scrolls sideways", wide)
    if broken := [
        one.get_attribute("src") for one in page.locator("img").all() if one.is_visible() and not _drawn(one)
    ]:
        yield (name, "pictures that are not there", broken)
    found = Axe().run(page).response["violations"]
    yield from ((name, one["id"]) for one in found if one["impact"] in {"serious", "critical"})
    page.close()


def _drawn(image: object) -> bool:
    return bool(image.evaluate("one => one.naturalWidth > 0 || !one.src.startsWith('data:')"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "write",
    [
        write_event,
        *(pytest.param(one, marks=pytest.mark.slow) for one in (write_alarm, write_gathered, write_overview)),
    ],
)
def test_arrived__in_every_look__is_whole(shop, ranker, sink: Sink, write):
    write(shop, ranker)
    assert sending.deliver_waiting(NOW + timedelta(minutes=3)) == 1
    (mail,) = sink.arrived
    name = write.__name__.removeprefix("write_")
    ARTEFACTS.mkdir(exist_ok=True)
    (ARTEFACTS / f"arrived-{name}.eml").write_bytes(mail.as_bytes())
    drawn = {look: as_drawn(mail, pictures=True) for look in LOOKS}
    with chromium.launched() as browser:
        found = [one for look, html in drawn.items() for one in faults(browser, html, look, f"{name}-{look}")]
        found += faults(browser, as_drawn(mail, pictures=False), "light", f"{name}-pictures-off")
        page = browser.new_page(viewport={"width": 700, "height": 900})
        page.set_content(as_text(mail))
        page.screenshot(path=ARTEFACTS / f"arrived-{name}-text.png", full_page=True)
    assert found == []

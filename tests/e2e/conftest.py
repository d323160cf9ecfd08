"""The whole product for browser tests: its own stack, a real SMTP server on loopback, headless Chromium."""

import logging
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser, BrowserContext, Page

from config.stack.running import RunningStack, running_stack
from tests import chromium, prepared

for _chatty in ("httpx", "mail.log"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)  # a failing test shows its own words first

ARTEFACTS = Path(__file__).resolve().parents[2] / ".artefacts"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


class Mailbox:
    """An SMTP server's memory: every message it took, parsed."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 Message accepted"


@pytest.fixture(scope="session")
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def stack(embedded_servers: Path, mailbox: tuple[Mailbox, int]) -> Iterator[RunningStack]:
    """Start the product, empty, with its mail going to the tests' SMTP server."""
    home = Path(tempfile.mkdtemp(prefix="tl-e2e-"))
    home.chmod(0o755)
    try:
        with running_stack(prepared.furnish(home), env={"EMAIL_URL": f"smtp://127.0.0.1:{mailbox[1]}"}) as running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def demo(embedded_servers: Path) -> Iterator[RunningStack]:
    home = Path(tempfile.mkdtemp(prefix="tl-demo-"))
    home.chmod(0o755)
    try:
        with running_stack(prepared.furnish(home), demo=True, live=True, seconds=360) as running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def key(demo: RunningStack) -> str:
    return (demo.home / "demo-api-key").read_text().strip()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


class Watched:
    """A page whose console is listened to: an error there fails the test."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        # Chromium reports every 4xx answer as a console error; the tests look at those answers themselves.
        if kind == "error" and "Failed to load resource" not in text:
            self.errors.append(text)


@pytest.fixture
def watched(stack: RunningStack, browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(base_url=stack.base_url, **LOOKS["light"])
    seen = Watched(context.new_page())
    seen.page.set_default_timeout(15_000)
    yield seen
    context.close()
    assert seen.errors == []


@pytest.fixture
def photograph(browser: Browser, stack: RunningStack) -> Callable[[BrowserContext, str, str], None]:
    """Take a page's picture in every look, with the visitor's session, and keep it in ``.artefacts``."""

    def take(visitor: BrowserContext, address: str, name: str) -> None:
        ARTEFACTS.mkdir(exist_ok=True)
        for look, options in LOOKS.items():
            context = browser.new_context(base_url=stack.base_url, storage_state=visitor.storage_state(), **options)
            page = context.new_page()
            page.goto(address, wait_until="networkidle")
            page.screenshot(path=ARTEFACTS / f"{name}-{look}.png", full_page=True)
            context.close()

    return take

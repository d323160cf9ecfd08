"""A real SMTP server on loopback that keeps what it accepts."""

import socket
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from analysis.mail.schedule import Rhythm
from analysis.models import Digest
from experiments.models import Experiment, Project
from tests import builders
from tests.builders import T0

DAILY = Rhythm(cadence="daily", hour=8, time_zone="UTC")


class Sink:
    """What arrived, and what the server should answer instead of accepting."""

    def __init__(self) -> None:
        self.arrived: list[EmailMessage] = []
        self.recipient_answer = "250 OK"
        self.data_answer = "250 accepted"
        self.hang_up_after_data = False

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer.startswith("250"):
            self.arrived.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.hang_up_after_data:
            server.transport.abort()
        return self.data_answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mail_server(settings: Any) -> Callable[[int], None]:
    """Point the product at an SMTP server on this port, as EMAIL_URL does."""
    from config import env

    def point(port: int) -> None:
        settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
        settings.EMAIL_TIMEOUT = 5
        for name, value in env.email_settings(settings.EMAIL_URL).items():
            setattr(settings, name, value)

    return point


@pytest.fixture
def sink(mail_server: Callable[[int], None]) -> Iterator[Sink]:
    port = free_port()
    kept = Sink()
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    mail_server(port)
    yield kept
    controller.stop()


@pytest.fixture(autouse=True)
def static_files_as_they_lie(settings: Any) -> None:
    """Let pages name their static files although none were collected."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def shop(db: None) -> Project:
    return builders.project("shop", name="Shop")


@pytest.fixture
def ranker(shop: Project) -> Experiment:
    return builders.experiment(shop, "new-ranker", name="New ranker")


def digest(of: Experiment, email: str = "ada@example.com", **fields: Any) -> Digest:
    fields.setdefault("experiment", of)
    return Digest.objects.create(
        project=of.project, email=email, cadence="daily", hour=8, next_due_at=fields.pop("due", T0), **fields
    )

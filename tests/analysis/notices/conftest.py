"""Alice owns the shop and the experiment; Ada and Bob hear of things; the mail server is real."""

from datetime import timedelta
from typing import Any

import pytest

from analysis.alerts.kinds import Severity
from analysis.models import Notice, Occurrence, OutboxMessage, Recipient, Webhook
from analysis.notices import preferences
from analysis.notices.kinds import OccurrenceKind
from analysis.notices.occurring import occurred
from analysis.sealing import seal
from experiments.models import Experiment, Project
from tests import builders
from tests.analysis.mail.conftest import Sink, mail_server, sink  # noqa: F401  (fixtures are found by their names here)
from tests.builders import T0
from tests.experiments.conftest import (  # noqa: F401
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    shop,
)

SOON = T0 + timedelta(minutes=3)


@pytest.fixture
def ranker(shop: Project) -> Experiment:  # noqa: F811
    return builders.experiment(shop, "new-ranker", name="New ranker")


def happened(of: Experiment, kind: OccurrenceKind = OccurrenceKind.ENDED, key: str = "k", **fields: Any) -> Occurrence:
    fields = {"happened_at": T0, "now": T0, **fields}
    sentence = fields.pop("sentence", f"{of.name} did {key}.")
    return occurred(of.project, kind, key, sentence, experiment=of, **fields)


def urgent(of: Experiment, key: str = "alarm") -> Occurrence:
    return happened(of, OccurrenceKind.GUARDRAIL_CROSSED, key, severity=Severity.URGENT)


def reader(of: Project, email: str = "ada@example.com", **fields: Any) -> Recipient:
    made = preferences.follow(of, email, None, None).recipient
    Recipient.objects.filter(pk=made.pk).update(**fields)
    made.refresh_from_db()
    return made


def webhook(of: Project, **fields: Any) -> Webhook:
    defaults: dict[str, Any] = {
        "name": "channel",
        "kind": Webhook.Kind.SLACK,
        "sealed_url": seal("https://hooks.example.com/T/B/secret"),
        "shown": "https://hooks.example.com/…cret",
    }
    return Webhook.objects.create(project=of, **{**defaults, **fields})


def waiting() -> list[Notice]:
    return list(Notice.objects.filter(state=Notice.State.WAITING).order_by("pk"))


def messages() -> list[OutboxMessage]:
    return list(OutboxMessage.objects.order_by("pk"))

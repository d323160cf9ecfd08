from datetime import timedelta

import pytest

from analysis.models import Alert, OutboxMessage, Recipient
from analysis.notices import preferences, testing
from analysis.notices.bounces import MOST_REFUSALS
from analysis.outbox import sending
from experiments.models import AuditEntry
from tests.analysis.mail.conftest import Sink
from tests.analysis.notices.conftest import reader
from tests.builders import T0


def send(ada: Recipient, day: int) -> OutboxMessage:
    at = T0 + timedelta(days=day)
    message = testing.mail(ada, at)
    sending.deliver_waiting(at)
    message.refresh_from_db()
    ada.refresh_from_db()
    return message


def test_refused__three_times_in_a_row__turns_the_address_off_and_tells(shop, sink: Sink):
    sink.recipient_answer = "550 no such person"
    ada = reader(shop)
    for day in range(MOST_REFUSALS):
        assert ada.disabled_at is None
        assert send(ada, day).answered == 550
    assert ada.disabled_at == T0 + timedelta(days=2)
    assert "550 no such person" in ada.disabled_because
    alert = Alert.objects.get()
    assert (alert.kind, alert.sentence) == (
        "delivery", "ada@example.com refuses e-mails, so none are sent there any more.",
    )  # fmt: skip


def test_refused__with_an_acceptance_between__counts_anew(shop, sink: Sink):
    ada = reader(shop)
    for day, answer in enumerate(["550 no", "550 no", "250 OK", "550 no", "550 no"]):
        sink.recipient_answer = answer
        send(ada, day)
    assert (ada.refusals, ada.disabled_at) == (2, None)


@pytest.mark.parametrize(("part", "answer"), [("recipient_answer", "451 later"), ("data_answer", "554 no spam")])
def test_refused__for_now_or_for_what_it_says__does_not_count_against_the_address(shop, sink: Sink, part, answer):
    setattr(sink, part, answer)
    ada = reader(shop)
    for day in range(MOST_REFUSALS):
        send(ada, day)
    assert (ada.refusals, ada.disabled_at) == (0, None)


def test_enable__sends_again_and_closes_the_alert(shop, alice, sink: Sink):
    sink.recipient_answer = "550 no such person"
    ada = reader(shop)
    for day in range(MOST_REFUSALS):
        send(ada, day)
    assert [preferences.enable(ada, alice), preferences.enable(ada, alice)] == [True, False]
    assert Alert.objects.get().closed_because == "It was turned on again."
    assert AuditEntry.objects.filter(action="recipient.enable").count() == 1
    sink.recipient_answer = "250 OK"
    assert send(ada, 9).state == OutboxMessage.State.SENT

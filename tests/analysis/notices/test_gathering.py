import threading
from datetime import timedelta

import pytest
from django.db import connections

from analysis.alerts.kinds import AlertKind
from analysis.alerts.raising import close_alert
from analysis.models import Notice, OutboxMessage
from analysis.notices.addressing import address_new
from analysis.notices.gathering import OVER, PAUSE, REPLACED, URGENT_PAUSE, write_messages
from analysis.notices.kinds import OccurrenceKind
from analysis.outbox import sending
from tests import builders
from tests.analysis.mail.conftest import Sink, free_port
from tests.analysis.notices.conftest import SOON, happened, messages, reader, urgent, waiting, webhook
from tests.builders import T0

Kind, State = OutboxMessage.Kind, OutboxMessage.State


def told(ranker, now=SOON, **fields) -> int:
    happened(ranker, **fields)
    address_new(now - timedelta(minutes=2))
    return write_messages(now)


def test_write__one_occurrence__is_one_mail_that_states_it(ranker, shop):
    reader(shop)
    assert told(ranker, sentence="New ranker raised revenue by 5%.", next_step="Ship it.") == 1
    (mail,) = messages()
    assert (mail.kind, mail.subject, mail.recipient) == (
        Kind.EVENT, "New ranker raised revenue by 5%.", "ada@example.com",
    )  # fmt: skip
    for part in (mail.text, mail.html):
        assert "Ship it." in part
        assert f"/preferences/{mail.reader.token}/unsubscribe/" in part


def test_write__before_its_time__writes_nothing(ranker, shop):
    reader(shop)
    happened(ranker)
    address_new(T0)
    assert write_messages(T0 + timedelta(seconds=119)) == 0


def test_write__run_twice__writes_once(ranker, shop):
    reader(shop)
    told(ranker)
    assert write_messages(SOON) == 0
    assert len(messages()) == 1


def test_write__what_happened_close_together__is_one_summary_the_most_urgent_first(ranker, shop):
    reader(shop)
    for key in ("a", "b"):
        happened(ranker, key=key)
    urgent(ranker)
    address_new(T0)
    assert write_messages(T0) == 1  # the alarm takes along what would follow within two minutes
    (mail,) = messages()
    assert (mail.kind, mail.subject) == (Kind.SUMMARY, "New ranker did alarm. (and 2 more)")
    assert mail.text.index("did alarm") < mail.text.index("did a.")
    assert waiting() == []


def test_write__two_in_a_short_time__waits_and_gathers(ranker, shop):
    reader(shop)
    told(ranker, key="first")
    assert told(ranker, key="second", now=SOON + timedelta(minutes=5)) == 0
    assert told(ranker, key="third", now=SOON + timedelta(minutes=10)) == 0
    OutboxMessage.objects.update(state=State.SENT)
    assert write_messages(SOON + PAUSE) == 1
    assert messages()[1].subject.endswith("(and 1 more)")


def test_write__urgent__waits_less(ranker, shop):
    reader(shop)
    told(ranker)
    OutboxMessage.objects.update(state=State.SENT)
    for key in ("one", "two"):
        urgent(ranker, key)
    address_new(SOON)
    assert write_messages(SOON + URGENT_PAUSE - timedelta(seconds=1)) == 0
    assert write_messages(SOON + URGENT_PAUSE) == 1


def test_write__an_alarm_that_is_over_by_now__is_not_told(ranker, shop):
    reader(shop)
    builders.alert(shop, experiment=ranker)
    address_new(T0)
    close_alert(shop, AlertKind.BROKEN_SPLIT, "new-ranker", now=T0)
    assert write_messages(SOON) == 0
    assert Notice.objects.get().dropped_because == "It was over before it was told."


def test_outage_of_ours__two_days_of_events__are_one_mail(ranker, shop):
    reader(shop)
    for number in range(40):
        happened(ranker, key=f"k{number}", happened_at=T0 + timedelta(hours=number))
    late = T0 + timedelta(days=2)
    address_new(late)
    wrote = [write_messages(late + timedelta(minutes=minute)) for minute in range(10)]
    assert sum(wrote) == 1
    assert messages()[0].subject == "New ranker did k39. (and 39 more)"


def test_outage_of_the_mail_server__ends_in_one_mail_without_what_is_over(ranker, shop, mail_server, request):
    reader(shop)
    mail_server(free_port())
    builders.alert(shop, experiment=ranker, now=T0)
    for hour in range(5):
        at = T0 + timedelta(hours=hour)
        happened(ranker, key=f"hour {hour}", now=at)
        address_new(at)
        write_messages(at + timedelta(minutes=3))
        sending.deliver_waiting(at + timedelta(minutes=3))
    close_alert(shop, AlertKind.BROKEN_SPLIT, "new-ranker", now=T0 + timedelta(hours=4))
    sink: Sink = request.getfixturevalue("sink")
    late = T0 + timedelta(hours=12)
    assert sending.deliver_waiting(late) == 1
    (mail,) = sink.arrived
    text = mail.get_body(("plain",)).get_content()
    assert all(f"hour {hour}" in text for hour in range(5))
    assert "48.9%" not in text
    assert OutboxMessage.objects.filter(state=State.FAILED, error=REPLACED).count() == 4
    assert sending.deliver_waiting(late + timedelta(days=1)) == 0


def test_outage_of_the_mail_server__all_of_it_over__sends_nothing(ranker, shop, mail_server, request):
    reader(shop)
    mail_server(free_port())
    builders.alert(shop, experiment=ranker)
    address_new(T0)
    write_messages(SOON)
    sending.deliver_waiting(SOON)
    close_alert(shop, AlertKind.BROKEN_SPLIT, "new-ranker", now=SOON)
    sink: Sink = request.getfixturevalue("sink")
    assert sending.deliver_waiting(SOON + timedelta(hours=2)) == 0
    assert (messages()[0].error, sink.arrived) == (OVER, [])


def test_write__somebody_unsubscribed_meanwhile__is_told_nothing(ranker, shop):
    ada = reader(shop)
    happened(ranker)
    address_new(T0)
    type(ada).objects.update(unsubscribed_at=T0)
    assert write_messages(SOON) == 0
    assert waiting() == []


def test_write__posts_come_one_by_one_and_a_storm_as_one(ranker, shop):
    webhook(shop)
    for key in ("a", "b", "c"):
        happened(ranker, key=key)
    address_new(T0)
    assert write_messages(SOON) == 3
    for key in ("d", "e", "f", "g"):
        happened(ranker, key=key)
    address_new(SOON)
    assert write_messages(SOON + timedelta(minutes=2)) == 1
    assert messages()[-1].kind == Kind.SUMMARY


def test_write__a_webhook_that_could_not_be_reached__gets_what_waited_with_what_is_new(ranker, shop):
    webhook(shop)
    happened(ranker, key="a")
    address_new(T0)
    write_messages(SOON)
    OutboxMessage.objects.update(attempts=2)
    for key in ("b", "c", "d"):
        happened(ranker, key=key)
    address_new(SOON)
    assert write_messages(SOON + timedelta(minutes=5)) == 1
    assert [one.state for one in messages()] == [State.FAILED, State.WAITING]


@pytest.mark.django_db(transaction=True)
def test_write__two_workers_at_once__write_one_mail():
    alice = builders.user("alice@example.com")
    shop = builders.project("shop", owner=alice)
    ranker = builders.experiment(shop)
    reader(shop)
    for key in ("a", "b", "c"):
        happened(ranker, OccurrenceKind.ENDED, key)
    together = threading.Barrier(3)

    def work() -> None:
        together.wait()
        address_new(T0)
        # What is addressed only after a mail was written waits for the next: here all is, as after the gathering time.
        together.wait()
        write_messages(SOON)
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    write_messages(SOON)
    assert len(messages()) == 1
    assert messages()[0].notices.count() == 3

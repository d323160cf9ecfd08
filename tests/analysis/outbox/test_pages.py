from datetime import timedelta

import pytest
from django.urls import reverse

from analysis.mail import tasks
from analysis.models import OutboxMessage
from analysis.notices import testing
from analysis.outbox import sending
from experiments.models import AuditEntry
from tests import builders
from tests.analysis.notices.conftest import reader, webhook
from tests.builders import T0

State = OutboxMessage.State


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)


def failed(shop) -> OutboxMessage:
    message = testing.mail(reader(shop), T0)
    OutboxMessage.objects.update(state=State.FAILED, error="The SMTP server answered 554 no")
    message.refresh_from_db()
    return message


def at(name: str, *more) -> str:
    return reverse(name, args=["shop", *more])


def test_list__says_what_became_of_each_and_filters(client_of_bob, shop):
    failed(shop)
    testing.post(webhook(shop), T0)
    page = client_of_bob.get(at("delivery_list")).content.decode()
    assert "554 no" in page
    assert "Failed (1)" in page
    only = client_of_bob.get(at("delivery_list") + "?channel=webhook&state=waiting&to=chan").content.decode()
    assert "554 no" not in only
    assert "channel" in only
    assert "No message is like this" in client_of_bob.get(at("delivery_list") + "?to=zzz").content.decode()


@pytest.mark.parametrize("query", ["?page=99", "?page=x", "?state=nonsense", "?channel=%00"])
def test_list__an_odd_address__is_answered(client_of_bob, shop, query: str):
    assert client_of_bob.get(at("delivery_list") + query).status_code == 200


def test_message__shows_what_was_sent_and_frames_it(client_of_bob, shop):
    message = failed(shop)
    page = client_of_bob.get(at("delivery", message.pk)).content.decode()
    assert message.message_id.strip("<>") in page
    assert at("delivery_body", message.pk) in page
    assert "Send again" not in page
    assert "sandbox" in client_of_bob.get(at("delivery_body", message.pk))["Content-Security-Policy"]


def test_again__makes_one_new_message_with_an_audit_row(client_of_alice, shop, sink):
    message = failed(shop)
    for _ in range(2):
        client_of_alice.post(at("delivery_again", message.pk))
    again = OutboxMessage.objects.get(sent_again=message)
    assert again.message_id != message.message_id
    assert AuditEntry.objects.get(action="message.send_again").after["because"] == "The SMTP server answered 554 no"
    assert sending.deliver_waiting(again.not_before) == 1
    assert "was sent again already" in client_of_alice.post(
        at("delivery_again", message.pk), follow=True
    ).content.decode()  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"unsubscribed_at": T0}, "has unsubscribed"), ({"disabled_at": T0}, "refuses e-mails")],
)
def test_again__to_whom_nothing_goes__is_refused(client_of_alice, shop, fields, said: str):
    message = failed(shop)
    OutboxMessage.objects.update(kind=OutboxMessage.Kind.EVENT)
    type(message.reader).objects.update(**fields)
    page = client_of_alice.post(at("delivery_again", message.pk), follow=True).content.decode()
    assert said in page
    assert OutboxMessage.objects.count() == 1


def test_again__of_what_arrived__is_refused(client_of_alice, shop):
    message = failed(shop)
    OutboxMessage.objects.update(state=State.SENT)
    assert "Only what failed" in client_of_alice.post(at("delivery_again", message.pk), follow=True).content.decode()


def test_pages__for_strangers_and_viewers__are_closed(client_of_bob, client_of_charlie, shop):
    message = failed(shop)
    for name, *more in [("delivery_list",), ("delivery", message.pk), ("delivery_body", message.pk)]:
        assert client_of_charlie.get(at(name, *more)).status_code == 404
    assert client_of_charlie.post(at("delivery_again", message.pk)).status_code == 404
    assert client_of_bob.post(at("delivery_again", message.pk)).status_code == 403


def test_message__of_another_project__is_not_there(client_of_alice, shop):
    elsewhere = testing.mail(reader(builders.project("elsewhere")), T0)
    assert client_of_alice.get(at("delivery", elsewhere.pk)).status_code == 404


def test_list__queries__do_not_grow(client_of_alice, shop, django_assert_max_num_queries):
    ada = reader(shop)
    for minute in range(8):
        testing.mail(ada, T0 + timedelta(minutes=2 * minute))
    client_of_alice.get(at("delivery_list"))
    with django_assert_max_num_queries(8):
        client_of_alice.get(at("delivery_list"))

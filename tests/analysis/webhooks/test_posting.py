import json
import socket
from datetime import timedelta

import pytest

from analysis.models import Alert, OutboxMessage, Webhook
from analysis.notices import testing
from analysis.notices.addressing import address_new
from analysis.notices.bounces import MOST_FAILED_POSTS
from analysis.notices.gathering import write_messages
from analysis.outbox import sending
from analysis.sealing import seal, unseal
from analysis.webhooks import addresses, signing
from tests.analysis.mail.conftest import free_port
from tests.analysis.notices.conftest import SOON, happened, webhook
from tests.analysis.webhooks.conftest import Receiver
from tests.builders import T0

State = OutboxMessage.State
SECRET = signing.new_secret()


def posted(hook: Webhook, at=T0) -> OutboxMessage:
    message = testing.post(hook, at)
    sending.deliver_waiting(at)
    message.refresh_from_db()
    return message


@pytest.fixture
def hook(shop, receiver: Receiver) -> Webhook:
    return webhook(shop, sealed_url=seal(receiver.url))


@pytest.fixture
def signed(shop, receiver: Receiver) -> Webhook:
    return webhook(shop, kind=Webhook.Kind.GENERIC, sealed_url=seal(receiver.url), sealed_secret=seal(SECRET))


def test_post__an_occurrence__arrives_as_json(hook, ranker, receiver: Receiver):
    happened(ranker)
    address_new(T0)
    write_messages(SOON)
    assert sending.deliver_waiting(SOON) == 1
    path, headers, body = receiver.arrived[0]
    assert path == "/in?token=secret"
    assert headers["Content-Type"] == "application/json"
    assert "webhook-signature" not in headers
    assert json.loads(body)["text"] == "New ranker did k."
    message = OutboxMessage.objects.get()
    assert (message.state, message.answered, message.attempts) == (State.SENT, 200, 1)


def test_post__run_twice__posts_once(hook, receiver: Receiver):
    posted(hook)
    assert sending.deliver_waiting(T0 + timedelta(hours=1)) == 0
    assert len(receiver.arrived) == 1


def test_post__signed__verifies_by_the_standard_over_the_very_bytes(signed, receiver: Receiver):
    message = posted(signed)
    _, headers, body = receiver.arrived[0]
    lower = {name.lower(): value for name, value in headers.items()}
    assert lower["webhook-id"] == message.message_id
    at = int(lower["webhook-timestamp"])
    assert lower["webhook-signature"] == signing.signature(SECRET, message.message_id, at, body)
    assert json.loads(body)["type"] == "test"


@pytest.mark.parametrize("status", [500, 502, 429, 408])
def test_post__the_other_side_is_busy__tries_again(hook, receiver: Receiver, status: int):
    receiver.answers = [(status, {}, b"later")]
    message = posted(hook)
    assert (message.state, message.answered, message.attempts) == (State.WAITING, status, 1)
    assert sending.deliver_waiting(T0 + timedelta(minutes=1)) == 1
    assert len(receiver.arrived) == 2


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("7200", timedelta(hours=2)),
        ("5", timedelta(minutes=1)),
        ("soon", timedelta(minutes=1)),
        ("99999999", timedelta(hours=6)),
    ],
)
def test_post__retry_after__is_obeyed_within_bounds(hook, receiver: Receiver, asked: str, wait: timedelta):
    receiver.answers = [(429, {"Retry-After": asked}, b"")]
    assert posted(hook).not_before == T0 + wait


@pytest.mark.parametrize("status", [400, 403])
def test_post__refused__fails_for_good_and_says_why(hook, receiver: Receiver, status: int):
    receiver.answers = [(status, {}, b"invalid_payload\n")]
    message = posted(hook)
    assert (message.state, message.error) == (State.FAILED, f"127.0.0.1 answered {status}: invalid_payload")
    hook.refresh_from_db()
    assert (hook.failures, hook.disabled_at) == (1, None)


def test_post__refused_too_often__is_turned_off_and_told(hook, receiver: Receiver):
    for day in range(MOST_FAILED_POSTS):
        receiver.answers = [(400, {}, b"no")]
        posted(hook, T0 + timedelta(days=day))
    hook.refresh_from_db()
    assert hook.disabled_at is not None
    assert Alert.objects.get().sentence == "The webhook channel refuses messages, so none are sent there any more."


@pytest.mark.parametrize("status", [404, 410])
def test_post__an_address_that_is_gone__is_turned_off_at_once(hook, receiver: Receiver, status: int):
    receiver.answers = [(status, {}, b"no_service")]
    posted(hook)
    hook.refresh_from_db()
    assert hook.disabled_at == T0
    assert posted(hook, T0 + timedelta(hours=1)).error == sending.UNWANTED
    assert len(receiver.arrived) == 1


def test_post__a_redirect__is_not_followed(hook, receiver: Receiver):
    receiver.answers = [(302, {"Location": "http://127.0.0.1:1/"}, b"")]
    message = posted(hook)
    assert message.state == State.FAILED
    assert "Redirects are not followed" in message.error
    assert len(receiver.arrived) == 1


def test_post__nobody_answers__waits_and_asks_that_address_once_a_pass(shop, settings):
    settings.WEBHOOK_PRIVATE = True
    hook = webhook(shop, sealed_url=seal(f"http://127.0.0.1:{free_port()}/"))
    for minute in range(3):
        testing.post(hook, T0 + timedelta(minutes=2 * minute))
    sending.deliver_waiting(T0 + timedelta(hours=1))
    assert sorted(OutboxMessage.objects.values_list("attempts", flat=True)) == [0, 0, 1]


@pytest.mark.parametrize(("kind", "state"), [("slack", State.FAILED), ("generic", State.WAITING)])
def test_post__lost_on_the_way__is_sent_again_only_where_the_receiver_can_tell(shop, receiver: Receiver, kind, state):
    hook = webhook(shop, kind=kind, sealed_url=seal(receiver.url), sealed_secret=seal(SECRET))
    receiver.hang_up = True
    message = posted(hook)
    assert message.state == state
    receiver.hang_up = False
    sending.deliver_waiting(T0 + timedelta(minutes=1))
    ids = [headers.get("webhook-id") for _, headers, _ in receiver.arrived]
    assert len(set(ids)) == 1
    assert len(ids) == (2 if kind == "generic" else 1)


def test_post__a_worker_that_died_while_posting__repeats_signed_json_alone(shop, receiver: Receiver):
    for kind in ("slack", "generic"):
        testing.post(webhook(shop, name=kind, kind=kind, sealed_url=seal(receiver.url), sealed_secret=seal(SECRET)), T0)
    OutboxMessage.objects.update(state=State.SENDING, attempts=1, not_before=T0)
    sending.deliver_waiting(T0)
    states = dict(OutboxMessage.objects.values_list("webhook__kind", "state"))
    assert states == {"slack": State.FAILED, "generic": State.SENT}


def test_post__a_name_that_leads_to_the_own_network__is_refused_also_later(shop, receiver, settings, monkeypatch):
    settings.WEBHOOK_PRIVATE = False
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: found)
    message = posted(webhook(shop))
    assert message.state == State.FAILED
    assert "own network" in message.error
    assert receiver.arrived == []


def test_post__connects_to_the_checked_address_and_keeps_the_name(shop, receiver, monkeypatch):
    # The name resolves once, to what was checked; a second answer is never asked for.
    asked = []

    def once(host, port, *_, **__):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", once)
    hook = webhook(shop, sealed_url=seal(receiver.url.replace("127.0.0.1", "hooks.example.com")))
    assert posted(hook).state == State.SENT
    assert receiver.arrived[0][1]["Host"].startswith("hooks.example.com:")
    assert asked[0] == "hooks.example.com"
    assert "hooks.example.com" not in asked[1:]


def test_post__a_long_answer__is_read_in_part(hook, receiver: Receiver):
    receiver.answers = [(400, {}, b"x" * 1_000_000)]
    assert len(posted(hook).error) < 250


def test_sealed__under_another_secret__says_so(hook, receiver, settings):
    settings.SECRET_KEY = "another"
    message = posted(hook)
    assert message.state == State.FAILED
    assert "TRUELIFT_SECRET_KEY" in message.error


def test_sealed__is_never_the_same_and_opens(settings):
    one, two = seal("https://x"), seal("https://x")
    assert one != two
    assert "https" not in one
    assert unseal(one) == unseal(two) == "https://x"

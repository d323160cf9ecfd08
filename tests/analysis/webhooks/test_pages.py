from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from analysis.mail import tasks
from analysis.models import OutboxMessage, Recipient, Webhook
from analysis.sealing import unseal
from analysis.webhooks import keeping, posting
from experiments.models import AuditEntry
from tests.analysis.notices.conftest import webhook
from tests.builders import T0

FORM = {"name": "#experiments", "kind": "slack", "url": "http://127.0.0.1:9/T/secretpath"}
ACTIONS = ("webhook_test", "webhook_rotate", "webhook_enable", "webhook_remove")


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)
    settings.WEBHOOK_PRIVATE = True


def listing() -> str:
    return reverse("webhook_list", args=["shop"])


def do(client, name: str, hook: Webhook):
    return client.post(reverse(name, args=["shop", hook.pk]), follow=True)


def test_list__a_channel_is_added_and_its_address_is_shown_no_more(client_of_alice, shop):
    page = client_of_alice.post(listing(), FORM, follow=True).content.decode()
    hook = Webhook.objects.get()
    assert unseal(hook.sealed_url) == FORM["url"]
    assert "secretpath" not in page
    assert "http://127.0.0.1/…path" in page
    audited = AuditEntry.objects.get()
    assert (audited.action, audited.subject) == ("webhook.make", "webhook:#experiments")
    assert "secretpath" not in str(audited.after)


def test_list__the_secret_of_signed_json__is_shown_once(client_of_alice, shop):
    page = client_of_alice.post(listing(), {**FORM, "kind": "generic"}, follow=True).content.decode()
    secret = unseal(Webhook.objects.get().sealed_secret)
    assert secret in page
    assert secret not in client_of_alice.get(listing()).content.decode()


def test_list__the_same_form_twice__makes_one(client_of_alice, shop):
    for _ in range(2):
        client_of_alice.post(listing(), {**FORM, "once": "t"})
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "wrong", "said"),
    [
        ("name", "", "required"),
        ("kind", "pigeon", "valid choice"),
        ("url", "ftp://x", "must begin with"),
        ("url", "https://no-such-name.invalid/", "cannot be resolved"),
        ("kinds", "nonsense", "valid choice"),
        ("experiment", "nonsense", "valid choice"),
    ],
)
def test_list__a_wrong_field__is_refused_and_named(client_of_alice, shop, field: str, wrong: str, said: str):
    response = client_of_alice.post(listing(), {**FORM, field: wrong})
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not Webhook.objects.exists()


def test_list__a_private_address_where_none_is_allowed__is_refused(client_of_alice, shop, settings):
    settings.WEBHOOK_PRIVATE = False
    response = client_of_alice.post(listing(), {**FORM, "url": "https://127.0.0.1/x"})
    assert "TRUELIFT_WEBHOOK_PRIVATE=1" in response.content.decode()


def test_list__a_taken_name__is_refused(client_of_alice, shop):
    client_of_alice.post(listing(), FORM)
    assert "already used" in client_of_alice.post(listing(), FORM).content.decode()


def test_edit__without_an_address__keeps_it(client_of_alice, shop, ranker):
    hook = webhook(shop)
    before = hook.sealed_url
    changed = {"name": "alarms", "url": "", "kinds": ["broken-split"], "experiment": ranker.key}
    client_of_alice.post(reverse("webhook_edit", args=["shop", hook.pk]), changed)
    hook.refresh_from_db()
    assert (hook.name, hook.kinds, hook.experiment, hook.sealed_url) == ("alarms", ["broken-split"], ranker, before)
    assert AuditEntry.objects.get().action == "webhook.change"


def test_edit__a_new_address__turns_it_on_again(client_of_alice, shop):
    hook = webhook(shop, disabled_at=T0, failures=10)
    client_of_alice.post(reverse("webhook_edit", args=["shop", hook.pk]), {"name": "channel", "url": FORM["url"]})
    hook.refresh_from_db()
    assert (hook.disabled_at, hook.failures) == (None, 0)


def test_rotate__both_sign_for_a_day(client_of_alice, shop):
    client_of_alice.post(listing(), {**FORM, "kind": "generic"})
    hook = Webhook.objects.get()
    old = unseal(hook.sealed_secret)
    page = do(client_of_alice, "webhook_rotate", hook).content.decode()
    hook.refresh_from_db()
    new = unseal(hook.sealed_secret)
    assert new in page
    now = timezone.now()
    assert posting.keys_of(hook, now) == [new, old]
    assert posting.keys_of(hook, now + keeping.OLD_SECRET_HOLDS + timedelta(minutes=1)) == [new]


def test_rotate__of_a_channel__has_no_secret(client_of_alice, shop):
    assert "has no secret" in do(client_of_alice, "webhook_rotate", webhook(shop)).content.decode()


def test_test__is_written_and_enable_and_remove_do_it_once(client_of_alice, shop):
    hook = webhook(shop, disabled_at=T0)
    Recipient.objects.create(project=shop, email="ada@example.com", webhook=hook)
    do(client_of_alice, "webhook_enable", hook)
    do(client_of_alice, "webhook_test", hook)
    assert OutboxMessage.objects.get().kind == OutboxMessage.Kind.TEST
    assert do(client_of_alice, "webhook_remove", hook).status_code == 200
    assert do(client_of_alice, "webhook_remove", hook).status_code == 404
    hook.refresh_from_db()
    assert (hook.sealed_url, OutboxMessage.objects.get().state) == ("", OutboxMessage.State.FAILED)
    assert Recipient.objects.get().webhook is None


def test_actions__for_viewers_and_strangers__are_closed(client_of_bob, client_of_charlie, shop):
    hook = webhook(shop)
    assert client_of_bob.get(listing()).status_code == 200
    assert client_of_bob.post(listing(), FORM).status_code == 403
    assert client_of_charlie.get(listing()).status_code == 404
    for name in ACTIONS:
        address = reverse(name, args=["shop", hook.pk])
        assert (client_of_bob.post(address).status_code, client_of_charlie.post(address).status_code) == (403, 404)
    assert client_of_charlie.get(reverse("webhook_edit", args=["shop", hook.pk])).status_code == 404


def test_list__queries__do_not_grow(client_of_alice, shop, ranker, django_assert_max_num_queries):
    for number in range(6):
        webhook(shop, name=f"w{number}", experiment=ranker)
    client_of_alice.get(listing())
    with django_assert_max_num_queries(8):
        client_of_alice.get(listing())

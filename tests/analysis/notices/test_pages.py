import pytest
from django.test import Client
from django.urls import reverse

from analysis.mail import tasks
from analysis.models import Digest, Follow, OutboxMessage, Recipient
from analysis.notices import preferences
from analysis.notices.kinds import OccurrenceKind
from experiments.models import AuditEntry
from tests import builders
from tests.analysis.notices.conftest import reader, webhook
from tests.builders import T0

FORM = {
    "time_zone": "Europe/Berlin", "quiet_from": "22", "quiet_until": "7", "alarms_at_any_hour": "on",
    **{f"kind_{kind.value}": "email" for kind in OccurrenceKind}, "kind_started": "none",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)


def here(name: str, *more) -> str:
    return reverse(name, args=["shop", *more])


def test_mine__saves_quiet_hours_and_ways_with_an_audit_row(client_of_alice, shop):
    response = client_of_alice.post(here("notifications"), FORM, follow=True)
    assert "Saved." in response.content.decode()
    alice = Recipient.objects.get()
    assert (alice.time_zone, alice.quiet_from, alice.quiet_until, alice.alarms_at_any_hour) == (
        "Europe/Berlin", 22, 7, True,
    )  # fmt: skip
    assert alice.channels == {"started": "none"}
    assert AuditEntry.objects.get().action == "recipient.wishes"
    assert "Nothing was changed." in client_of_alice.post(here("notifications"), FORM, follow=True).content.decode()
    assert AuditEntry.objects.count() == 1


def test_mine__only_looked_at__stores_nothing(client_of_bob):
    assert client_of_bob.get(here("notifications")).status_code == 200
    assert not Recipient.objects.exists()


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("time_zone", "Mars/Olympus", "must be an IANA name"),
        ("quiet_from", "24", "valid choice"),
        ("kind_started", "pigeon", "valid choice"),
    ],
)
def test_mine__a_wrong_field__is_refused_and_named(client_of_alice, shop, field: str, wrong: str, message: str):
    response = client_of_alice.post(here("notifications"), {**FORM, field: wrong})
    assert response.status_code == 400
    assert message in response.content.decode()


def test_mine__to_a_webhook_without_choosing_one__is_refused(client_of_alice, shop):
    webhook(shop, is_personal=True)
    response = client_of_alice.post(here("notifications"), {**FORM, "kind_ended": "webhook"})
    assert "Choose the webhook" in response.content.decode()


def test_mine__a_test__is_written_to_oneself(client_of_bob):
    client_of_bob.post(here("notification_test"))
    assert OutboxMessage.objects.get().recipient == "bob@example.com"


def test_people__an_address_is_added_once_and_removed(client_of_alice, shop):
    for _ in range(2):
        page = client_of_alice.post(here("notification_people"), {"email": "Ceo@Example.com"}, follow=True)
    assert "ceo@example.com hears of everything" in page.content.decode()
    assert AuditEntry.objects.filter(action="recipient.follow").count() == 1
    client_of_alice.post(here("follow_remove", Follow.objects.get().pk))
    assert not Follow.objects.exists()


def test_people__no_address__is_refused(client_of_alice, shop):
    assert client_of_alice.post(here("notification_people"), {"email": "nobody"}).status_code == 400


def test_people__one_that_refuses__says_why_and_is_turned_on(client_of_alice, shop):
    ada = reader(shop, disabled_at=T0, disabled_because="The SMTP server answered 550 no such person")
    assert "550 no such person" in client_of_alice.get(here("notification_people")).content.decode()
    client_of_alice.post(here("recipient_enable", ada.pk))
    ada.refresh_from_db()
    assert ada.disabled_at is None


def test_people__a_viewer__looks_and_ends_only_what_is_theirs(client_of_bob, shop):
    reader(shop, "ada@example.com")
    own = preferences.follow(shop, "bob@example.com", None, None)
    theirs = Follow.objects.exclude(pk=own.pk).get()
    assert "Add somebody" not in client_of_bob.get(here("notification_people")).content.decode()
    assert client_of_bob.post(here("notification_people"), {"email": "x@example.com"}).status_code == 403
    assert client_of_bob.post(here("follow_remove", theirs.pk)).status_code == 404
    client_of_bob.post(here("follow_remove", own.pk))
    assert list(Follow.objects.all()) == [theirs]


def test_hearers__a_viewer_follows_and_mutes_for_themselves(client_of_bob, ranker):
    page = here("experiment_hearers", ranker.key)
    assert "You hear of New ranker." in client_of_bob.post(page, {"do": "follow"}, follow=True).content.decode()
    client_of_bob.post(page, {"do": "mute"})
    assert Follow.objects.get().is_muted
    assert client_of_bob.post(page, {"do": "add", "email": "x@example.com"}).status_code == 403


def test_hearers__an_analyst_adds_an_address(client_of_alice, ranker):
    page = here("experiment_hearers", ranker.key)
    said = client_of_alice.post(page, {"do": "add", "email": "ceo@example.com"}, follow=True).content.decode()
    assert "ceo@example.com" in said
    assert "no e-mail address" in client_of_alice.post(page, {"do": "add", "email": "x"}, follow=True).content.decode()


def test_pages__for_a_stranger__are_not_there(client_of_charlie, shop, ranker):
    ada = reader(shop)
    for name, *more in [("notifications",), ("notification_people",), ("experiment_hearers", ranker.key)]:
        assert client_of_charlie.get(here(name, *more)).status_code == 404
    for name, *more in [
        ("notification_test",), ("recipient_enable", ada.pk), ("follow_remove", Follow.objects.get().pk),
    ]:  # fmt: skip
        assert client_of_charlie.post(here(name, *more)).status_code == 404


def test_pages__queries__do_not_grow(client_of_alice, shop, ranker, django_assert_max_num_queries):
    for number in range(6):
        preferences.follow(shop, f"p{number}@example.com", ranker, None)
    for name, *more in [("notifications",), ("notification_people",), ("experiment_hearers", ranker.key)]:
        client_of_alice.get(here(name, *more))
        with django_assert_max_num_queries(10):
            client_of_alice.get(here(name, *more))


def by_token(ada: Recipient, name: str = "preferences") -> str:
    return reverse(name, args=[ada.token])


def test_by_token__without_an_account__changes_wishes(shop):
    ada = reader(shop)
    client = Client(enforce_csrf_checks=True)
    assert "What you get and when" in client.get(by_token(ada)).content.decode()
    assert "Saved." in client.post(by_token(ada), {**FORM, "digest_only": "on"}, follow=True).content.decode()
    ada.refresh_from_db()
    assert ada.digest_only
    assert AuditEntry.objects.get(action="recipient.wishes").why == "The recipient did it by the link in a message."
    assert client.post(by_token(ada), {**FORM, "time_zone": "x"}).status_code == 400


def test_by_token__stops_a_digest_and_a_follow_of_its_own_alone(shop, ranker):
    ada, bob = reader(shop), reader(shop, "bob@example.com")
    made = [Digest.objects.create(project=shop, email=one.email, cadence="daily", next_due_at=T0) for one in (ada, bob)]
    client = Client()
    for digest in made:
        client.post(by_token(ada), {"do": "digest", "id": digest.pk})
    for follow in list(Follow.objects.order_by("pk")):
        client.post(by_token(ada), {"do": "unfollow", "id": follow.pk})
    assert list(Digest.objects.filter(unsubscribed_at=None)) == [made[1]]
    assert [one.recipient for one in Follow.objects.all()] == [bob]


def test_silence__opened_by_a_mail_scanner__changes_nothing_and_one_click_ends_it(shop):
    ada = reader(shop)
    client = Client(enforce_csrf_checks=True)
    client.get(by_token(ada, "silence"))
    ada.refresh_from_db()
    assert ada.unsubscribed_at is None
    for _ in range(2):
        page = client.post(by_token(ada, "silence"), {"List-Unsubscribe": "One-Click"})
    assert "You are unsubscribed" in page.content.decode()
    assert AuditEntry.objects.filter(action="recipient.silence").count() == 1
    client.post(by_token(ada), {"do": "hear"})
    ada.refresh_from_db()
    assert ada.unsubscribed_at is None


def test_by_token__a_guess__is_not_there(db):
    for name in ("preferences", "silence"):
        assert Client().post(reverse(name, args=["guess"])).status_code == 404


def test_follow__of_no_address__is_refused(shop):
    with pytest.raises(ValueError, match="must look like"):
        preferences.follow(shop, "nobody", None, None)


def test_follow__after_unsubscribing__hears_again(shop):
    ada = reader(shop, unsubscribed_at=T0)
    preferences.follow(shop, ada.email, builders.experiment(shop), None)
    ada.refresh_from_db()
    assert ada.unsubscribed_at is None

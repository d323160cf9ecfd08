from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from analysis.mail import queueing, tasks
from analysis.models import Digest, OutboxMessage, Portfolio
from experiments.domain.access import Role
from experiments.models import AuditEntry, Experiment, Membership, Project, User
from tests import builders
from tests.analysis.mail.conftest import digest
from tests.builders import T0

NOW = T0 + timedelta(minutes=1)
FORM = {"email": "Exec@Example.com", "cadence": "weekly", "weekday": "0", "hour": "8", "time_zone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)


@pytest.fixture
def alice(shop: Project) -> User:
    return member(shop, "alice@example.com", Role.ADMIN)


def member(shop: Project, email: str, role: Role) -> User:
    person = builders.user(email)
    Membership.objects.create(project=shop, user=person, role=role)
    return person


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def listing(ranker: Experiment) -> str:
    return reverse("experiment_digests", args=[ranker.project.slug, ranker.key])


def test_list__a_recipient_without_an_account__is_added_with_an_audit_row(alice, ranker):
    response = signed_in(alice).post(listing(ranker), FORM, follow=True)
    made = Digest.objects.get()
    assert (made.email, made.experiment, made.time_zone, made.created_by) == (
        "exec@example.com", ranker, "Europe/Berlin", alice,
    )  # fmt: skip
    assert "exec@example.com gets the results every Monday at 08:00 (Europe/Berlin)." in response.content.decode()
    assert AuditEntry.objects.get().action == "digest.subscribe"


def test_list__of_a_project__adds_a_digest_of_everything(alice, shop):
    signed_in(alice).post(reverse("project_digests", args=[shop.slug]), {**FORM, "cadence": "daily"})
    made = Digest.objects.get()
    assert (made.experiment, made.cadence) == (None, "daily")


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("email", "not an address", "valid email address"),
        ("email", "", "required"),
        ("cadence", "hourly", "valid choice"),
        ("weekday", "", "Choose the day of the week"),
        ("hour", "24", "valid choice"),
        ("time_zone", "Mars/Olympus", "it must be an IANA name such as Europe/Berlin"),
    ],
)
def test_list__a_wrong_field__is_refused_and_named(alice, ranker, field: str, wrong: str, message: str):
    response = signed_in(alice).post(listing(ranker), {**FORM, field: wrong})
    assert response.status_code == 400
    assert message in response.content.decode()
    assert not Digest.objects.exists()


def test_list__sent_twice__keeps_one_digest(alice, ranker):
    client = signed_in(alice)
    client.post(listing(ranker), FORM)
    client.post(listing(ranker), {**FORM, "hour": "9"})
    assert Digest.objects.get().hour == 9


def test_list__queries__do_not_grow_with_recipients(alice, ranker, django_assert_max_num_queries):
    for number in range(5):
        made = digest(ranker, f"person{number}@example.com")
        queueing.queue_now(made, NOW)
    client = signed_in(alice)
    client.get(listing(ranker))
    with django_assert_max_num_queries(7):
        assert client.get(listing(ranker)).status_code == 200


def test_list__a_viewer__reads_and_may_not_add(shop, ranker):
    bob = signed_in(member(shop, "bob@example.com", Role.VIEWER))
    assert "Add a recipient" not in bob.get(listing(ranker)).content.decode()
    assert bob.post(listing(ranker), FORM).status_code == 403


def test_every_page__for_a_stranger__is_not_there(alice, ranker):
    charlie = signed_in(builders.user("charlie@example.com"))
    made = digest(ranker)
    message = queueing.queue_now(made, NOW)
    slug = ranker.project.slug
    for name, arguments, method in [
        ("experiment_digests", [slug, ranker.key], "get"),
        ("project_digests", [slug], "get"),
        ("digest_preview", [slug, made.pk], "get"),
        ("digest_preview_body", [slug, made.pk], "get"),
        ("digest_remove", [slug, made.pk], "post"),
        ("digest_send", [slug, made.pk], "post"),
        ("dev_outbox_message", [message.pk], "get"),
        ("dev_outbox_body", [message.pk], "get"),
    ]:
        response = getattr(charlie, method)(reverse(name, args=arguments))
        assert response.status_code == 404, name
    assert "New ranker" not in charlie.get(reverse("dev_outbox")).content.decode()


def test_every_page__signed_out__asks_to_sign_in(ranker):
    made = digest(ranker)
    for path in (listing(ranker), reverse("digest_preview", args=["shop", made.pk]), reverse("dev_outbox")):
        assert Client().get(path)["Location"].startswith(reverse("sign_in"))


def test_digest_of_another_project__is_not_there(alice, ranker):
    elsewhere = digest(builders.experiment(builders.project("elsewhere")))
    response = signed_in(alice).post(reverse("digest_remove", args=["shop", elsewhere.pk]))
    elsewhere.refresh_from_db()
    assert (response.status_code, elsewhere.unsubscribed_at) == (404, None)


def test_remove__ends_the_digest_with_an_audit_row(alice, ranker):
    made = digest(ranker)
    client = signed_in(alice)
    client.post(reverse("digest_remove", args=["shop", made.pk]))
    made.refresh_from_db()
    assert made.unsubscribed_at is not None
    assert AuditEntry.objects.get().action == "digest.stop"


def test_an_ended_digest__in_an_older_tab__is_neither_ended_again_nor_sent(alice, ranker):
    made = digest(ranker)
    client = signed_in(alice)
    client.post(reverse("digest_remove", args=["shop", made.pk]))
    for name in ("digest_remove", "digest_send"):
        page = client.post(reverse(name, args=["shop", made.pk]), follow=True).content.decode()
        assert "gets no more of these e-mails" in page
    assert not OutboxMessage.objects.exists()
    assert AuditEntry.objects.count() == 1


def test_send_now__writes_a_message(alice, ranker):
    made = digest(ranker)
    response = signed_in(alice).post(reverse("digest_send", args=["shop", made.pk]), follow=True)
    assert OutboxMessage.objects.get().recipient == "ada@example.com"
    assert "An e-mail to ada@example.com is in the outbox" in response.content.decode()


def test_send_now__with_a_mail_server__says_that_it_is_on_its_way(alice, ranker, sink):
    response = signed_in(alice).post(reverse("digest_send", args=["shop", digest(ranker).pk]), follow=True)
    assert "An e-mail to ada@example.com is on its way." in response.content.decode()


def test_list__a_failed_message__says_why(alice, ranker):
    queueing.queue_now(digest(ranker), NOW)
    OutboxMessage.objects.update(state="failed", error="The SMTP server answered 550 no such person")
    assert "550 no such person" in signed_in(alice).get(listing(ranker)).content.decode()


def test_preview__shows_subject_and_text_and_frames_the_body(alice, ranker, monkeypatch):
    monkeypatch.setattr("analysis.mail.rendering.draw", lambda *_: pytest.fail("drawn where nobody sees it"))
    builders.snapshot(ranker)
    made = digest(ranker)
    page = signed_in(alice).get(reverse("digest_preview", args=["shop", made.pk])).content.decode()
    assert "Click-through rate is up" in page
    assert reverse("digest_preview_body", args=["shop", made.pk]) in page


def test_body__may_be_framed_here_and_runs_nothing(alice, ranker):
    builders.snapshot(ranker)
    message = queueing.queue_now(digest(ranker), NOW)
    response = signed_in(alice).get(reverse("dev_outbox_body", args=[message.pk]))
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    body = response.content.decode()
    assert "cid:" not in body
    assert body.count("data:image/png;base64,") == 4


def test_outbox__lists_what_was_written(alice, ranker):
    message = queueing.queue_now(digest(ranker), NOW)
    client = signed_in(alice)
    assert "No results yet: New ranker" in client.get(reverse("dev_outbox")).content.decode()
    assert (
        message.message_id.strip("<>") in client.get(reverse("dev_outbox_message", args=[message.pk])).content.decode()
    )


def test_outbox__in_production__is_not_there(alice, ranker, settings: Any):
    settings.DEVELOPMENT = False
    message = queueing.queue_now(digest(ranker), NOW)
    client = signed_in(alice)
    assert client.get(reverse("dev_outbox")).status_code == 404
    assert client.get(reverse("dev_outbox_body", args=[message.pk])).status_code == 404


def test_unsubscribe__opened_by_a_mail_scanner__changes_nothing(ranker):
    made = digest(ranker)
    response = Client().get(reverse("unsubscribe", args=[made.token]))
    made.refresh_from_db()
    assert made.unsubscribed_at is None
    assert '<form method="post">' in response.content.decode()


def test_unsubscribe__one_click_post_without_session_or_csrf__ends_it(ranker):
    made = digest(ranker)
    client = Client(enforce_csrf_checks=True)
    response = client.post(reverse("unsubscribe", args=[made.token]), {"List-Unsubscribe": "One-Click"})
    made.refresh_from_db()
    assert made.unsubscribed_at is not None
    assert response.status_code == 200
    assert "You are unsubscribed" in response.content.decode()
    assert AuditEntry.objects.get().why == "The recipient unsubscribed."


def test_unsubscribe__twice__says_the_same_and_audits_once(ranker):
    address = reverse("unsubscribe", args=[digest(ranker).token])
    pages = [Client().post(address).content for _ in range(2)]
    assert pages[0] == pages[1]
    assert AuditEntry.objects.count() == 1


def test_unsubscribe__leaves_the_other_digests(ranker):
    made, other = digest(ranker), digest(ranker, "bob@example.com")
    Client().post(reverse("unsubscribe", args=[made.token]))
    other.refresh_from_db()
    assert other.unsubscribed_at is None


def test_unsubscribe__unknown_token__is_not_there(db):
    assert Client().post(reverse("unsubscribe", args=["guess"])).status_code == 404


def test_list__monthly_and_at_milestones__are_kept_as_asked(alice, ranker):
    client = signed_in(alice)
    client.post(listing(ranker), {**FORM, "cadence": "monthly", "day_of_month": "31"})
    assert (Digest.objects.get().cadence, Digest.objects.get().day_of_month) == ("monthly", 31)
    page = client.post(listing(ranker), {**FORM, "cadence": "milestones"}, follow=True).content.decode()
    assert "at milestones" in page
    assert Digest.objects.get().next_due_at is None


def portfolio_form(**fields: Any) -> dict[str, Any]:
    return {"name": "Search", "kind": "chosen", "experiments": ["new-ranker"], **fields}


def test_portfolio__is_made_changed_and_removed(alice, ranker):
    client = signed_in(alice)
    new = reverse("portfolio_new", args=["shop"])
    page = client.post(new, portfolio_form(), follow=True).content.decode()
    assert "Search is made." in page
    portfolio = Portfolio.objects.get()
    client.post(reverse("portfolio_digests", args=["shop", portfolio.pk]), FORM)
    assert Digest.objects.get().portfolio == portfolio
    edit = reverse("portfolio_edit", args=["shop", portfolio.pk])
    assert "Find" in client.post(edit, portfolio_form(name="Find"), follow=True).content.decode()
    assert "Find" in client.get(reverse("project_digests", args=["shop"])).content.decode()
    client.post(reverse("portfolio_remove", args=["shop", portfolio.pk]))
    assert not Portfolio.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "required"),
        ({"experiments": []}, "0 experiments are chosen"),
        ({"experiments": ["nonsense"]}, "valid choice"),
        ({"kind": "owner"}, "No owner is chosen"),
        ({"kind": "tag"}, "No tag is given"),
    ],
)
def test_portfolio__a_wrong_field__is_refused_and_named(alice, ranker, fields: dict[str, Any], said: str):
    response = signed_in(alice).post(reverse("portfolio_new", args=["shop"]), portfolio_form(**fields))
    assert response.status_code == 400
    assert said in response.content.decode()


def test_portfolio__for_strangers_and_viewers__is_closed(shop, ranker):
    portfolio = Portfolio.objects.create(project=shop, name="p", kind="tag", tag="x")
    charlie = signed_in(builders.user("charlie@example.com"))
    bob = signed_in(member(shop, "bob@example.com", Role.VIEWER))
    for name in ("portfolio_edit", "portfolio_remove"):
        address = reverse(name, args=["shop", portfolio.pk])
        assert (charlie.post(address).status_code, bob.post(address).status_code) == (404, 403)
    assert charlie.get(reverse("portfolio_digests", args=["shop", portfolio.pk])).status_code == 404
    assert bob.get(reverse("portfolio_digests", args=["shop", portfolio.pk])).status_code == 200
    elsewhere = Portfolio.objects.create(project=builders.project("elsewhere"), name="p", kind="tag", tag="x")
    assert bob.get(reverse("portfolio_digests", args=["shop", elsewhere.pk])).status_code == 404

"""Members: invited by a link that is mailed once, joined by its address alone, changed and removed by admins."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from experiments import members
from experiments.domain.access import Role
from experiments.members import MemberError
from experiments.models import AuditEntry, Invitation, Membership, User
from experiments.tasks import mail_invitation
from tests import builders
from tests.experiments.conftest import signed_in

LIST = "/p/shop/members/"
INVITE = {"email": "New@Example.com", "role": "editor"}
JOIN = {"name": "Nora New", "password": "a long enough secret"}


@pytest.fixture(autouse=True)
def no_broker(monkeypatch):
    monkeypatch.setattr("experiments.pages.members.mail_invitation.delay", lambda _number: None)


@pytest.fixture
def invitation(shop, alice) -> Invitation:
    return members.invite(shop, "new@example.com", Role.EDITOR, alice)


def link(invitation: Invitation) -> str:
    return reverse("join", args=[members.token_of(invitation)])


def test_invite__sent_twice__is_one_invitation_with_its_link_shown(client_of_alice, shop):
    for _ in range(2):
        assert client_of_alice.post(LIST, INVITE).status_code == 302
    made = Invitation.objects.get()
    assert made.email == "new@example.com"
    assert link(made) in client_of_alice.get(LIST).content.decode()
    assert AuditEntry.objects.filter(action="member.invite").count() == 1


def test_invite__with_another_role__replaces_the_first(shop, alice, invitation):
    second = members.invite(shop, "new@example.com", Role.VIEWER, alice)
    assert members.invitation_of(members.token_of(invitation), timezone.now()) is None
    assert members.invitation_of(members.token_of(second), timezone.now()) == second


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"email": "nobody"}, "Enter a valid email address"),
        ({"role": "king"}, "Select a valid choice"),
        ({"email": "alice@example.com"}, "is a member already"),
    ],
)
def test_invite__what_cannot_be__is_refused(client_of_alice, shop, changes, message: str):
    response = client_of_alice.post(LIST, {**INVITE, **changes})
    assert response.status_code == 400
    assert message in response.content.decode()
    assert not Invitation.objects.exists()


def test_mail_invitation__run_twice__is_sent_once(invitation):
    for _ in range(2):
        mail_invitation(invitation.pk)
    (message,) = mail.outbox
    assert message.to == ["new@example.com"]
    assert link(invitation) in message.body
    assert "as editor" in message.body


def test_mail_invitation__of_one_taken_back__is_not_sent(invitation, alice):
    assert [members.revoke(invitation, alice) for _ in range(2)] == [True, False]
    mail_invitation(invitation.pk)
    assert mail.outbox == []


def test_join__without_an_account__makes_one_and_enters_the_project(shop, invitation):
    client = Client()
    page = client.get(link(invitation)).content.decode()
    assert "Join Shop" in page
    assert client.post(link(invitation), {**JOIN, "password": "short"}).status_code == 400
    assert client.post(link(invitation), JOIN).url == reverse("project_home", args=["shop"])
    made = Membership.objects.get(user__email="new@example.com")
    assert (made.role, made.user.name) == ("editor", "Nora New")
    assert Client().get(link(invitation)).status_code == 404, "a link is used once"


def test_join__with_an_account__asks_to_sign_in_first(shop, invitation):
    builders.user("new@example.com")
    answer = Client().get(link(invitation))
    assert answer.url == f"{reverse('sign_in')}?next={link(invitation)}"
    assert User.objects.filter(email="new@example.com").count() == 1


def test_join__by_somebody_else_who_has_the_link__is_refused(client_of_charlie, shop, invitation):
    client_of_charlie.post(link(invitation))
    assert not Membership.objects.filter(user__email="charlie@example.com").exists()
    with pytest.raises(MemberError, match=r"for new@example\.com"):
        members.accept(invitation, User.objects.get(email="charlie@example.com"))


@pytest.mark.parametrize("token", ["nothing", "MQ:1:forged", ""])
def test_join__a_forged_or_old_link__opens_nothing(invitation, token: str):
    assert members.invitation_of(token, timezone.now()) is None
    assert members.invitation_of(members.token_of(invitation), timezone.now() + timedelta(days=8)) is None


def test_role__of_a_member__changes_once_and_the_last_admin_stays(client_of_alice, client_of_bob, shop, alice):
    bob = Membership.objects.get(user__email="bob@example.com")
    for _ in range(2):
        client_of_alice.post(reverse("member_role", args=["shop", bob.pk]), {"role": "editor"})
    bob.refresh_from_db()
    assert bob.role == "editor"
    assert AuditEntry.objects.filter(action="member.role").count() == 1
    own = Membership.objects.get(user=alice)
    page = client_of_alice.post(reverse("member_role", args=["shop", own.pk]), {"role": "viewer"}, follow=True)
    assert "is the last admin of" in page.content.decode()
    gone = client_of_alice.post(reverse("member_remove", args=["shop", own.pk]), follow=True).content.decode()
    assert "is the last admin of" in gone
    own.refresh_from_db()
    assert own.role == "admin"


def test_remove__a_member__shuts_them_out_at_once(client_of_alice, client_of_bob, shop):
    bob = Membership.objects.get(user__email="bob@example.com")
    for _ in range(2):
        client_of_alice.post(reverse("member_remove", args=["shop", bob.pk]))
    assert client_of_bob.get(LIST).status_code == 404
    assert AuditEntry.objects.filter(action="member.remove").count() == 1


def test_members__others_than_admins__read_and_change_nothing(
    client_of_bob, client_of_charlie, shop, invitation, alice
):
    editor = builders.user("ed@example.com")
    Membership.objects.create(project=shop, user=editor, role=Role.EDITOR)
    own = Membership.objects.get(user=alice)
    posts = [
        (LIST, INVITE),
        (reverse("member_role", args=["shop", own.pk]), {"role": "viewer"}),
        (reverse("member_remove", args=["shop", own.pk]), {}),
        (reverse("invitation_revoke", args=["shop", invitation.pk]), {}),
    ]
    for client, status in ((client_of_charlie, 404), (client_of_bob, 403), (signed_in(editor), 403)):
        assert [client.post(where, sent).status_code for where, sent in posts] == [status] * 4
    page = client_of_bob.get(LIST).content.decode()
    assert "<form" not in page.split("<main")[1]
    assert link(invitation) not in page


def test_members__more_of_them__cost_no_more_queries(client_of_alice, shop, alice, django_assert_max_num_queries):
    for i in range(12):
        Membership.objects.create(project=shop, user=builders.user(f"m{i}@example.com"), role=Role.VIEWER)
        members.invite(shop, f"i{i}@example.com", Role.VIEWER, alice)
    with django_assert_max_num_queries(9):
        client_of_alice.get(LIST)

"""Who is a member of a project: invited by a link, with a role that can change, and removed; one admin always stays."""

from datetime import datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from experiments import audit
from experiments.domain.access import Role
from experiments.models import Invitation, Membership, Project, User
from experiments.names import lock_names
from experiments.refusals import RefusedError

VALID_FOR = timedelta(days=7)
MOST_OPEN = 200
_SALT = "experiments.invitation"


class MemberError(RefusedError):
    """A membership cannot be changed as asked."""


def open_invitations(project: Project, now: datetime) -> list[Invitation]:
    """Return the invitations that can still be accepted."""
    waiting = project.invitations.filter(accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now)
    return list(waiting.select_related("created_by"))


@transaction.atomic
def invite(project: Project, email: str, role: Role, user: User | None, *, at: datetime | None = None) -> Invitation:
    """Let an address join with a role; the same again renews the week, another role replaces the one offered.

    Raises
    ------
    MemberError
        When the address belongs to a member, or too many invitations are open.
    """
    now = at or timezone.now()
    email = User.objects.normalize_email(email.strip()).lower()
    lock_names(project)
    if project.memberships.filter(user__email=email).exists():
        raise MemberError(f"{email} is a member already. Change the role in the list instead.")
    waiting = project.invitations.filter(accepted_at__isnull=True, revoked_at__isnull=True)
    found = waiting.filter(email=email).first()
    if found is None and waiting.filter(expires_at__gt=now).count() >= MOST_OPEN:
        raise MemberError(f"{MOST_OPEN} invitations are open, which is the most. Take some back first.")
    if found is not None and found.expires_at > now and found.role == role:
        return found
    if found is not None:
        found.revoked_at = now
        found.save(update_fields=["revoked_at"])
    made = Invitation.objects.create(
        project=project, email=email, role=role.value, created_by=user, created_at=now, expires_at=now + VALID_FOR
    )
    _record(project, user, "member.invite", email, after={"role": role.value})
    return made


@transaction.atomic
def revoke(invitation: Invitation, user: User | None) -> bool:
    """Take an invitation back; return whether this call did it."""
    mine = Invitation.objects.select_for_update(of=("self",)).select_related("project").get(pk=invitation.pk)
    if mine.accepted_at is not None or mine.revoked_at is not None:
        return False
    mine.revoked_at = timezone.now()
    mine.save(update_fields=["revoked_at"])
    _record(mine.project, user, "member.uninvite", mine.email, before={"role": mine.role})
    return True


def token_of(invitation: Invitation) -> str:
    """Return what stands in the invitation's link. It names the row and is signed, so no secret is kept anywhere."""
    return signing.Signer(salt=_SALT).sign(str(invitation.pk))


def link_of(invitation: Invitation) -> str:
    """Return the address at which an invitation is accepted."""
    return f"{settings.BASE_URL}{reverse('join', args=[token_of(invitation)])}"


def invitation_of(token: str, now: datetime) -> Invitation | None:
    """Return the invitation of a link, or None where it is forged, over, taken back or used."""
    try:
        number = int(signing.Signer(salt=_SALT).unsign(token))
    except (signing.BadSignature, ValueError):
        return None
    found = Invitation.objects.select_related("project", "created_by").filter(pk=number, expires_at__gt=now)
    return found.filter(accepted_at__isnull=True, revoked_at__isnull=True).first()


@transaction.atomic
def accept(invitation: Invitation, user: User) -> bool:
    """Join; return whether this call did it. Only the address that was invited can, whoever has the link.

    Raises
    ------
    MemberError
        When the account has another address.
    """
    mine = Invitation.objects.select_for_update(of=("self",)).select_related("project").get(pk=invitation.pk)
    if user.email.lower() != mine.email:
        raise MemberError(f"The invitation is for {mine.email}, and you are signed in as {user.email}.")
    if mine.accepted_at is not None or mine.revoked_at is not None:
        return False
    mine.accepted_at = timezone.now()
    mine.save(update_fields=["accepted_at"])
    Membership.objects.get_or_create(project=mine.project, user=user, defaults={"role": mine.role})
    _record(mine.project, user, "member.join", mine.email, after={"role": mine.role})
    return True


@transaction.atomic
def change_role(membership: Membership, role: Role, user: User | None) -> bool:
    """Give a member another role; return whether it was another. The last admin stays one."""
    lock_names(membership.project)
    mine = Membership.objects.select_related("project", "user").get(pk=membership.pk)
    if mine.role == role:
        return False
    if mine.role == Role.ADMIN:
        _refuse_losing_the_last_admin(mine)
    before = mine.role
    mine.role = role.value
    mine.save(update_fields=["role"])
    _record(mine.project, user, "member.role", mine.user.email, before={"role": before}, after={"role": role.value})
    return True


@transaction.atomic
def remove(membership: Membership, user: User | None) -> bool:
    """Take a member out of the project; return whether this call did it. What they made stays, with their name."""
    lock_names(membership.project)
    mine = Membership.objects.select_related("project", "user").filter(pk=membership.pk).first()
    if mine is None:
        return False
    if mine.role == Role.ADMIN:
        _refuse_losing_the_last_admin(mine)
    _record(mine.project, user, "member.remove", mine.user.email, before={"role": mine.role})
    mine.delete()
    return True


def _refuse_losing_the_last_admin(membership: Membership) -> None:
    admins = Membership.objects.filter(project=membership.project, role=Role.ADMIN.value, user__is_active=True)
    if not admins.exclude(pk=membership.pk).exists():
        _refuse(f"{membership.user} is the last admin of {membership.project}. Make somebody else an admin first.")


def _refuse(words: str) -> NoReturn:
    raise MemberError(words)


def _record(
    project: Project,
    user: User | None,
    action: str,
    email: str,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(project, user, action, f"member:{email}"[:120], before=before, after=after)

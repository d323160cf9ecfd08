"""Who is a member: for keys with the scope ``members`` alone, which only admins can make."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from experiments import members
from experiments.api.fields import Taken
from experiments.api.finding import missing
from experiments.api.operations import Call, Operation
from experiments.domain.access import Role, Scope
from experiments.models import Invitation, Membership


class MemberAnswer(Struct, frozen=True, kw_only=True):
    """A member and the role."""

    id: int
    email: str
    name: str
    role: Role


class InvitationAnswer(Struct, frozen=True, kw_only=True):
    """An open invitation, with the link at which it is accepted."""

    id: int
    email: str
    role: Role
    expires_at: datetime
    link: str


class MemberList(Struct, frozen=True, kw_only=True):
    """Members, and who is invited."""

    members: list[MemberAnswer]
    invitations: list[InvitationAnswer]


class Invite(Taken, frozen=True, kw_only=True):
    """Whom to invite. No mail is sent: give the link to whom it is for."""

    email: Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    role: Role


class NewRole(Taken, frozen=True, kw_only=True):
    """What a member may do from now on."""

    role: Role


def _member(row: Membership) -> MemberAnswer:
    return MemberAnswer(id=row.pk, email=row.user.email, name=row.user.name, role=Role(row.role))


def _invitation(row: Invitation) -> InvitationAnswer:
    return InvitationAnswer(
        id=row.pk, email=row.email, role=Role(row.role), expires_at=row.expires_at, link=members.link_of(row)
    )


def index(call: Call) -> MemberList:
    """List members and open invitations."""
    rows = call.project.memberships.select_related("user").order_by("user__email")
    waiting = members.open_invitations(call.project, timezone.now())
    return MemberList(members=[_member(row) for row in rows], invitations=[_invitation(row) for row in waiting])


def invite(call: Call, body: Invite) -> InvitationAnswer:
    """Invite an address."""
    return _invitation(members.invite(call.project, body.email, body.role, None))


def uninvite(call: Call) -> None:
    """Take an invitation back."""
    found = call.project.invitations.filter(pk=call.args["id"]).first()
    if found is None:
        raise missing(call.project, "invitation", call.args["id"])
    members.revoke(found, None)


def _membership(call: Call) -> Membership:
    found = call.project.memberships.select_related("user", "project").filter(pk=call.args["id"]).first()
    if found is None:
        raise missing(call.project, "member", call.args["id"])
    return found


def change_role(call: Call, body: NewRole) -> MemberAnswer:
    """Give a member another role."""
    found = _membership(call)
    members.change_role(found, body.role, None)
    found.refresh_from_db(fields=["role"])
    return _member(found)


def remove(call: Call) -> None:
    """Take a member out."""
    members.remove(_membership(call), None)


OPERATIONS = [
    Operation(
        method="GET", path="/members", summary="List members and invitations", handle=index, answers=MemberList,
        scope=Scope.MEMBERS,
    ),
    Operation(
        method="PUT", path="/members/{id}", summary="Give a member another role", handle=change_role, takes=NewRole,
        answers=MemberAnswer, scope=Scope.MEMBERS,
    ),
    Operation(
        method="DELETE", path="/members/{id}", summary="Take a member out", handle=remove, answers=None,
        status=HTTPStatus.NO_CONTENT, scope=Scope.MEMBERS,
    ),
    Operation(
        method="POST", path="/invitations", summary="Invite an address", handle=invite, takes=Invite,
        answers=InvitationAnswer, status=HTTPStatus.CREATED, scope=Scope.MEMBERS,
    ),
    Operation(
        method="DELETE", path="/invitations/{id}", summary="Take an invitation back", handle=uninvite, answers=None,
        status=HTTPStatus.NO_CONTENT, scope=Scope.MEMBERS,
    ),
]  # fmt: skip

"""Members and invitations; the key needs the scope ``members``."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from config.cli import tables
from config.cli.asking import changes, shows
from config.cli.declaring import Asked, by_number, command, group

ROLES = ("viewer", "analyst", "editor", "admin")


def declare(words: Any) -> None:
    """Declare ``members``."""
    under = group(words, "members", "list, invite and remove members, and change what they may do")
    command(under, "list", shows("/members", _everyone), "list members and open invitations")
    invited = changes("POST", "/invitations", _invited, ["email", "role"])
    command(under, "invite", invited, "invite an address", "EMAIL").add_argument("role", choices=ROLES)
    revoked = changes("DELETE", "/invitations/{id}", lambda _, asked: f"Invitation {asked.id} is taken back.")
    by_number(under, "uninvite", revoked, "take an invitation back")
    changed = changes("PUT", "/members/{id}", lambda made, _: f"{made['email']} is {made['role']} now.", ["role"])
    by_number(under, "role", changed, "give a member another role").add_argument("role", choices=ROLES)
    removed = changes("DELETE", "/members/{id}", lambda _, asked: f"Member {asked.id} is out of the project.")
    by_number(under, "remove", removed, "take a member out of the project")


def _everyone(found: Any, _: Asked) -> RenderableType:
    members = tables.some(found["members"], ("id", "email", "name", "role"))
    if not found["invitations"]:
        return members
    waiting = tables.some(found["invitations"], ("id", "email", "role", "expires_at", "link"))
    return Group(members, Text(""), Text("Invited", style="bold"), waiting)


def _invited(made: Any, _: Asked) -> str:
    return f"No mail is sent. Give this link to {made['email']}: {made['link']}"

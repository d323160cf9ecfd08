"""What the API can do, as a table: each operation's address, what it takes, what it answers and who may call it."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from msgspec import Struct

from experiments.domain.access import Scope
from experiments.models import ApiKey, Project

ROOT = "/api/v1"
NUMBERS = frozenset({"id", "run_id"})
"""Parameters of addresses that are numbers; all others are keys."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to one operation, after its key was checked."""

    request: HttpRequest
    key: ApiKey
    args: dict[str, Any]
    query: Any = None

    @property
    def project(self) -> Project:
        """Return the project that the key opens."""
        return self.key.project


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address.

    ``handle`` gets the call, and the body where the operation ``takes`` one. ``current`` returns what If-Match is held
    against, for example the experiment as GET answers it. What ``answers`` None makes its own response. Where it
    ``takes_file``, the body is any file's bytes, and ``handle`` gets them as they are. One that is ``apart`` reads the
    request and keeps its transactions itself: a file in a ``form``, or a change that waits for another server; it must
    bear being sent twice.
    """

    method: str
    path: str
    summary: str
    handle: Callable[..., object]
    answers: type[Struct] | None
    takes: type[Struct] | None = None
    query: type[Struct] | None = None
    status: HTTPStatus = HTTPStatus.OK
    current: Callable[[Call], object] | None = None
    scope: Scope | None = None
    takes_file: bool = False
    form: type[Struct] | None = None
    apart: bool = False

    @property
    def needs(self) -> Scope:
        """Return the scope that a key must have."""
        return self.scope or (Scope.READ if self.method == "GET" else Scope.WRITE)

    @property
    def writes(self) -> bool:
        """Say whether it runs as one change: in a transaction, once per Idempotency-Key, recorded with its key."""
        return self.method != "GET" and self.needs in (Scope.WRITE, Scope.MEMBERS) and not self.apart

    @property
    def tag(self) -> str:
        """Return the resource that it is about."""
        return self.path.split("/")[1]


def link(path: str, **args: object) -> str:
    """Return an address of the API as others reach it."""
    return (
        f"{settings.BASE_URL}{ROOT}{path.format(**{name: quote(str(value), safe='') for name, value in args.items()})}"
    )

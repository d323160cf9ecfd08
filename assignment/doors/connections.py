"""What the SDK doors share: which connection a key in the address opens, and how they refuse."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Struct

from assignment.engine.program import Program
from assignment.wire import JSON, Answer
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery

UNRECOVERABLE = ("x-unrecoverable", "1")
"""Tells clients and caches that asking again with the same key will not help."""
NEVER_STORED = ("cache-control", "no-store")


class Served(Protocol):
    """One environment of a project as the edge serves it (assignment/table.py)."""

    @property
    def payload(self) -> bytes: ...  # noqa: D102
    @property
    def date_updated(self) -> str: ...  # noqa: D102
    @property
    def program(self) -> Program: ...  # noqa: D102


class Connection(Struct, frozen=True, kw_only=True):
    """What an SDK's client key stands for: an environment of a project, and how its definition may be handed out."""

    project_id: int
    environment: Environment
    delivery: Delivery
    encryption_key: str
    served: Served

    @property
    def updated_at(self) -> datetime:
        """When the definition became what it is."""
        return datetime.fromisoformat(self.served.date_updated)


Connect = Callable[[str], Connection]
"""Returns the connection of a client key, or raises ``RefusedError``."""


class RefusedError(Exception):
    """The SDK doors cannot serve this request; the message is for whoever set the client up."""

    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = list(headers)

    def answer(self) -> Answer:
        """Return the refusal in the protocol's shape."""
        body = msgspec.json.encode({"status": self.status, "error": str(self)})
        return self.status, [JSON, NEVER_STORED, *self.headers], body


def need_method(method: str, *allowed: str) -> None:
    """Refuse any other method."""
    if method not in allowed:
        listed = ", ".join(allowed)
        raise RefusedError(405, f"{method[:20]} is not answered here; use {allowed[0]}.", ("allow", listed))

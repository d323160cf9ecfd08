"""What the SDK doors share: which connection a key in the address opens, and how they refuse."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import Struct

from assignment.engine.program import Program
from assignment.table import Table
from assignment.wire import JSON, Answer
from experiments.domain.access import Scope
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


class Edges(Protocol):
    """What this needs of the edge (assignment/edge.py)."""

    @property
    def table(self) -> Table | None: ...  # noqa: D102


class EdgeConnections:
    """Finds connections in what the edge serves."""

    def __init__(self, edge: Edges) -> None:
        self._edge = edge

    def connect(self, key: str) -> Connection:
        """Return the connection of a client key.

        Raises
        ------
        RefusedError
            400 and final for a key that is unknown, revoked or not for evaluation; 503 before the first snapshot.
        """
        table = self._edge.table
        if table is None:
            raise RefusedError(503, "No snapshot has been loaded yet; try again.", ("retry-after", "1"))
        grant = table.grant(key) if key.isascii() else None
        served = None if grant is None else table.environment(grant.project_id, grant.environment)
        if grant is None or served is None:
            raise RefusedError(
                400, "The client key is unknown or revoked. Use an API key of the project.", UNRECOVERABLE
            )
        if not grant.allows(Scope.EVALUATE):
            raise RefusedError(400, "The client key may not evaluate. Make one with that scope.", UNRECOVERABLE)
        return Connection(
            project_id=grant.project_id,
            environment=grant.environment,
            delivery=grant.delivery,
            encryption_key=grant.encryption_key,
            served=served,
        )


def need_method(method: str, *allowed: str) -> None:
    """Refuse any other method."""
    if method not in allowed:
        listed = ", ".join(allowed)
        raise RefusedError(405, f"{method[:20]} is not answered here; use {allowed[0]}.", ("allow", listed))

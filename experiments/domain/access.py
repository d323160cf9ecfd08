"""Who may do what in a project, and what an API key may be used for."""

from enum import StrEnum

from msgspec import Struct

from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery


class Role(StrEnum):
    """A member's role, weakest first in ``ROLE_RANK``."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    EDITOR = "editor"
    ADMIN = "admin"


ROLE_RANK: dict[Role, int] = {Role.VIEWER: 0, Role.ANALYST: 1, Role.EDITOR: 2, Role.ADMIN: 3}


class Scope(StrEnum):
    """What the holder of an API key may do."""

    EVALUATE = "evaluate"
    INGEST = "ingest"
    READ = "read"
    WRITE = "write"
    MEMBERS = "members"


class KeyGrant(Struct, frozen=True, kw_only=True):
    """What one API key opens: a project, the scopes in it, and the environment whose definition it serves.

    ``encryption_key`` is the base64 of 16 bytes where the delivery is encrypted, and empty elsewhere.
    """

    project_id: int
    scopes: frozenset[Scope]
    environment: Environment = Environment.PRODUCTION
    delivery: Delivery = Delivery.PLAIN
    encryption_key: str = ""

    def allows(self, scope: Scope) -> bool:
        """Say whether the key may be used for ``scope``."""
        return scope in self.scopes

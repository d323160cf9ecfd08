"""What the SDK doors stand on, without an edge, a server or a clock."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from assignment.doors.connections import UNRECOVERABLE, Connection, RefusedError
from assignment.engine.program import Program, compile_features
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery

T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
ENCRYPTION_KEY = "MTIzNDU2Nzg5MDEyMzQ1Ng=="


@dataclass(frozen=True)
class FakeServed:
    payload: bytes
    date_updated: str = LONG_AGO.isoformat()

    @cached_property
    def program(self) -> Program:
        content = json.loads(self.payload)
        return compile_features(content["features"], content.get("savedGroups", {}))


def document(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "status": 200,
        "features": {"ranker": {"defaultValue": "old", "rules": [{"force": "new"}]}},
        "savedGroups": {"team": ["u1", "u2"]},
        "dateUpdated": "2026-01-01T00:00:00.000Z",
    }
    return {**content, **changes}


def payload(**changes: Any) -> bytes:
    return json.dumps(document(**changes), separators=(",", ":")).encode()


@dataclass
class Keys:
    """A directory of connections that a test can change."""

    served: FakeServed = field(default_factory=lambda: FakeServed(payload()))
    revoked: bool = False

    def connect(self, key: str) -> Connection:
        if self.revoked or key not in [delivery.value for delivery in Delivery]:
            raise RefusedError(400, "The key is unknown or revoked.", UNRECOVERABLE)
        return Connection(
            project_id=1,
            environment=Environment.PRODUCTION,
            delivery=Delivery(key),
            encryption_key=ENCRYPTION_KEY if key == "encrypted" else "",
            served=self.served,
        )

    def change(self, at: datetime = T0, **changes: Any) -> None:
        self.served = FakeServed(payload(**changes), at.isoformat())


class FakeExchange:
    """A client of a stream: what it has read, and whether it is still there."""

    def __init__(self, *, reads: bool = True) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self._reads = reads
        self._gone = asyncio.Event()

    async def client_disconnect(self) -> None:
        await self._gone.wait()

    def leave(self) -> None:
        self._gone.set()

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> "FakeExchange":
        self.status, self.headers = status, dict(headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        if not self._reads:
            await asyncio.Event().wait()
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return b"".join(self.pieces).decode()

    async def until(self, words: str) -> None:
        async with asyncio.timeout(10):
            while words not in self.text:
                await asyncio.sleep(0.001)

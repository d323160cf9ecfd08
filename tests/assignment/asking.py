"""Ask a door as a client would, without a server between."""

import asyncio
import json
from typing import Any, NamedTuple

from assignment.edge import Edge
from assignment.ofrep import FLAGS, OfrepDoor
from tests.assignment import contract


class Asked(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


def send(
    edge: Edge, path: str, body: bytes = b"", headers: dict[str, str] | None = None, *, method: str = "POST"
) -> Asked:
    """Send exactly this request to the OFREP door, and hold its answer to the protocol's own document."""
    status, answered, content = asyncio.run(OfrepDoor(edge).handle(method, path, headers or {}, "", body))
    asked = Asked(status, dict(answered), json.loads(content) if content else None)
    contract.check(path, status, asked.body)
    return asked


def ask(edge: Edge, key: str, flag: str = "new-ranker", context: dict[str, Any] | None = None) -> Asked:
    """Evaluate one flag for ``shopper-1``, or for another context."""
    body = json.dumps({"context": {"targetingKey": "shopper-1"} if context is None else context}).encode()
    return send(edge, f"{FLAGS}/{flag}", body, {"authorization": f"Bearer {key}"})


def ask_all(edge: Edge, key: str, context: dict[str, Any], **headers: str) -> Asked:
    """Evaluate every flag; a header's underscores are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(edge, FLAGS, json.dumps({"context": context}).encode(), {"authorization": f"Bearer {key}", **named})

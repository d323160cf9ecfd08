"""OFREP's door with one more promise: a single evaluation that asks for it logs its exposure."""

from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec

from assignment.admission import admitted
from assignment.context import plain_body, read_context
from assignment.doors.exposing import ExposureLog, Logged
from assignment.edge import Edge
from assignment.engine.terminals import Exposure
from assignment.ofrep import FLAGS, LARGEST_BODY, OfrepDoor
from assignment.wire import JSON, Answer
from experiments.domain.access import Scope
from experiments.domain.environments import Environment

PARAMETER = "exposure"
HEADER = "x-truelift-exposure"
_YES = frozenset(("1", "true"))
_SINGLE = FLAGS + "/"


class SingleDoor:
    """Answers OFREP, and logs the exposures of a single evaluation with ``?exposure=true`` or ``HEADER: 1``.

    The answer waits until the exposure is on disk, but not for long, and says in ``metadata.exposure`` what became of
    it: assignment goes on while the log is away, and no exposure that may be lost is called stored. An evaluation of
    all flags never logs: nobody has seen them yet.
    """

    def __init__(self, door: OfrepDoor, edge: Edge, log: ExposureLog) -> None:
        self._door = door
        self._edge = edge
        self._log = log

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; ``path`` is percent-decoded and header names are lower-case."""
        if path.startswith(_SINGLE) and _wanted(headers, query):
            return await self._exposing(method, path, headers, body)
        return await self._door.handle(method, path, headers, query, body)

    async def _exposing(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        key = path.removeprefix(_SINGLE)
        while True:
            table = self._edge.table
            status, answered, content = self._door.answer(method, path, headers, body)
            if status != 200:
                return status, answered, content
            _, opened = admitted(self._edge, headers, Scope.EVALUATE)
            grant, environment = opened.grant, opened.environment
            if not grant.allows(Scope.INGEST):
                return _forbidden(key)
            attributes, _ = environment.attributes(read_context(plain_body(headers, body, LARGEST_BODY)))
            exposures = environment.program.exposures(key, attributes)
            if self._edge.table is table:  # or a change came between the answer and its exposures
                break
        return 200, answered, await self._told(grant.project_id, grant.environment, exposures, content)

    async def _told(
        self, project_id: int, environment: Environment, exposures: list[Exposure], content: bytes
    ) -> bytes:
        logged = await self._log.write(project_id, environment, exposures)
        return with_metadata(content, logged)


def with_metadata(content: bytes, logged: Logged) -> bytes:
    """Return an OFREP answer whose metadata says what became of the exposure."""
    answer = msgspec.json.decode(content)
    answer["metadata"] = {**answer.get("metadata", {}), "exposure": logged.value}
    return msgspec.json.encode(answer)


def _wanted(headers: Mapping[str, str], query: str) -> bool:
    if headers.get(HEADER, "").strip().lower() in _YES:
        return True
    return PARAMETER in query and parse_qs(query).get(PARAMETER, [""])[-1].lower() in _YES


def _forbidden(key: str) -> Answer:
    details = (
        "The API key may evaluate, but a logged exposure is an event: "
        f"the key needs the scope {Scope.INGEST.value!r} as well."
    )
    return 403, [JSON], msgspec.json.encode({"key": key, "errorCode": "GENERAL", "errorDetails": details})

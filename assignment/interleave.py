"""Mix two rankings for apps that have no client of ours: ``POST /v1/interleave``."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from assignment.admission import admitted
from assignment.client.drafting import CONTROL, INTERLEAVED, LONGEST_LIST, team_draft
from assignment.context import TARGETING_KEY, RequestError, plain_body
from assignment.edge import Edge
from assignment.table import Environment
from assignment.wire import JSON, Answer
from experiments.domain.access import Scope

PATH = "/v1/interleave"
LARGEST_BODY = 64 * 1024
EXAMPLE = (
    '{"experiment": "new-ranker", "unit": "user-7", "impression_id": "imp-1", "control": ["a", "b"], '
    '"treatment": ["b", "c"]}'
)

Item = Annotated[str, Meta(min_length=1, max_length=255)]
Items = Annotated[list[Item], Meta(max_length=1000)]


class _Body(Struct, forbid_unknown_fields=True):
    experiment: str
    unit: str | int
    impression_id: Annotated[str, Meta(min_length=1, max_length=255)]
    control: Items
    treatment: Items
    length: Annotated[int, Meta(ge=1, le=LONGEST_LIST)] | None = None
    context: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(_Body)


class InterleaveDoor:
    """Answers with the list to show and whose pick each item is; without a database, from the edge's snapshot.

    A unit that takes no part gets the control's own list, and nothing to report. 200 carries a list; 400 is for a
    request that cannot be read, 404 for what is no interleaving that runs, the rest as at the OFREP door.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; header names are lower-case."""
        del query
        try:
            if path.rstrip("/") != PATH:
                raise RequestError("NOT_FOUND", f"There is nothing at {path[:100]}; ask {PATH}.", status=404)
            if method != "POST":
                details = f"{method[:20]} is not answered here; use POST."
                raise RequestError("METHOD_NOT_ALLOWED", details, status=405, headers=[("allow", "POST")])
            environment = admitted(self._edge, headers, Scope.EVALUATE)[1].environment
            answer = _mixed(environment, _read(plain_body(headers, body, LARGEST_BODY)))
        except RequestError as error:
            refused = {"code": error.code, "message": error.details}
            return error.status, [JSON, *error.headers], msgspec.json.encode(refused)
        return 200, [JSON, ("cache-control", "no-store")], msgspec.json.encode(answer)


def _read(body: bytes) -> _Body:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("INVALID_REQUEST", f"{error}. Send an object such as {EXAMPLE}.") from error


def _mixed(environment: Environment, asked: _Body) -> dict[str, Any]:
    flag = environment.flags.get(asked.experiment)
    if flag is None or INTERLEAVED not in (*flag.facts.variants, flag.facts.kind):
        known = "is no interleaving" if flag is not None else "is not there"
        raise RequestError("NOT_FOUND", f"{asked.experiment[:100]!r} {known}, or does not run.", status=404)
    attributes, problems = environment.attributes({TARGETING_KEY: asked.unit, **asked.context})
    end = flag.compiled.choose(attributes)
    if flag.ends[end] is None:
        raise flag.missing(problems)
    length = asked.length or max(len(asked.control), len(asked.treatment), 1)
    if flag.answers[end].value != INTERLEAVED:
        items = list(dict.fromkeys(asked.control))[:length]
        return {"interleaved": False, "items": [{"item": item, "team": CONTROL} for item in items], "properties": None}
    draft = team_draft(asked.control, asked.treatment, length=min(length, LONGEST_LIST), seed=asked.impression_id)
    pairs = zip(draft.items, draft.teams, strict=True)
    return {
        "interleaved": True,
        "items": [{"item": item, "team": team} for item, team in pairs],
        "properties": draft.properties(asked.experiment),
    }

"""The SDK remote evaluation door: what one unit gets of everything, and nothing of how that is decided."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assignment.doors.connections import (
    NEVER_STORED,
    UNRECOVERABLE,
    Connect,
    Connection,
    RefusedError,
    need_method,
)
from assignment.engine.program import Options, Program
from assignment.engine.sdk.context import forced_features
from assignment.engine.terminals import Exposure
from assignment.wire import JSON, Answer
from experiments.domain.kinds import Delivery

PATH = "/api/eval/"
LARGEST_BODY = 256 * 1024
MOST_FORCED = 1_000
HIDDEN = "$"
_SECRET = ("condition", "parentConditions", "filters")


class Question(Struct, rename="camel", kw_only=True):
    """What a client asks with; every part may be absent."""

    attributes: dict[str, Any] | None = None
    forced_variations: dict[str, Any] | None = None
    forced_features: list[Any] | dict[str, Any] | None = None
    url: str | None = None


_decoder = msgspec.json.Decoder(Question)
_encoder = msgspec.json.Encoder()


class RemoteDoor:
    """Answers ``POST /api/eval/{key}`` for connections that are made for it.

    The body counts as JSON whatever its content type says: browsers send ``text/plain`` to save a preflight.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; ``path`` begins with ``PATH``."""
        del headers, query
        try:
            need_method(method, "POST")
            connection = self._connect(path.removeprefix(PATH).rstrip("/"))
            if connection.delivery is not Delivery.REMOTE:
                raise RefusedError(
                    400, "This key is not for remote evaluation: ask GET /api/features/<key>.", UNRECOVERABLE
                )
            return 200, [JSON, NEVER_STORED], _evaluated(connection, read_question(body))
        except RefusedError as refusal:
            return refusal.answer()


def read_question(body: bytes) -> Question:
    """Return what a client asks with.

    Raises
    ------
    RefusedError
        413 when the body is too large, 400 when it is no such question.
    """
    if len(body) > LARGEST_BODY:
        raise RefusedError(413, f"The body has {len(body)} bytes; at most {LARGEST_BODY} are allowed.")
    if not body.strip():
        return Question()
    try:
        question = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RefusedError(400, f'The body does not fit: {error}. Send {{"attributes": {{…}}}}.') from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, f'The body is not JSON ({error}). Send {{"attributes": {{…}}}}.') from error
    for name, forced in (
        ("forcedVariations", question.forced_variations),
        ("forcedFeatures", question.forced_features),
    ):
        if forced is not None and len(forced) > MOST_FORCED:
            raise RefusedError(400, f"{name} has {len(forced)} entries; at most {MOST_FORCED} are allowed.")
    return question


def _evaluated(connection: Connection, question: Question) -> bytes:
    attributes = question.attributes or {}
    options: Options = {"url": question.url or ""}
    if question.forced_variations:
        options["forced_variations"] = question.forced_variations
    if question.forced_features:
        options["forced_features"] = forced_features(question.forced_features)
    program = connection.served.program
    features = {key: _feature(program, key, attributes, options) for key in program.flags if not key.startswith(HIDDEN)}
    answer: dict[str, Any] = {"status": 200, "features": features, "experiments": []}
    if "forced_features" not in options:
        # The JavaScript SDK takes an answer with the date it knows for one it knows, and what was forced is no part
        # of how it tells answers apart; an answer without a date is always taken.
        answer["dateUpdated"] = connection.served.date_updated
    return _encoder.encode(answer)


def _feature(program: Program, key: str, attributes: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return a feature that has nothing left to decide, with the exposures that the client is to report."""
    value = program.evaluate(key, attributes, **options).value
    exposures = program.exposures(key, attributes, **options)
    if not exposures:
        return {"defaultValue": value}
    return {"defaultValue": value, "rules": [{"force": value, "tracks": [_track(one) for one in exposures]}]}


def _track(exposure: Exposure) -> dict[str, Any]:
    """Return an exposure without what the unit is not to see: other variants' values, and who is aimed at."""
    mine = exposure.result.get("variationId")
    variations = exposure.experiment.get("variations") or ()
    experiment = {name: part for name, part in exposure.experiment.items() if name not in _SECRET}
    experiment["variations"] = [value if index == mine else {} for index, value in enumerate(variations)]
    return {"experiment": experiment, "result": exposure.result}

"""One unit, all flags and experiments, and why: for people with ``curl``, and for scripts that need no SDK."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from assignment.admission import admitted
from assignment.context import TARGETING_KEY, RequestError, plain_body
from assignment.document import FLAG_KEY
from assignment.edge import Edge
from assignment.engine.terminals import Explanation, Outcome, RuleAnswer
from assignment.ofrep import LARGEST_BODY
from assignment.pages.words import REASONS, passed_over
from assignment.table import Environment
from assignment.wire import JSON, Answer
from experiments.domain.access import Scope

PATH = "/v1/decide"
METHODS = ("GET", "POST", "HEAD")
EXAMPLE = '{"unit": "user-7", "context": {"country": "DE"}, "keys": ["new-ranker"]}'
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_WORDS = {"true": True, "false": False}


class _Body(Struct, forbid_unknown_fields=True):
    unit: str | int | None = None
    context: dict[str, Any] = {}
    keys: list[str] | None = None


_decoder = msgspec.json.Decoder(_Body)


class _Asked(Struct):
    context: dict[str, Any]
    keys: list[str] | None


class DecideDoor:
    """Answers ``POST /v1/decide`` and ``GET /v1/decide?unit=…&<attribute>=…`` with every decision and its reasons.

    200 carries a decision for each key, or an error for the one that fails; 400 is for a request that cannot be read,
    401, 403, 405, 413, 415 and 503 as at the OFREP door. A decision is never logged as an exposure.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; header names are lower-case."""
        try:
            if path.rstrip("/") != PATH:
                raise RequestError("NOT_FOUND", f"There is nothing at {path[:100]}; ask {PATH}.", status=404)
            if method not in METHODS:
                allowed = ", ".join(METHODS)
                details = f"{method[:20]} is not answered here; use GET or POST."
                raise RequestError("METHOD_NOT_ALLOWED", details, status=405, headers=[("allow", allowed)])
            table, opened = admitted(self._edge, headers, Scope.EVALUATE)
            grant, environment = opened.grant, opened.environment
            asked = _from_body(plain_body(headers, body, LARGEST_BODY)) if method == "POST" else _from_query(query)
            # Beside the event loop: explaining a thousand flags takes longer than others should wait.
            decisions = await asyncio.to_thread(_decisions, environment, asked)
        except RequestError as error:
            return error.status, [JSON, *error.headers], _pretty({"code": error.code, "message": error.details})
        answer = {
            "project": table.slug(grant.project_id),
            "environment": grant.environment,
            "version": environment.digest,
            "unit": asked.context.get(TARGETING_KEY),
            "decisions": decisions,
        }
        return 200, [JSON, ("cache-control", "no-store")], b"" if method == "HEAD" else _pretty(answer)


def _pretty(answer: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n"


def _from_body(body: bytes) -> _Asked:
    if not body.strip():
        return _Asked({}, None)
    try:
        read = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("INVALID_REQUEST", f"{error}. Send an object such as {EXAMPLE}.") from error
    context = read.context if read.unit is None else {TARGETING_KEY: read.unit, **read.context}
    return _Asked(context, read.keys)


def _from_query(query: str) -> _Asked:
    """Read ``unit``, ``keys`` (between commas) and attributes; a repeated one is a list, and an id stays text."""
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        given.setdefault(name, []).append(value)
    units, keys = given.pop("unit", []), given.pop("keys", [])
    if len(units) > 1:
        raise RequestError("INVALID_REQUEST", f"unit is there {len(units)} times; ask for one unit at a time.")
    context: dict[str, Any] = {name: _attribute(name, values) for name, values in given.items()}
    if units:
        context.setdefault(TARGETING_KEY, units[0])
    return _Asked(context, [key for value in keys for key in value.split(",") if key] if keys else None)


def _attribute(name: str, values: list[str]) -> Any:
    is_id = name in (TARGETING_KEY, "id") or name.endswith("_id")
    read = values if is_id else [_value(value) for value in values]
    return read[0] if len(read) == 1 else read


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text


def _decisions(environment: Environment, asked: _Asked) -> dict[str, Any]:
    attributes, problems = environment.attributes(asked.context)
    keys = environment.flags if asked.keys is None else dict.fromkeys(asked.keys)
    return {key: _decision(environment, key, attributes, problems) for key in keys}


def _decision(
    environment: Environment, key: str, attributes: Mapping[str, Any], problems: Mapping[str, RequestError]
) -> dict[str, Any]:
    flag = environment.flags.get(key)
    if flag is None:
        return {"error": _unknown(environment, key)}
    explained = environment.program.explain(key, attributes)
    end = flag.compiled.choose(attributes)
    if flag.ends[end] is None:
        missing = flag.missing(problems)
        return {"error": {"code": missing.code, "message": missing.details}, "rules": list(_rules(explained))}
    answer = flag.answers[end]
    metadata = dict(answer.metadata)
    outcome = metadata.pop("outcome")
    return {
        "value": answer.value,
        "variant": answer.variant,
        "reason": answer.reason,
        "outcome": outcome,
        "why": REASONS[Outcome(outcome)],
        **metadata,
        "rules": list(_rules(explained)),
    }


def _unknown(environment: Environment, key: str) -> dict[str, str]:
    near = environment.nearest(key) if FLAG_KEY.fullmatch(key) else None
    hint = f" Did you mean {near!r}?" if near else ""
    return {"code": "FLAG_NOT_FOUND", "message": f"There is no running experiment or flag {key[:100]!r} here.{hint}"}


def _rules(explained: Explanation) -> Iterable[dict[str, Any]]:
    for one in explained.rules:
        yield {"rule": one.rule_id, "decided": one.decided, "outcome": one.outcome.value, "why": _why(one)} | (
            {} if one.bucket is None else {"bucket": one.bucket, "of": one.buckets}
        )


def _why(one: RuleAnswer) -> str:
    return REASONS[one.outcome] if one.decided else f"Passed over: {passed_over(one.outcome, one.rule_id)}"

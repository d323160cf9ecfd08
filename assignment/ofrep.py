"""The OpenFeature remote evaluation door (OFREP 0.3.0): one flag, or all flags of a project for one context."""

import hashlib
from collections.abc import Mapping

import msgspec

from assignment.context import RequestError, read_context, required_unit
from assignment.edge import Edge
from assignment.snapshot import FLAG_KEY
from assignment.table import Flag, Table
from assignment.wire import JSON, Answer, etag_matches, grant_of, presented_key
from experiments.domain.access import Scope

FLAGS = "/ofrep/v1/evaluate/flags"
LARGEST_BODY = 64 * 1024
_encoder = msgspec.json.Encoder(order="deterministic")


class OfrepDoor:
    """Answers OFREP from the edge's snapshot, without a database and without Django.

    200 carries value, variant and reason. 400 is for a request that cannot be read or names no unit, 401 and 403 for
    a key that is not good for it, 404 for an unknown flag, 405 and 413 as in HTTP, 503 while there is no snapshot.
    Whoever runs the door adds what browsers ask of every door (CORS).
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; ``path`` is percent-decoded and header names are lower-case."""
        del query  # flagConfigEtag and flagConfigLastModified ask a server to be fresh, and this one always is
        return self.answer(method, path, headers, body)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request, waiting for nothing."""
        key = path.removeprefix(FLAGS + "/") if path.startswith(FLAGS + "/") else None
        try:
            if key is None and path != FLAGS:
                raise _nothing_at(path)
            table, project_id = self._admit(method, headers, body)
            if key is None:
                return _evaluate_all(table, project_id, headers, body)
            return 200, [JSON], _evaluate(_find(table, project_id, key), body)
        except RequestError as error:
            return error.status, [JSON, *error.headers], _failure(error, key)

    def _admit(self, method: str, headers: Mapping[str, str], body: bytes) -> tuple[Table, int]:
        """Return the table and the project that the request may read."""
        if method != "POST":
            raise RequestError(
                "GENERAL", f"{method} is not answered here; use POST.", status=405, headers=[("allow", "POST")]
            )
        table = self._edge.table
        if table is None:
            raise RequestError(
                "GENERAL", "No snapshot has been loaded yet; try again.", status=503, headers=[("retry-after", "1")]
            )
        grant = grant_of(table, headers)
        if grant is None:
            raise _unauthorised(headers)
        if not grant.allows(Scope.EVALUATE):
            raise RequestError(
                "GENERAL",
                f"The API key has the scopes: {_listed(grant.scopes)}. Make one with {Scope.EVALUATE.value}.",
                status=403,
            )
        if len(body) > LARGEST_BODY:
            raise RequestError(
                "GENERAL", f"The body has {len(body)} bytes; a context may have {LARGEST_BODY}.", status=413
            )
        return table, grant.project_id


def _evaluate(flag: Flag, body: bytes) -> bytes:
    return flag.answer(required_unit(flag, read_context(body)))


def _evaluate_all(table: Table, project_id: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer every flag for one context; a flag that fails does so alone, for a web client's start fails with a 400."""
    context = read_context(body)
    # The whole context, not only the unit: a web client keeps its tag when another attribute changes.
    seed = _encoder.encode([table.version, project_id, context])
    etag = f'"{hashlib.blake2b(seed, digest_size=16).hexdigest()}"'
    if etag_matches(headers.get("if-none-match", ""), etag):
        return 304, [("etag", etag)], b""
    answers = b",".join(_answer_or_failure(flag, context) for flag in table.flags(project_id))
    return 200, [JSON, ("etag", etag)], b'{"flags":[' + answers + b"]}"


def _answer_or_failure(flag: Flag, context: dict[str, object]) -> bytes:
    try:
        return flag.answer(required_unit(flag, context))
    except RequestError as error:
        return _failure(error, flag.key)


def _find(table: Table, project_id: int, key: str) -> Flag:
    flag = table.flag(project_id, key)
    if flag is not None:
        return flag
    if not FLAG_KEY.fullmatch(key):
        raise _not_found(f"{key[:100]!r} cannot be a flag: a key holds letters, digits, dots, underscores and hyphens.")
    near = table.nearest(project_id, key)
    hint = f" Did you mean {near!r}?" if near else ""
    raise _not_found(
        f"There is no running experiment or flag {key[:100]!r} in project {table.slug(project_id)!r}.{hint} "
        "A draft is answered once it is started."
    )


def _failure(error: RequestError, key: str | None) -> bytes:
    """Return an error that every client can read: a code and details always, and the key where one was asked for."""
    named = {} if key is None else {"key": key}
    return msgspec.json.encode({**named, "errorCode": error.code, "errorDetails": error.details})


def _not_found(details: str) -> RequestError:
    return RequestError("FLAG_NOT_FOUND", details, status=404)


def _nothing_at(path: str) -> RequestError:
    return RequestError("GENERAL", f"There is nothing at {path[:100]}. Flags are at {FLAGS}/<key>.", status=404)


def _unauthorised(headers: Mapping[str, str]) -> RequestError:
    details = (
        "The API key is unknown or revoked."
        if presented_key(headers)
        else "There is no API key. Send it as Authorization: Bearer <key> or as X-API-Key."
    )
    return RequestError("GENERAL", details, status=401, headers=[("www-authenticate", "Bearer")])


def _listed(scopes: frozenset[Scope]) -> str:
    return ", ".join(sorted(scope.value for scope in scopes)) or "none"

"""The OpenFeature remote evaluation door (OFREP 0.3.0): one flag, or all flags of an environment for one context."""

import hashlib
from collections.abc import Mapping
from typing import NoReturn

import msgspec

from assignment.admission import admitted
from assignment.context import RequestError, plain_body, read_context
from assignment.document import FLAG_KEY
from assignment.edge import Edge
from assignment.table import Environment, Frame, Opened
from assignment.tokens import Tokens
from assignment.wire import JSON, Answer, etag_matches
from experiments.domain.access import Scope

FLAGS = "/ofrep/v1/evaluate/flags"
FLAG = FLAGS + "/"
STREAM = "/ofrep/v1/stream"
INACTIVITY_SECONDS = 120
LARGEST_BODY = 64 * 1024
_encoder = msgspec.json.Encoder(order="deterministic")


class OfrepDoor:
    """Answers OFREP from the edge's snapshot, without a database and without Django.

    200 carries value, variant and reason. 400 is for a request that cannot be read or names no unit, 401 and 403 for
    a key that is not good for it, 404 for an unknown flag, 405, 413 and 415 as in HTTP, 503 while there is no snapshot.
    With ``tokens`` an answer for all flags tells clients where they hear of changes. Whoever runs the door adds what
    browsers ask of every door (CORS).
    """

    def __init__(self, edge: Edge, tokens: Tokens | None = None) -> None:
        self._edge = edge
        self._tokens = tokens
        self._announced: dict[bytes, tuple[int, bytes]] = {}

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; ``path`` is percent-decoded and header names are lower-case."""
        del query  # flagConfigEtag and flagConfigLastModified ask a server to be fresh, and this one always is
        return self.answer(method, path, headers, body)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request, waiting for nothing."""
        key = path[len(FLAG) :] if path.startswith(FLAG) else None
        try:
            if key is None and path != FLAGS:
                raise _nothing_at(path)
            if method != "POST":
                raise RequestError(
                    "GENERAL", f"{method[:20]} is not answered here; use POST.", status=405, headers=[("allow", "POST")]
                )
            table, opened = admitted(self._edge, headers, Scope.EVALUATE)
            plain = plain_body(headers, body, LARGEST_BODY)
            if key is None:
                return self._evaluate_all(opened, headers, plain)
            environment = opened.environment
            flag = environment.flags.get(key) or _missing(environment, key, table.slug(opened.grant.project_id))
            return 200, [JSON], flag.encoded(*environment.attributes(read_context(plain)))
        except RequestError as error:
            return error.status, [JSON, *error.headers], _failure(error, key)

    def _evaluate_all(self, opened: Opened, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer every flag for one context; a flag that fails does so alone: a web client's start fails with a 400."""
        environment, context = opened.environment, read_context(body)
        # The whole context in one order, not only the unit: a web client keeps its tag when another attribute changes.
        # And the token's period, so that a client which asks again never keeps a token that is over.
        period = self._tokens.period if self._tokens else 0
        seed = b"%b %b %d %b" % (opened.name, environment.digest.encode(), period, _encoder.encode(context))
        etag = f'"{hashlib.blake2b(seed, digest_size=16).hexdigest()}"'
        offered = headers.get("if-none-match")
        if offered is not None and etag_matches(offered, etag):
            return 304, [("etag", etag)], b""
        attributes, problems = environment.attributes(context)
        frame = Frame(b'{"flags":[', b"]" + self._streams(opened, period) + b"}", _failure)
        return 200, [JSON, ("etag", etag)], environment.encoded(attributes, problems, frame)

    def _streams(self, opened: Opened, period: int) -> bytes:
        """Return where this environment's changes are heard of; the address is the same for a token's whole period."""
        if self._tokens is None:
            return b""
        made, said = self._announced.get(opened.name, (-1, b""))
        if made != period:
            token = self._tokens.issue(opened.grant.project_id, opened.grant.environment)
            stream = {
                "type": "sse",
                "endpoint": {"requestUri": f"{STREAM}?token={token}"},
                "inactivityDelaySec": INACTIVITY_SECONDS,
            }
            said = b',"eventStreams":' + msgspec.json.encode([stream])
            self._announced[opened.name] = (period, said)
        return said


def _missing(environment: Environment, key: str, project: str) -> NoReturn:
    """Say that there is no such flag, and which one may have been meant."""
    if not FLAG_KEY.fullmatch(key):
        raise _not_found(f"{key[:100]!r} cannot be a flag: a key holds letters, digits, dots, underscores and hyphens.")
    near = environment.nearest(key)
    hint = f" Did you mean {near!r}?" if near else ""
    raise _not_found(
        f"There is no running experiment or flag {key[:100]!r} in project {project!r}.{hint} "
        "A draft is answered once it is started, and before that with a key for staging or development."
    )


def _failure(error: RequestError, key: str | None) -> bytes:
    """Return an error that every client can read: a code and details always, and the key where one was asked for."""
    named = {} if key is None else {"key": key}
    return msgspec.json.encode({**named, "errorCode": error.code, "errorDetails": error.details})


def _not_found(details: str) -> RequestError:
    return RequestError("FLAG_NOT_FOUND", details, status=404)


def _nothing_at(path: str) -> RequestError:
    return RequestError("GENERAL", f"There is nothing at {path[:100]}. Flags are at {FLAGS}/<key>.", status=404)

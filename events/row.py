"""One event as the log keeps it, and its bytes in PostgreSQL's binary COPY format."""

import os
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from hashlib import blake2b
from struct import Struct

import msgspec

from experiments.domain.environments import Environment

COLUMNS = (
    "project_id, id, ts, at, received_at, environment, door, name, user_id, anonymous_id, experiment, variant, props"
)
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Number of fields, then each fixed-width field after its length: project_id, id, ts, at, received_at, environment
# and door.
_FIXED = Struct("!hii i16s iq iq iq ih ih")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)
_JSONB_VERSION = b"\x01"


PRODUCTION = 0
ENVIRONMENT_CODES = {
    Environment.PRODUCTION: PRODUCTION,
    Environment.STAGING: 1,
    Environment.DEVELOPMENT: 2,
}
"""How the log's column ``environment`` names each one; analysis reads production alone."""


class Door(IntEnum):
    """Where an event came in, as the log's column ``door`` names it."""

    SEGMENT = 0
    SDK = 1
    POSTHOG = 2
    CLOUDEVENTS = 3
    EVALUATION = 4
    IMPORT = 5


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A checked event: everything in it fits the log.

    ``id`` is 16 bytes; ``dated`` says whether the client gave the time. When it did, (project, id, ts) tells a retry
    from a new event; when it did not, ``ts`` is the server's and only the id can.
    """

    project_id: int
    id: bytes
    dated: bool
    ts: datetime
    at: datetime
    received_at: datetime
    name: str
    user_id: str | None
    anonymous_id: str | None
    experiment: str | None
    variant: str | None
    props: bytes
    environment: int = PRODUCTION
    door: int = Door.SEGMENT


def event_id(message_id: str) -> bytes:
    """Return the id that every retry of the same message gets."""
    return blake2b(message_id.encode(), digest_size=16).digest()


def random_id() -> bytes:
    """Return an id for an event whose client sent none, so that it can never be taken for another."""
    return os.urandom(16)


def encode(event: Event) -> bytes:
    """Return the event as one tuple of binary COPY, in the order of ``COLUMNS``.

    Notes
    -----
    PostgreSQL documentation, "COPY", section "Binary Format": a 16-bit field count, then each field as a 32-bit length
    (-1 for NULL) and its bytes in network order; a timestamp is microseconds since 2000-01-01, jsonb is a version
    byte (1) and the text.
    """
    fixed = _FIXED.pack(
        13, 4, event.project_id, 16, event.id,
        8, _microseconds(event.ts), 8, _microseconds(event.at), 8, _microseconds(event.received_at),
        2, event.environment, 2, event.door,
    )  # fmt: skip
    return b"".join(
        (
            fixed,
            _text(event.name),
            _text(event.user_id),
            _text(event.anonymous_id),
            _text(event.experiment),
            _text(event.variant),
            _LENGTH.pack(len(event.props) + 1),
            _JSONB_VERSION,
            event.props,
        )
    )


def _microseconds(moment: datetime) -> int:
    return (moment - _POSTGRES_EPOCH) // _MICROSECOND


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded

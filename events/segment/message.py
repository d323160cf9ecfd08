"""Check one Segment message and turn it into an event of the log, or say what is wrong with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from events.row import Event, event_id, random_id
from events.segment.body import RawEvent, Unreadable
from experiments.domain.units import UnitType

MOST_EVENT_BYTES = 32 * 1024
LONGEST_MESSAGE_ID = 100
# Long enough for every id and name in use; PostgreSQL's index rows end at 2,700 bytes.
LONGEST_TEXT = 255
DEEPEST = 64
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
# Longer than a request is under way, shorter than a clock that nobody sets right.
CLOCK_TOLERANCE = timedelta(seconds=10)
EXPOSURE = "Experiment Viewed"
CALLS = ("track", "identify", "page", "screen", "group", "alias")
_UNIT_PROPERTIES = tuple(f"{unit}_id" for unit in UnitType if unit not in (UnitType.USER, UnitType.DEVICE))


class EventError(Exception):
    """One event cannot be kept; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, message: str, message_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message_id = message_id


class Message(msgspec.Struct, rename="camel", kw_only=True):
    """One message as Segment's libraries send it; what is not named here is not used."""

    type: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    group_id: str | int | None = None
    previous_id: str | int | None = None
    message_id: str | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What all events of one request share: where, when, and the clock they were sent by."""

    project_id: int
    received_at: datetime
    sent_at: datetime | None = None
    context: dict[str, Any] | None = None
    call: str | None = None


_decode = msgspec.json.Decoder(Message).decode
_encode = msgspec.json.Encoder().encode
_find_message_id = msgspec.json.Decoder(msgspec.defstruct("_MessageId", [("messageId", str, "")])).decode


def accept(raw: RawEvent, arrival: Arrival) -> Event:
    """Return the event that a raw message stands for.

    Raises
    ------
    EventError
        The message cannot be kept. Nothing of it is.
    """
    if isinstance(raw, Unreadable):
        raise EventError("invalid_event", raw.reason, raw.message_id)
    message = _read(raw)
    try:
        return _event(message, arrival)
    except EventError as refusal:
        refusal.message_id = _printable(message.message_id)
        raise


def _read(raw: msgspec.Raw | bytes) -> Message:
    data = memoryview(raw)
    if len(data) > MOST_EVENT_BYTES:
        raise EventError(
            "event_too_large",
            f"The event is {len(data)} bytes; at most {MOST_EVENT_BYTES} are allowed.",
            message_id_of(raw),
        )
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        raise EventError("invalid_event", f"{error}.", message_id_of(raw)) from error
    except RecursionError as error:
        raise EventError("too_deep", f"The event nests deeper than {DEEPEST} levels.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError("invalid_event", f"The event is not JSON: {error}.") from error


def message_id_of(raw: msgspec.Raw | bytes) -> str | None:
    """Return the message id of an event that cannot be read otherwise, so that its sender can find it."""
    try:
        return _printable(_find_message_id(raw).messageId) or None  # type: ignore[attr-defined]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _event(message: Message, arrival: Arrival) -> Event:
    call = _call(message, arrival)
    name = _name(call, message)
    props = _properties(call, message, arrival)
    experiment, variant = _exposure(props) if name == EXPOSURE else (None, None)
    user_id = _identifier("userId", message.user_id)
    anonymous_id = _identifier("anonymousId", message.anonymous_id)
    if user_id is None and anonymous_id is None:
        _need_unit(props)
    stated, at = _moments(message, arrival)
    return Event(
        project_id=arrival.project_id,
        id=_id(message.message_id),
        dated=stated is not None or not message.message_id,
        ts=stated or arrival.received_at,
        at=at,
        received_at=arrival.received_at,
        name=name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        experiment=experiment,
        variant=variant,
        props=_stored(props),
    )


def _call(message: Message, arrival: Arrival) -> str:
    call = message.type or arrival.call
    if call not in CALLS:
        got = "missing" if call is None else f"{call[:40]!r}"
        raise EventError("unknown_type", f"type is {got}; it must be one of {', '.join(CALLS)}.")
    if arrival.call is not None and call != arrival.call:
        raise EventError("unknown_type", f"type is {call!r}, but the address is the one for {arrival.call!r}.")
    return call


def _name(call: str, message: Message) -> str:
    if call != "track":
        return f"${call}"
    if not message.event or not message.event.strip():
        raise EventError("missing_event", "event is missing or empty; a track call names what happened.")
    return _text("event", message.event)


def _properties(call: str, message: Message, arrival: Arrival) -> dict[str, Any]:
    """Gather what the event says beyond its columns, so that nothing a client sent is lost."""
    given = message.properties if call in ("track", "page", "screen") else message.traits
    props = dict(given or {})
    extra = {
        "name": message.name if call in ("page", "screen") else None,
        "category": message.category if call in ("page", "screen") else None,
        "$group_id": message.group_id,
        "$previous_id": message.previous_id,
        "$context": _context(message, arrival),
    }
    for key, value in extra.items():
        if value is not None:
            props.setdefault(key, value)
    return props


def _context(message: Message, arrival: Arrival) -> dict[str, Any] | None:
    # Every library names itself here with every event; that alone is not worth its bytes.
    merged = {**(arrival.context or {}), **(message.context or {})}
    merged.pop("library", None)
    return merged or None


def _exposure(props: dict[str, Any]) -> tuple[str, str]:
    return _named_in(props, "experiment_id", "the experiment's key"), _named_in(
        props, "variation_id", "the variant's key"
    )


def _named_in(props: dict[str, Any], key: str, meaning: str) -> str:
    value = props.get(key)
    if not isinstance(value, str) or not value:
        got = "missing" if value is None else "empty" if value == "" else f"a {type(value).__name__}"
        raise EventError("invalid_exposure", f"properties.{key} is {got}; {EXPOSURE!r} needs {meaning} as a string.")
    return _text(f"properties.{key}", value)


def _need_unit(props: dict[str, Any]) -> None:
    for key in _UNIT_PROPERTIES:
        value = props.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and 0 < len(str(value).strip()) <= LONGEST_TEXT:
            return
    listed = ", ".join(_UNIT_PROPERTIES)
    raise EventError(
        "missing_unit", f"The event names no unit; send userId, anonymousId or one of the properties {listed}."
    )


def _identifier(field: str, value: str | int | None) -> str | None:
    if value is None or not str(value).strip():
        return None  # blanks name nobody: all their senders would be one unit
    return _text(field, str(value))


def _id(message_id: str | None) -> bytes:
    if not message_id:
        return random_id()
    if len(message_id) > LONGEST_MESSAGE_ID:
        raise EventError(
            "invalid_message_id",
            f"messageId has {len(message_id)} characters; at most {LONGEST_MESSAGE_ID} are allowed.",
        )
    return event_id(message_id)


def _text(field: str, value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise EventError("too_long", f"{field} has {len(value)} characters; at most {LONGEST_TEXT} are allowed.")
    if "\x00" in value:
        raise EventError("nul_character", f"{field} holds the NUL character (\\u0000), which the log cannot keep.")
    return value


def _moments(message: Message, arrival: Arrival) -> tuple[datetime | None, datetime]:
    """Return the client's own time stamp, if it sent one, and the moment corrected for its clock.

    Segment's specification ("Common Fields", timestamps): receivedAt − (sentAt − timestamp). Below
    ``CLOCK_TOLERANCE`` the stamp is taken as it is: there, receivedAt − sentAt is mostly the time under way, which
    differs from batch to batch and would put an order before the exposure that the same clock saw first. Nothing
    happens after it has been received, so a clock that ran ahead cannot push an event into the future.
    """
    given = message.timestamp or message.original_timestamp
    if not given:
        return None, arrival.received_at
    stated = parse_time("timestamp", given)
    sent = parse_time("sentAt", message.sent_at) if message.sent_at else arrival.sent_at
    offset = timedelta(0) if sent is None else arrival.received_at - sent
    at = stated if abs(offset) <= CLOCK_TOLERANCE else stated + offset
    return stated, min(at, arrival.received_at)


def parse_time(field: str, text: str) -> datetime:
    """Read an ISO 8601 time; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if EARLIEST <= moment < LATEST:
            return moment
    except (ValueError, OverflowError):
        pass
    raise EventError(
        "invalid_time",
        f"{field} is {text[:40]!r}; it must be an ISO 8601 time between the years {EARLIEST.year} and "
        f"{LATEST.year}, like 2026-03-02T09:00:00.123Z.",
    )


def _stored(props: dict[str, Any]) -> bytes:
    encoded = _encode(props)
    if b"\\u0000" in encoded and _holds_nul(props):
        raise EventError("nul_character", "properties hold the NUL character (\\u0000), which the log cannot keep.")
    if encoded.count(b"{") + encoded.count(b"[") > DEEPEST and _depth(props) > DEEPEST:
        raise EventError("too_deep", f"properties nest deeper than {DEEPEST} levels.")
    return encoded


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or _holds_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [
        inner
        for outer in level
        if isinstance(outer, dict | list)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth += 1
    return depth + 1


def _printable(text: str | None) -> str | None:
    return text[: LONGEST_MESSAGE_ID * 2] if text and text.isprintable() else None

"""Build a row of the log from what one event says, whatever protocol said it, or say what is wrong with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from events.row import PRODUCTION, Door, Event, event_id, random_id
from experiments.domain.units import UnitType

LONGEST_MESSAGE_ID = 100
# Long enough for every id and name in use; PostgreSQL's index rows end at 2,700 bytes.
LONGEST_TEXT = 255
DEEPEST = 64
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
# Longer than a request is under way, shorter than a clock that nobody sets right.
CLOCK_TOLERANCE = timedelta(seconds=10)
EXPOSURE = "Experiment Viewed"
# Whether the app says that this unit's experience could differ between the variants (triggered analysis).
DIFFERS = "outputs_differ"
_DIFFERS_IN_CAMEL_CASE = "outputsDiffer"
UNIT_PROPERTIES = tuple(f"{unit}_id" for unit in UnitType if unit not in (UnitType.USER, UnitType.DEVICE))


class EventError(Exception):
    """One event cannot be kept; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, message: str, message_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message_id = message_id


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What all events of one request share: where, when, and the clock they were sent by."""

    project_id: int
    received_at: datetime
    sent_at: datetime | None = None
    context: dict[str, Any] | None = None
    call: str | None = None
    environment: int = PRODUCTION
    door: int = Door.SEGMENT
    # The request's own words for the moment it was sent: with an event's bytes they tell a retry (events/sdk).
    sent_text: str | None = None


_encode = msgspec.json.Encoder().encode


def build(
    arrival: Arrival,
    *,
    name: str,
    props: dict[str, Any],
    user_id: str | None,
    anonymous_id: str | None,
    message_id: bytes | None,
    timestamp: str | None,
    sent_at: str | None = None,
    exposure: tuple[str, str] | None = None,
) -> Event:
    """Return the row of one event.

    Parameters
    ----------
    message_id
        The 16 bytes that every retry of the event has; None when the client names none, and every arrival counts.
    timestamp, sent_at
        The client's own times, as it wrote them; ``sent_at`` of the event goes before that of the request.
    exposure
        The keys of experiment and variant.

    Raises
    ------
    EventError
        The event cannot be kept. Nothing of it is.
    """
    if user_id is None and anonymous_id is None:
        _need_unit(props)
    stated, at = moments(timestamp, sent_at, arrival)
    experiment, variant = exposure or (None, None)
    return Event(
        project_id=arrival.project_id,
        id=message_id or random_id(),
        dated=stated is not None or message_id is None,
        ts=stated or arrival.received_at,
        at=at,
        received_at=arrival.received_at,
        name=name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        experiment=experiment,
        variant=variant,
        props=stored(props),
        environment=arrival.environment,
        door=arrival.door,
    )


def exposure_of(props: dict[str, Any], experiment: str, variant: str) -> tuple[str, str]:
    """Return the keys of experiment and variant from the properties of these names, and put the flag of
    ``DIFFERS`` under its one name.
    """
    if _DIFFERS_IN_CAMEL_CASE in props:
        props.setdefault(DIFFERS, props.pop(_DIFFERS_IN_CAMEL_CASE))
    if DIFFERS in props and not isinstance(props[DIFFERS], bool):
        got = str(props[DIFFERS])[:40]
        raise EventError("invalid_exposure", f"properties.{DIFFERS} is {got!r}; it must be true or false.")
    return (
        _named_in(props, experiment, "the experiment's key"),
        _named_in(props, variant, "the variant's key"),
    )


def _named_in(props: dict[str, Any], key: str, meaning: str) -> str:
    value = props.get(key)
    if not isinstance(value, str) or not value:
        got = "missing" if value is None else "empty" if value == "" else f"a {type(value).__name__}"
        raise EventError("invalid_exposure", f"properties.{key} is {got}; an exposure needs {meaning} as a string.")
    return text(f"properties.{key}", value)


def _need_unit(props: dict[str, Any]) -> None:
    for key in UNIT_PROPERTIES:
        value = props.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and 0 < len(str(value).strip()) <= LONGEST_TEXT:
            return
    listed = ", ".join(UNIT_PROPERTIES)
    raise EventError(
        "missing_unit", f"The event names no unit; send userId, anonymousId or one of the properties {listed}."
    )


def identifier(field: str, value: str | int | None) -> str | None:
    """Return the id of a unit as text; blanks name nobody, for all their senders would be one unit."""
    if value is None:
        return None
    value = str(value)
    if not value.strip():
        return None
    return text(field, value)


def identity(field: str, message_id: str | None) -> bytes | None:
    """Return the id that every retry of the same message gets, or None for a message without one."""
    if not message_id:
        return None
    if len(message_id) > LONGEST_MESSAGE_ID:
        raise EventError(
            "invalid_message_id",
            f"{field} has {len(message_id)} characters; at most {LONGEST_MESSAGE_ID} are allowed.",
        )
    return event_id(message_id)


def text(field: str, value: str) -> str:
    """Return a text that the log can keep and index."""
    if len(value) > LONGEST_TEXT:
        raise EventError("too_long", f"{field} has {len(value)} characters; at most {LONGEST_TEXT} are allowed.")
    if "\x00" in value:
        raise EventError("nul_character", f"{field} holds the NUL character (\\u0000), which the log cannot keep.")
    return value


def named(field: str, value: str | None) -> str:
    """Return the name of what happened."""
    if not value or not value.strip():
        raise EventError("missing_event", f"{field} is missing or empty; it names what happened.")
    return text(field, value)


def moments(timestamp: str | None, sent_at: str | None, arrival: Arrival) -> tuple[datetime | None, datetime]:
    """Return the client's own time stamp, if it sent one, and the moment corrected for its clock.

    Segment's specification ("Common Fields", timestamps): receivedAt − (sentAt − timestamp). Below
    ``CLOCK_TOLERANCE`` the stamp is taken as it is: there, receivedAt − sentAt is mostly the time under way, which
    differs from batch to batch and would put an order before the exposure that the same clock saw first. Nothing
    happens after it has been received, so a clock that ran ahead cannot push an event into the future.
    """
    if not timestamp:
        return None, arrival.received_at
    stated = parse_time("timestamp", timestamp)
    sent = parse_time("sentAt", sent_at) if sent_at else arrival.sent_at
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


def stored(props: dict[str, Any]) -> bytes:
    """Return properties as the log keeps them."""
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


def printable(text: str | None) -> str | None:
    """Return a client's text as an answer may repeat it."""
    return text[: LONGEST_MESSAGE_ID * 2] if text and text.isprintable() else None

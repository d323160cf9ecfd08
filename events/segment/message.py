"""Check one Segment message and turn it into an event of the log, or say what is wrong with it."""

from typing import Any

import msgspec

from events.intake.body import EventReader, RawEvent
from events.intake.fields import (
    EXPOSURE,
    Arrival,
    EventError,
    build,
    exposure_of,
    identifier,
    identity,
    named,
    printable,
)
from events.row import Event
from events.segment.body import LIMITS, MESSAGE_ID

CALLS = ("track", "identify", "page", "screen", "group", "alias")


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


_reader = EventReader(Message, MESSAGE_ID, LIMITS.event)


def accept(raw: RawEvent, arrival: Arrival) -> Event:
    """Return the event that a raw message stands for.

    Raises
    ------
    EventError
        The message cannot be kept. Nothing of it is.
    """
    message: Message = _reader.read(raw)
    try:
        return _event(message, arrival)
    except EventError as refusal:
        refusal.message_id = printable(message.message_id)
        raise


def _event(message: Message, arrival: Arrival) -> Event:
    call = _call(message, arrival)
    name = named("event", message.event) if call == "track" else f"${call}"
    props = _properties(call, message, arrival)
    return build(
        arrival,
        name=name,
        props=props,
        exposure=exposure_of(props, "experiment_id", "variation_id") if name == EXPOSURE else None,
        user_id=identifier("userId", message.user_id),
        anonymous_id=identifier("anonymousId", message.anonymous_id),
        message_id=identity(MESSAGE_ID, message.message_id),
        timestamp=message.timestamp or message.original_timestamp,
        sent_at=message.sent_at,
    )


def _call(message: Message, arrival: Arrival) -> str:
    call = message.type or arrival.call
    if call not in CALLS:
        got = "missing" if call is None else f"{call[:40]!r}"
        raise EventError("unknown_type", f"type is {got}; it must be one of {', '.join(CALLS)}.")
    if arrival.call is not None and call != arrival.call:
        raise EventError("unknown_type", f"type is {call!r}, but the address is the one for {arrival.call!r}.")
    return call


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

"""Check one CloudEvent and turn it into an event of the log, or say what is wrong with it."""

from typing import Any

import msgspec

from events.intake.body import EventReader, Limits, RawEvent
from events.intake.fields import (
    EXPOSURE,
    UNIT_PROPERTIES,
    Arrival,
    EventError,
    build,
    exposure_of,
    identifier,
    named,
    printable,
    text,
)
from events.row import Event, event_id

LIMITS = Limits(event=64 * 1024)  # what the specification asks every receiver to take ("Size Limits")
VERSION = "1.0"
_USER = ("userId", "user_id")
_DEVICE = ("anonymousId", "anonymous_id", "deviceId", "device_id")

Id = str | int | None


class CloudEvent(msgspec.Struct, kw_only=True):
    """One event in the JSON format of CloudEvents 1.0, with the extension attributes that name a unit."""

    specversion: str | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: str | None = None
    data: Any = None
    data_base64: str | None = None
    userid: Id = None
    anonymousid: Id = None


_reader = EventReader(CloudEvent, "id", LIMITS.event)


def accept(raw: RawEvent, arrival: Arrival) -> Event:
    """Return the event that a raw one stands for.

    Raises
    ------
    EventError
        The event cannot be kept. Nothing of it is.
    """
    event: CloudEvent = _reader.read(raw)
    try:
        return _event(event, arrival)
    except EventError as refusal:
        refusal.message_id = printable(event.id)
        raise


def _event(event: CloudEvent, arrival: Arrival) -> Event:
    if event.specversion != VERSION:
        got = "missing" if event.specversion is None else repr(event.specversion[:20])
        raise EventError("invalid_cloudevent", f"specversion is {got}; it must be {VERSION!r}.")
    source, own = _required("source", event.source), _required("id", event.id)
    name = named("type", event.type)
    props = _properties(event)
    anonymous = _first(props, _DEVICE, event.anonymousid)
    user = _first(props, _USER, event.userid)
    if user is None and anonymous is None and not any(unit in props for unit in UNIT_PROPERTIES):
        user = event.subject
    return build(
        arrival,
        name=name,
        props=props,
        exposure=exposure_of(props, "experiment_id", "variation_id") if name == EXPOSURE else None,
        user_id=identifier("userid", user),
        anonymous_id=identifier("anonymousid", anonymous),
        message_id=event_id(f"{source}\0{own}"),
        timestamp=event.time,
    )


def _required(field: str, value: str | None) -> str:
    if not value:
        raise EventError("invalid_cloudevent", f"{field} is missing or empty; a CloudEvent has specversion, id, source "
                         "and type.")  # fmt: skip
    return text(field, value)


def _properties(event: CloudEvent) -> dict[str, Any]:
    props = {} if event.data is None else {"data": event.data}
    if isinstance(event.data, dict):
        props = dict(event.data)
    extra = {"$source": event.source, "$subject": event.subject, "data_base64": event.data_base64}
    for key, value in extra.items():
        if value is not None:
            props.setdefault(key, value)
    return props


def _first(props: dict[str, Any], names: tuple[str, ...], otherwise: Id) -> Id:
    if otherwise is not None:
        return otherwise
    for name in names:
        value = props.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return value
    return None

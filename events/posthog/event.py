"""Check one event of a PostHog library and turn it into an event of the log, or say what is wrong with it."""

from datetime import timedelta
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
    identity,
    named,
    printable,
    text,
)
from events.row import Event

# The libraries cut a batch at 5 MiB and an event at 900 KiB.
LIMITS = Limits(body=10 * 1024 * 1024, events=2_500, event=1024 * 1024)
EVENT_ID = "uuid"
FLAG_CALLED = "$feature_flag_called"
_NAMES = {
    "$identify": "$identify",
    "$set": "$identify",
    "$create_alias": "$alias",
    "$groupidentify": "$group",
    "$pageview": "$page",
    "$screen": "$screen",
}
# What the libraries say of themselves with every event; it is not worth its bytes.
_NOT_KEPT = ("token", "$lib", "$lib_version", "$geoip_disable", "$python_runtime", "$python_version")

Id = str | int | None


class Captured(msgspec.Struct, kw_only=True):
    """One event as PostHog's libraries send it; what is not named here is not used."""

    event: str | None = None
    distinct_id: Id = None
    properties: dict[str, Any] | None = None
    timestamp: str | None = None
    offset: float | None = None
    uuid: str | None = None
    set_: dict[str, Any] | None = msgspec.field(name="$set", default=None)
    set_once: dict[str, Any] | None = msgspec.field(name="$set_once", default=None)


_reader = EventReader(Captured, EVENT_ID, LIMITS.event)


def accept(raw: RawEvent, arrival: Arrival) -> Event:
    """Return the event that a raw one stands for.

    Raises
    ------
    EventError
        The event cannot be kept. Nothing of it is.
    """
    event: Captured = _reader.read(raw)
    try:
        return _event(event, arrival)
    except EventError as refusal:
        refusal.message_id = printable(event.uuid)
        raise


def _event(event: Captured, arrival: Arrival) -> Event:
    sent_name = named("event", event.event)
    props = _properties(event)
    exposure = _exposure(props) if sent_name == FLAG_CALLED else None
    if sent_name == EXPOSURE:
        exposure = exposure_of(props, "experiment_id", "variation_id")
    user = event.distinct_id if event.distinct_id is not None else _id(props, "distinct_id")
    anonymous = _id(props, "$anon_distinct_id") or _id(props, "$device_id")
    uuid = event.uuid or _id(props, "$insert_id")
    return build(
        arrival,
        name=EXPOSURE if exposure else _NAMES.get(sent_name, sent_name),
        props=props,
        exposure=exposure,
        user_id=identifier("distinct_id", user),
        anonymous_id=identifier("properties.$device_id", anonymous),
        message_id=identity(EVENT_ID, uuid),
        timestamp=event.timestamp or _shifted(event, arrival),
    )


def _properties(event: Captured) -> dict[str, Any]:
    props = {key: value for key, value in (event.properties or {}).items() if key not in _NOT_KEPT}
    for key, value in (("$set", event.set_), ("$set_once", event.set_once)):
        if value:
            props.setdefault(key, value)
    if (alias := props.get("alias")) is not None and event.event == "$create_alias":
        props.setdefault("$previous_id", alias)
    groups = props.get("$groups")
    for kind, key in groups.items() if isinstance(groups, dict) else ():
        if f"{kind}_id" in UNIT_PROPERTIES and isinstance(key, str | int):
            props.setdefault(f"{kind}_id", text(f"properties.$groups.{kind}", str(key)))
    if (session := _id(props, "$session_id")) is not None:
        props.setdefault("session_id", session)
    return props


def _exposure(props: dict[str, Any]) -> tuple[str, str] | None:
    """Return what a call of a flag says when its answer is the key of a variant; yes and no are none."""
    if not isinstance(props.get("$feature_flag_response"), str):
        return None
    return exposure_of(props, "$feature_flag", "$feature_flag_response")


def _id(props: dict[str, Any], key: str) -> str | None:
    value = props.get(key)
    usable = isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()
    return str(value) if usable else None


def _shifted(event: Captured, arrival: Arrival) -> str | None:
    """Return the time of an event that only says how many milliseconds before its sending it happened."""
    if event.offset is None or not 0 <= event.offset <= timedelta(days=30) / timedelta(milliseconds=1):
        return None
    return ((arrival.sent_at or arrival.received_at) - timedelta(milliseconds=event.offset)).isoformat()

"""Check one event of an SDK's tracking plugin and turn it into an event of the log.

Two shapes arrive here, told apart by their fields: the plugins' own (``properties_json``, ``context_json``) and that of
the public API (``properties``, ``attributes``). Exposures come in two dialects, of the JavaScript and of the Python
plugin; both are stored as the one exposure that every door makes.
"""

from hashlib import blake2b
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
    text,
)
from events.row import Event

LIMITS = Limits()
EVALUATED = "Feature Evaluated"
_DIALECTS = {"$$experiment_viewed": EXPOSURE, "$$feature_evaluated": EVALUATED}
_USER_ATTRIBUTES = ("id", "user_id", "userId")
_DEVICE_ATTRIBUTES = ("device_id", "deviceId", "anonymous_id", "anonymousId")
_CONTEXT = (
    "url", "page_id", "page_title", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
)  # fmt: skip

Id = str | int | None


class Tracked(msgspec.Struct, kw_only=True):
    """One event as the plugins or the public API send it; what is not named here is not used."""

    event_name: str | None = None
    properties_json: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    context_json: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None
    timestamp: str | None = None
    user_id: Id = None
    device_id: Id = None
    anonymous_id: Id = None
    session_id: Id = None
    url: str | None = None
    page_id: str | None = None
    page_title: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None


_reader = EventReader(Tracked, "event_name", LIMITS.event)


def accept(raw: RawEvent, arrival: Arrival, index: int) -> Event:
    """Return the event that a raw one, the ``index``-th of its request, stands for.

    Raises
    ------
    EventError
        The event cannot be kept. Nothing of it is.
    """
    event: Tracked = _reader.read(raw)
    sent_name = named("event_name", event.event_name)
    name = _DIALECTS.get(sent_name, sent_name)
    attributes = event.attributes or event.context_json or {}
    props = _properties(event, attributes)
    exposure = _exposure(props) if name == EXPOSURE else None
    user, device = _units(event, attributes, props if exposure else {})
    _name_other_units(event, attributes, props)
    timestamp = event.timestamp or arrival.sent_text
    return build(
        arrival,
        name=name if exposure or name != EXPOSURE else sent_name,
        props=props,
        exposure=exposure,
        user_id=user,
        anonymous_id=device,
        message_id=_identity(raw, arrival, index) if timestamp else None,
        timestamp=timestamp,
    )


def _exposure(props: dict[str, Any]) -> tuple[str, str] | None:
    """Return the exposure of either dialect, or None for a variant that was forced upon the unit."""
    if props.get("in_experiment") is False or props.get("hash_used") is False:
        return None
    if "experimentId" in props:
        experiment, variant = "experimentId", "variationId"
    else:
        experiment, variant = "experiment_id", "variation_key" if "variation_key" in props else "variation_id"
    if isinstance(props.get(variant), int):
        props[variant] = str(props[variant])  # a client without keys numbers its variants
    return exposure_of(props, experiment, variant)


def _units(event: Tracked, attributes: dict[str, Any], exposed: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the user and the device.

    The plugins put the attribute ``id``, by which users are hashed, into ``device_id`` when the app sets no other: so
    a lone ``device_id`` stands in both places. An enrolment needs an exposure of the same id, and that names the
    attribute it was hashed by.
    """
    user = event.user_id if event.user_id is not None else _first(attributes, _USER_ATTRIBUTES)
    device = event.device_id if event.device_id is not None else event.anonymous_id
    device = device if device is not None else _first(attributes, _DEVICE_ATTRIBUTES)
    attribute, value = _hashed(exposed)
    if value is not None and attribute in _USER_ATTRIBUTES:
        user = value
    elif value is not None and attribute in _DEVICE_ATTRIBUTES:
        device = value
    elif value is not None and f"{attribute}" in UNIT_PROPERTIES:
        exposed[attribute] = value
    if user is None or not str(user).strip():
        user = device
    return identifier("user_id", user), identifier("device_id", device)


def _hashed(exposed: dict[str, Any]) -> tuple[str, str | None]:
    """Return the attribute that an exposure was hashed by, and its value."""
    attribute = exposed.get("hashAttribute", exposed.get("hash_attribute"))
    value = exposed.get("hashValue", exposed.get("hash_value"))
    usable = isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()
    return str(attribute or "id"), str(value) if usable else None


def _properties(event: Tracked, attributes: dict[str, Any]) -> dict[str, Any]:
    props = dict(event.properties_json or event.properties or {})
    context = {field: value for field in _CONTEXT if (value := getattr(event, field)) not in (None, "")}
    context.update(attributes)
    if context:
        props.setdefault("$context", context)
    return props


def _name_other_units(event: Tracked, attributes: dict[str, Any], props: dict[str, Any]) -> None:
    """Put the ids of sessions, accounts and so on where every door puts them."""
    for field in UNIT_PROPERTIES:
        value = attributes.get(field, event.session_id if field == "session_id" else None)
        if value is not None and isinstance(value, str | int) and str(value).strip():
            props.setdefault(field, text(field, str(value)))


def _first(attributes: dict[str, Any], names: tuple[str, ...]) -> Id:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return value
    return None


def _identity(raw: RawEvent, arrival: Arrival, index: int) -> bytes:
    """Return what makes the same event of the same request the same one when the request is sent again.

    The protocol has no message id. A request that says when it was sent is recognised by that, by the event's place in
    it and by its bytes; one that does not is counted at every arrival.
    """
    if isinstance(raw, msgspec.Struct):
        raise EventError("invalid_event", "The event is not JSON.")
    return blake2b(b"%d\0%s\0%s" % (index, (arrival.sent_text or "").encode(), bytes(raw)), digest_size=16).digest()

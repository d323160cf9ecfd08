"""What the columns of a file mean, and the event that one row stands for."""

import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from events.intake.body import Limits
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
    parse_time,
    stored,
    text,
)
from events.row import Door, Event
from events.transfer.reading import Row
from events.transfer.refusal import TransferError

EXPERIMENT, VARIANT = "experiment_id", "variation_id"
EXPORTED = (
    *("id", "ts", "at", "received_at", "environment", "door", "name"),
    *("user_id", "anonymous_id", "experiment", "variant", "props"),
)
"""The columns of a day that ``export_events`` wrote."""
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?")
_WHOLE = 1 << 63
_MOST_BYTES = Limits().event


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMeaning:
    """Which column says what; a value that begins with ``=`` stands for itself in every row.

    ``properties`` names each property's column; ``all_properties`` takes every column that says nothing else.
    ``exported``: the file is a day that ``export_events`` wrote, and nothing else is set.
    """

    time: str = ""
    name: str = ""
    units: tuple[tuple[str, str], ...] = ()  # (unit type, column)
    experiment: str = ""
    variant: str = ""
    id: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    all_properties: bool = False
    exported: bool = False

    @property
    def digest(self) -> str:
        """Return what tells this reading of a file from another."""
        return blake2b(json.dumps(asdict(self)).encode(), digest_size=16).hexdigest()

    def used(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Return the columns that are read, or refuse those that the file does not have."""
        if self.exported:
            named_ = [("--exported", name) for name in EXPORTED]
        else:
            plain = [("--time", self.time), ("--name", self.name), ("--experiment", self.experiment)]
            plain += [("--variant", self.variant), ("--id", self.id)]
            plain += [("--unit", column) for _, column in self.units]
            named_ = [(option, column) for option, column in plain if column and not column.startswith("=")]
            named_ += [("--property", column) for _, column in self.properties]
        for option, column in named_:
            if column not in columns:
                there = ", ".join(columns[:20]) + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")
                raise TransferError(f"{option}: there is no column {column!r}; the file has {there}")
        read = {column for _, column in named_}
        return columns if self.all_properties else tuple(column for column in columns if column in read)


def reader(mapping: ColumnMeaning, columns: tuple[str, ...], digest: str) -> Callable[[Row, Arrival], Event]:
    """Return what makes an event of a row of the file with this digest, or raises ``EventError`` as the doors do."""
    mapping.used(columns)
    if mapping.exported:
        return _exported
    properties = mapping.properties
    if mapping.all_properties:
        said = {mapping.time, mapping.name, mapping.experiment, mapping.variant, mapping.id}
        said |= {column for _, column in mapping.units} | {column for _, column in properties}
        properties = (*properties, *((column, column) for column in columns if column not in said))

    def read(row: Row, arrival: Arrival) -> Event:
        if row.problem:
            raise EventError("unreadable_row", row.problem)
        return _event(row, arrival, mapping, properties, digest)

    return read


def _event(
    row: Row, arrival: Arrival, mapping: ColumnMeaning, properties: tuple[tuple[str, str], ...], digest: str
) -> Event:
    values = row.values
    props = {key: made for key, column in properties if (made := _property(key, values[column])) is not None}
    units = {kind: identifier(column, _words(values[column])) for kind, column in mapping.units}
    props.update({f"{kind}_id": unit for kind, unit in units.items() if unit and kind not in ("user", "device")})
    name = named("name", _said(mapping.name, values) if mapping.name else EXPOSURE)
    exposure = None
    if name == EXPOSURE:
        given = {EXPERIMENT: mapping.experiment, VARIANT: mapping.variant}
        props.update({key: said for key, column in given.items() if column and (said := _said(column, values))})
        exposure = exposure_of(props, EXPERIMENT, VARIANT)
    moment = _words(values[mapping.time])
    if moment is None:
        raise EventError("missing_time", f"{mapping.time} is empty; a row of a file needs its time.")
    try:
        event = build(
            arrival,
            name=name,
            props=props,
            exposure=exposure,
            user_id=units.get("user"),
            anonymous_id=units.get("device"),
            message_id=_id(mapping, row, name, digest),
            timestamp=moment,
        )
    except (TypeError, OverflowError) as problem:
        raise EventError("invalid_property", f"A property cannot be written as JSON: {problem}.") from problem
    return _small(event)


def _id(mapping: ColumnMeaning, row: Row, name: str, digest: str) -> bytes:
    """Return the id that every import of the same row gives it; the name, because a wide row may hold two events."""
    if not mapping.id:
        return blake2b(f"{digest}:{row.number}:{name}".encode(), digest_size=16).digest()
    found = identity(mapping.id, _words(row.values[mapping.id]))
    if found is None:
        raise EventError("invalid_message_id", f"{mapping.id} is empty; every row needs an id of its own.")
    return found


def _said(column: str, values: Mapping[str, Any]) -> str | None:
    return column[1:] if column.startswith("=") else _words(values[column])


def _words(value: Any) -> str | None:
    """Return a cell as text, None where it is empty; a whole number that a table kept as a fraction loses its ".0"."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _property(key: str, value: Any) -> Any:
    """Return a cell as JSON has it: text that spells a number, true or false is one, unless it is the id of a unit."""
    if isinstance(value, str):
        if key not in UNIT_PROPERTIES:
            if _NUMBER.fullmatch(value):
                return json.loads(value)
            if value.lower() in ("true", "false"):
                return value.lower() == "true"
        return value or None
    if key in UNIT_PROPERTIES:
        return _words(value)
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and abs(value) >= _WHOLE:
        return float(value)
    if isinstance(value, float):
        if math.isinf(value):
            raise EventError("invalid_property", f"properties.{key} is infinite; give a number or nothing.")
        return None if math.isnan(value) else value
    if isinstance(value, bytes | bytearray | memoryview):
        raise EventError("invalid_property", f"properties.{key} holds bytes; give text, a number, true or false.")
    return value


def _exported(row: Row, arrival: Arrival) -> Event:
    """Return the event as it was in the log that it was exported from."""
    if row.problem:
        raise EventError("unreadable_row", row.problem)
    values = row.values
    said = {name: _or_none(values[name]) for name in ("user_id", "anonymous_id", "experiment", "variant")}
    if (said["experiment"] is None) != (said["variant"] is None):
        raise EventError("invalid_exposure", "An exposure names both its experiment and its variant, or neither.")
    event = Event(
        project_id=arrival.project_id,
        id=_uuid(values["id"]),
        dated=True,
        ts=parse_time("ts", str(values["ts"])),
        at=parse_time("at", str(values["at"])),
        received_at=parse_time("received_at", str(values["received_at"])),
        name=named("name", values["name"]),
        user_id=said["user_id"],
        anonymous_id=said["anonymous_id"],
        experiment=said["experiment"],
        variant=said["variant"],
        props=_props(values["props"]),
        environment=_code("environment", values["environment"], 2),
        door=_code("door", values["door"], max(Door)),
    )
    return _small(event)


def _or_none(value: Any) -> str | None:
    return None if value in (None, "") else text("A column", str(value))


def _uuid(value: Any) -> bytes:
    try:
        return uuid.UUID(str(value)).bytes
    except ValueError:
        raise EventError("invalid_message_id", f"id is {str(value)[:40]!r}; it must be a UUID.") from None


def _props(value: Any) -> bytes:
    try:
        return stored(msgspec.json.decode(value or "", type=dict[str, Any]))
    except (msgspec.DecodeError, RecursionError):
        raise EventError("invalid_event", "props is not a JSON object.") from None


def _code(field: str, value: Any, most: int) -> int:
    if str(value).isdecimal() and int(value) <= most:
        return int(value)
    raise EventError("invalid_event", f"{field} is {str(value)[:40]!r}; it must be a number from 0 to {most}.")


def _small(event: Event) -> Event:
    if len(event.props) > _MOST_BYTES:
        message = f"The properties are {len(event.props)} bytes; at most {_MOST_BYTES} are allowed."
        raise EventError("event_too_large", message)
    return event

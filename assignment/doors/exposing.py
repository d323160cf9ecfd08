"""Write an exposure to the event log for a single remote evaluation that asks for it."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from assignment.engine.terminals import Exposure
from events.intake.fields import EXPOSURE, LONGEST_TEXT
from events.row import ENVIRONMENT_CODES, Door, Event, encode, event_id
from events.sink import Entry, LogRefusedError, LogUnavailableError
from experiments.domain.environments import Environment

LONGEST_WAIT_SECONDS = 1.0
REMEMBERED = 50_000
USER_ATTRIBUTE = "id"
DEVICE_ATTRIBUTE = "device_id"


class Logged(StrEnum):
    """What became of an exposure, as the answer says it.

    stored: it is on disk. nothing: no experiment placed this unit, so there is none. unknown: the log has not said so
    in time; asking again stores it once. unavailable: the log takes nothing now. refused: the unit's id cannot be kept.
    """

    STORED = "stored"
    NOTHING = "nothing"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"


class Durable(Protocol):
    """What this needs of the sink (events/sink.py)."""

    async def put(self, entry: Entry) -> None:
        """Return when the events are on disk."""


class ExposureLog:
    """Stores each exposure once an hour, however often a unit is evaluated.

    The id is made from project, experiment, unit, variant and the hour, and the time stamp is the hour, so that every
    process makes the same row and the log keeps the first. What this process has stored is remembered, and a hot loop
    does not ask the database again.
    """

    def __init__(self, sink: Durable, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._sink = sink
        self._now = now
        self._stored: OrderedDict[tuple[int, bytes], None] = OrderedDict()
        self.outcomes: Counter[Logged] = Counter()

    async def write(self, project_id: int, environment: Environment, exposures: Iterable[Exposure]) -> Logged:
        """Return what became of an evaluation's exposures, once they are on disk or the wait is over."""
        outcome = await self._write(project_id, environment, exposures)
        self.outcomes[outcome] += 1
        return outcome

    async def _write(self, project_id: int, environment: Environment, exposures: Iterable[Exposure]) -> Logged:
        now = self._now()
        events = [_event(project_id, environment, exposure, now) for exposure in exposures]
        if not events:
            return Logged.NOTHING
        if None in events:
            return Logged.REFUSED
        fresh = [event for event in events if event is not None and (project_id, event.id) not in self._stored]
        if not fresh:
            return Logged.STORED
        written = asyncio.ensure_future(self._sink.put(Entry(dated=[encode(event) for event in fresh])))
        written.add_done_callback(lambda done: self._remember(done, fresh))
        await asyncio.wait({written}, timeout=LONGEST_WAIT_SECONDS)
        return _outcome(written)

    def _remember(self, written: "asyncio.Future[None]", events: list[Event]) -> None:
        if _outcome(written) is not Logged.STORED:
            return
        for event in events:
            self._stored[event.project_id, event.id] = None
        while len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)


def _outcome(written: "asyncio.Future[None]") -> Logged:
    if not written.done() or written.cancelled():
        return Logged.UNKNOWN
    match written.exception():
        case None:
            return Logged.STORED
        case LogUnavailableError():
            return Logged.UNAVAILABLE
        case LogRefusedError():
            return Logged.REFUSED
        case error:
            raise error


def _event(project_id: int, environment: Environment, exposure: Exposure, now: datetime) -> Event | None:
    """Return the exposure as a row of the log, or None where the log cannot keep the unit's id."""
    attribute, unit = exposure.hash_attribute, exposure.hash_value
    experiment, variant = exposure.experiment_key, exposure.variant_key
    if not unit.strip() or len(unit) > LONGEST_TEXT or "\x00" in unit:
        return None
    hour = now.replace(minute=0, second=0, microsecond=0)
    name = msgspec.json.encode([environment.value, experiment, attribute, unit, variant, hour]).decode()
    props = {"experiment_id": experiment, "variation_id": variant}
    if attribute not in (USER_ATTRIBUTE, DEVICE_ATTRIBUTE):
        props[attribute] = unit
    return Event(
        project_id=project_id,
        id=event_id(name),
        dated=True,
        ts=hour,
        at=now,
        received_at=now,
        name=EXPOSURE,
        user_id=unit if attribute == USER_ATTRIBUTE else None,
        anonymous_id=unit if attribute == DEVICE_ATTRIBUTE else None,
        experiment=experiment,
        variant=variant,
        props=msgspec.json.encode(props),
        environment=ENVIRONMENT_CODES[environment],
        door=Door.EVALUATION,
    )

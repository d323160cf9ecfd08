import asyncio
from datetime import timedelta

import pytest

from assignment.doors import exposing
from assignment.doors.exposing import ExposureLog, Logged
from assignment.engine.terminals import Exposure
from events.row import Door
from events.sink import Entry, LogFullError, LogRefusedError, LogUnavailableError
from experiments.domain.environments import Environment
from tests.assignment.doors.fakes import T0


class FakeSink:
    """Keeps what it is given, or fails, or takes its time."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.error: Exception | None = None
        self.release = asyncio.Event()
        self.release.set()

    async def put(self, entry: Entry) -> None:
        await self.release.wait()
        if self.error is not None:
            raise self.error
        self.rows.extend(entry.dated)


class Clock:
    def __init__(self) -> None:
        self.now = T0 + timedelta(minutes=20)

    def __call__(self):
        return self.now


@pytest.fixture
def sink():
    return FakeSink()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(sink, clock):
    return ExposureLog(sink, clock)


@pytest.fixture
def encoded(monkeypatch):
    """Every event, as it was before it became bytes."""
    events = []
    monkeypatch.setattr(exposing, "encode", lambda event: events.append(event) or _encode(event))
    return events


_encode = exposing.encode


def exposure(unit: str = "u1", attribute: str = "id", experiment: str = "ranker", variant: str = "treatment"):
    return Exposure(
        experiment={"key": experiment}, result={"key": variant, "hashAttribute": attribute, "hashValue": unit}
    )


def write(log, *exposures, environment=Environment.PRODUCTION) -> Logged:
    return asyncio.run(log.write(1, environment, exposures))


def test_exposure__is_stored_as_the_row_that_every_door_writes(log, encoded, clock):
    assert write(log, exposure()) is Logged.STORED
    (event,) = encoded
    assert (event.name, event.experiment, event.variant) == ("Experiment Viewed", "ranker", "treatment")
    assert (event.user_id, event.anonymous_id, event.door) == ("u1", None, Door.EVALUATION)
    assert event.props == b'{"experiment_id":"ranker","variation_id":"treatment"}'
    assert (event.ts, event.at, event.dated) == (T0, clock.now, True)


@pytest.mark.parametrize(
    ("attribute", "user_id", "anonymous_id", "in_props"),
    [("id", "u1", None, False), ("device_id", None, "u1", False), ("session_id", None, None, True)],
)
def test_exposure__of_each_unit_type__names_its_unit_where_the_fold_looks(
    log, encoded, attribute, user_id, anonymous_id, in_props
):
    write(log, exposure(attribute=attribute))
    (event,) = encoded
    assert (event.user_id, event.anonymous_id) == (user_id, anonymous_id)
    assert (b'"session_id":"u1"' in event.props) is in_props


def test_exposure__in_a_hot_loop__is_written_once_an_hour(log, sink, clock):
    for minute in range(40):
        clock.now = T0 + timedelta(minutes=minute)
        assert write(log, exposure()) is Logged.STORED
    assert len(sink.rows) == 1
    clock.now = T0 + timedelta(minutes=60)
    assert write(log, exposure()) is Logged.STORED
    assert len(sink.rows) == 2


def test_exposure__from_two_processes__is_the_same_event_to_the_log(sink, clock, encoded):
    for minute in (5, 50):
        clock.now = T0 + timedelta(minutes=minute)
        write(ExposureLog(sink, clock), exposure())
    one, other = encoded
    assert (one.id, one.ts) == (other.id, other.ts)


def test_exposure__anything_different__is_another_event(log, encoded):
    other_units = [exposure("u2"), exposure(attribute="device_id"), exposure(experiment="x"), exposure(variant="y")]
    for one in (exposure(), *other_units):
        write(log, one)
    write(log, exposure(), environment=Environment.STAGING)
    assert len({event.id for event in encoded}) == 6
    assert encoded[-1].environment == 1


def test_exposure__several_of_one_evaluation__are_one_entry(log, sink):
    assert write(log, exposure(experiment="holdout"), exposure()) is Logged.STORED
    assert len(sink.rows) == 2


def test_exposure__none__is_said_and_nothing_written(log, sink):
    assert write(log) is Logged.NOTHING
    assert sink.rows == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (LogUnavailableError("down", 1), Logged.UNAVAILABLE),
        (LogFullError("full", 1), Logged.UNAVAILABLE),
        (LogRefusedError("odd"), Logged.REFUSED),
    ],
)
def test_exposure__that_is_lost__is_never_called_stored_and_is_tried_again(log, sink, error, outcome):
    sink.error = error
    assert write(log, exposure()) is outcome
    sink.error = None
    assert write(log, exposure()) is Logged.STORED
    assert len(sink.rows) == 1
    assert log.outcomes == {outcome: 1, Logged.STORED: 1}


def test_exposure__slow_log__the_answer_goes_first_and_says_so(log, sink, monkeypatch):
    monkeypatch.setattr(exposing, "LONGEST_WAIT_SECONDS", 0.01)

    async def scenario():
        sink.release.clear()
        assert await log.write(1, Environment.PRODUCTION, [exposure()]) is Logged.UNKNOWN
        sink.release.set()
        await asyncio.sleep(0.01)
        assert len(sink.rows) == 1
        assert await log.write(1, Environment.PRODUCTION, [exposure()]) is Logged.STORED
        assert len(sink.rows) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("unit", ["x" * 256, "nul\x00", " "])
def test_exposure__of_a_unit_that_the_log_cannot_keep__is_refused(log, sink, unit):
    assert write(log, exposure(unit)) is Logged.REFUSED
    assert sink.rows == []


def test_exposures__remembered__are_bounded(log, sink, monkeypatch):
    monkeypatch.setattr(exposing, "REMEMBERED", 3)
    for number in range(10):
        write(log, exposure(f"u{number}"))
    write(log, exposure("u9"))
    write(log, exposure("u0"))
    assert len(sink.rows) == 11

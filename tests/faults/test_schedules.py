"""Any schedule of arrivals, delays, repeats, refolds and crashes adds up to what ten lines of Python say."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import moments
from analysis.rollup import sql, watermark
from analysis.rollup.check import check
from analysis.rollup.fold import fold, rebuild
from tests.analysis.pipeline.conftest import empty_tables
from tests.faults import doors
from tests.faults.conftest import counting_experiment, query
from tests.faults.doors import address, encoded
from tests.faults.ledger import message

pytestmark = pytest.mark.usefixtures("log")
WRITERS = 3
MOST_STATEMENTS = 60
"""More than a chunk of a fold has, so that a crash may also come between two chunks or not at all."""


@dataclass(frozen=True)
class Arrive:
    """A writer is given one message; it is seen by others when that writer commits."""

    writer: int
    unit: str
    minute: int
    what: str  # a variant's key, or "order"
    revenue: int


@dataclass(frozen=True)
class Repeat:
    """A client sends an earlier message once more, through another writer."""

    writer: int
    which: int


@dataclass(frozen=True)
class End:
    """A writer commits, or dies with its transaction; the client of a dead one sends everything again later."""

    writer: int
    dies: bool


@dataclass(frozen=True)
class Fold:
    """A worker folds in chunks; it is killed at a statement when there is one of that number."""

    chunk: int
    dies_at: int | None


@dataclass(frozen=True)
class Rebuild:
    """The experiment is refolded from the whole log, or its worker is killed at a statement."""

    dies_at: int | None


numbers = st.integers(0, WRITERS - 1)
arrivals = st.builds(
    Arrive, numbers, st.sampled_from("abc"), st.integers(0, 9),
    st.sampled_from(["control", "treatment", "order", "order", "order"]), st.integers(-9, 90),
)  # fmt: skip
crashes = st.one_of(st.none(), st.integers(1, MOST_STATEMENTS))
steps = st.one_of(
    arrivals, arrivals, arrivals,
    st.builds(Repeat, numbers, st.integers(0, 30)), st.builds(End, numbers, st.booleans()),
    st.builds(End, numbers, st.just(False)), st.builds(Fold, st.integers(1, 6), crashes), st.builds(Rebuild, crashes),
)  # fmt: skip
schedules = st.lists(steps, min_size=3, max_size=24)


def oracle(arrivals):
    """Return {unit: (minute, variant, in two variants)} and {unit: [orders, revenue]} of a whole schedule."""
    enrolled, totals = {}, {}
    for one in sorted((a for a in arrivals if a.what != "order"), key=lambda a: (a.minute, a.what)):
        minute, variant, twice = enrolled.get(one.unit, (one.minute, one.what, False))
        enrolled[one.unit] = (minute, variant, twice or variant != one.what)
    for one in arrivals:
        if one.what == "order" and one.unit in enrolled and one.minute >= enrolled[one.unit][0]:
            orders, revenue = totals.get(one.unit, (0, 0))
            totals[one.unit] = (orders + 1, revenue + one.revenue)
    return enrolled, totals


class World:
    """Three writers with transactions of their own, and what their clients still have to send again."""

    def __init__(self, writers):
        self.experiment = counting_experiment()
        self.start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        self.writers = writers
        self.messages = []  # (arrival, its row), in the order in which clients made them
        self.open = {}  # row → the writer in whose transaction it is
        self.held = [[] for _ in writers]
        self.unsent = []

    def do(self, step):
        match step:
            case Arrive():
                row = self.row(step)
                self.messages.append((step, row))
                self.write(step.writer, row)
            case Repeat() if self.messages:
                self.write(step.writer, self.messages[step.which % len(self.messages)][1])
            case End():
                self.end(step.writer, dies=step.dies)
            case Fold():
                with killed_at(step.dies_at):
                    fold(chunk_events=step.chunk)
                moments.keep(self.experiment)
            case Rebuild():
                with killed_at(step.dies_at):
                    rebuild([self.experiment])

    def row(self, arrival):
        at = self.start + timedelta(minutes=arrival.minute)
        if arrival.what == "order":
            made = message(arrival.unit, "Order Completed", {"revenue": arrival.revenue}, at)
        else:
            named = {"experiment_id": self.experiment.key, "variation_id": arrival.what}
            made = message(arrival.unit, "Experiment Viewed", named, at)
        return encoded([made], self.experiment.project_id)[0]

    def write(self, writer, row):
        """Store a row in a writer's transaction; one that another has open would have to wait for its end."""
        if row in self.open and self.open[row] != writer:
            self.end(self.open[row], dies=False)
        doors.write(self.writers[writer], [row])
        self.open[row] = writer
        self.held[writer].append(row)

    def end(self, writer, *, dies):
        (self.writers[writer].rollback if dies else self.writers[writer].commit)()
        for row in self.held[writer]:
            self.open.pop(row, None)
            if dies:
                self.unsent.append(row)
        self.held[writer] = []

    def finish(self):
        """Commit what is open, and let clients send again what a dead writer never acknowledged."""
        for writer in range(WRITERS):
            self.end(writer, dies=False)
        for row in self.unsent:
            self.write(0, row)
        self.end(0, dies=False)
        fold()

    def state(self):
        enrolled = query(
            "SELECT unit, first_at, v.key, quarantined FROM analysis_enrolment e "
            "JOIN experiments_variant v ON v.id = e.variant_id", [],
        )  # fmt: skip
        totals = query(
            "SELECT unit, m.key, sum(numerator) FROM analysis_unitday d "
            "JOIN experiments_metric m ON m.id = d.metric_id GROUP BY unit, m.key", [],
        )  # fmt: skip
        sums = {(unit, metric): int(top) for unit, metric, top in totals}
        return (
            {unit: (int((at - self.start).seconds / 60), key, twice) for unit, at, key, twice in enrolled},
            {unit: (sums[unit, "orders"], sums[unit, "revenue"]) for unit, _ in sums},
        )


@contextlib.contextmanager
def killed_at(number):
    """Break off at the ``number``-th statement of a fold, as a killed worker does; never when None."""
    whole, left = sql.run, [number or 0]

    def run(statement, parameters=None):
        left[0] -= 1
        if left[0] == 0:
            raise ConnectionResetError("the worker was killed here")
        whole(statement, parameters)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(ConnectionResetError):
        patch.setattr(sql, "run", run)
        yield


def play(schedule):
    """Run one schedule and hold the log and the fold to the oracle."""
    empty_tables()
    with contextlib.ExitStack() as stack:
        world = World([stack.enter_context(psycopg.connect(address())) for _ in range(WRITERS)])
        for step in schedule:
            world.do(step)
        world.finish()
    arrivals = [arrival for arrival, _ in world.messages]
    assert query("SELECT count(*) FROM events_log", [])[0][0] == len(arrivals)
    assert world.state() == oracle(arrivals)
    assert check([world.experiment]).differences == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=schedules)
def test_any_schedule__with_crashes_delays_and_repeats__equals_the_oracle(schedule):
    play(schedule)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=st.lists(steps, min_size=20, max_size=80))
def test_any_long_schedule__with_crashes_delays_and_repeats__equals_the_oracle(schedule):
    play(schedule)


def test_oracle__a_unit_in_two_variants_with_an_early_order__is_what_one_counts_by_hand():
    seen = [
        Arrive(0, "a", 2, "order", 5), Arrive(0, "a", 3, "treatment", 0), Arrive(1, "a", 4, "order", 7),
        Arrive(1, "a", 5, "control", 0), Arrive(2, "b", 1, "order", 3),
    ]  # fmt: skip
    assert oracle(seen) == ({"a": (3, "treatment", True)}, {"a": (1, 7)})


def test_schedules__a_watermark_that_does_not_wait__is_caught(monkeypatch):
    """The net must have meshes: an open transaction is passed over when the fold trusts the newest id."""
    seen_late = [Arrive(0, "a", 1, "control", 0), Fold(1, None), End(0, False)]
    play(seen_late)
    monkeypatch.setattr(watermark, "SNAPSHOT_XMIN", watermark.NEXT_XID)
    with pytest.raises(AssertionError, match="control"):
        play(seen_late)

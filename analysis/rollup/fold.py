"""Fold new rows of the event log into enrolments and unit totals, chunk by chunk, exactly once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from analysis.rollup import sql, statements, watermark
from analysis.rollup.watermark import Bounds
from experiments.domain.units import UnitType
from experiments.models import Experiment

CHUNK_EVENTS = 200_000
"""Rows a chunk (and the rest of the last row's transaction): about a second of work, and a few hundred MB at most."""

ROWS_A_LOOK_UP = 300
"""Rows of the log that can be read in the time of looking up one unit in some fifty daily partitions (measured)."""

Progress = Callable[[int, int], None]
"""Told after every chunk how many rows are folded, of how many that waited when the fold began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where a fold writes: the incremental state, or tables of a check's own."""

    enrolment: str = "analysis_enrolment"
    unitday: str = "analysis_unitday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What a fold did: rows read, chunks taken, experiments rebuilt from the whole log."""

    events: int
    chunks: int
    rebuilt: int


STATE = Tables()


def fold(*, chunk_events: int = CHUNK_EVENTS, on_progress: Progress | None = None) -> Folded:
    """Fold everything that had settled when the fold began. Two workers at once take turns, chunk by chunk."""
    watermark.make()
    target = watermark.settled_xid()
    events = chunks = rebuilt = waiting = 0
    reached = -1
    while reached < target:
        with transaction.atomic():
            mark = watermark.lock()
            if on_progress is not None and reached < 0:
                waiting = watermark.pending(mark.xid)
            bounds = watermark.next_chunk(mark.xid, chunk_events)
            took, renewed = fold_chunk(bounds)
            mark.xid, mark.advanced_at = bounds.hi, timezone.now()
            mark.save(update_fields=["xid", "advanced_at"])
        reached, events, chunks, rebuilt = bounds.hi, events + took, chunks + 1, rebuilt + renewed
        if on_progress is not None:
            on_progress(events, max(waiting, events))
    return Folded(events=events, chunks=chunks, rebuilt=rebuilt)


def rebuild(experiments: Iterable[Experiment]) -> None:
    """Recompute the state of some experiments from the log, up to where the fold stands."""
    watermark.make()
    with transaction.atomic():
        mark = watermark.lock()
        bounds = Bounds(lo=mark.xid, hi=mark.xid)
        prepare()
        sql.run(
            "UPDATE fold_experiment SET stale = true WHERE experiment_id = ANY(%(experiments)s)",
            {"experiments": [experiment.pk for experiment in experiments]},
        )
        _fold_prepared(bounds)


def fold_chunk(bounds: Bounds) -> tuple[int, int]:
    """Fold the rows of one chunk; return how many there were, and how many experiments were rebuilt.

    Runs inside the caller's transaction, with the watermark locked.
    """
    prepare()
    sql.run(statements.FILL_EVENTS, bounds.as_parameters())
    sql.run(statements.LEAVE_OUT_THE_PAST)
    sql.run(statements.LEAVE_OUT_THEIR_TERMS)
    sql.run("ANALYZE fold_event, fold_term, fold_experiment")
    return _fold_prepared(bounds)


def prepare() -> None:
    """Take the picture of started experiments and plans that the whole chunk is folded under."""
    sql.run(statements.SCRATCH)
    sql.run(statements.FILL_TERMS)
    sql.run(statements.FILL_OVERRIDES)
    sql.run(statements.FILL_EXPERIMENTS)


def compute_stale(bounds: Bounds, tables: Tables) -> None:
    """Write the state of the experiments marked stale from the whole log below ``hi`` into empty tables."""
    sql.run(_units("events_log", statements.ALL_EXPOSURES_OF_STALE, tables), bounds.as_parameters())
    sql.run("ANALYZE fold_unit")
    sql.run(statements.ENROL.format(enrolment=tables.enrolment), bounds.as_parameters())
    _add_moved(bounds, tables)


def _fold_prepared(bounds: Bounds) -> tuple[int, int]:
    rebuilt = sql.number("SELECT count(*) FROM fold_experiment WHERE stale")
    if rebuilt:
        for table in (STATE.enrolment, STATE.unitday):
            sql.run(statements.FORGET_STALE.format(table=table))
        compute_stale(bounds, STATE)
        sql.run("TRUNCATE fold_unit")
    events = sql.number("SELECT count(*) FROM fold_event")
    if events:
        _fold_new(bounds)
    sql.run(statements.REMEMBER_EXPERIMENTS)
    return events, rebuilt


def _fold_new(bounds: Bounds) -> None:
    """Add the chunk's rows to the experiments whose state stands."""
    sql.run(_units("fold_event", statements.NEW_EXPOSURES, STATE))
    sql.run("ANALYZE fold_unit")
    sql.run(statements.ENROL.format(enrolment=STATE.enrolment), bounds.as_parameters())
    sql.run(statements.FORGET_MOVED.format(unitday=STATE.unitday))
    for unit_type in _unit_types("NOT x.stale"):
        new_events = statements.NEW_EVENTS.format(
            unit_type=unit_type.value, unit=statements.unit_of(unit_type), enrolment=STATE.enrolment
        )
        sql.run(statements.ADD_TOTALS.format(unitday=STATE.unitday, source=new_events))
    _add_moved(bounds, STATE)
    sql.run(statements.COUNT_STRAYS.format(unit=statements.ANY_UNIT))
    sql.run(statements.REMEMBER_PROJECTS)


def _add_moved(bounds: Bounds, tables: Tables) -> None:
    """Total the units in ``fold_unit`` that moved from the whole log, one statement a unit type that occurs."""
    moved = sql.number("SELECT count(*) FROM fold_unit WHERE moved")
    if not moved:
        return
    scan = moved * ROWS_A_LOOK_UP > sql.number(statements.LOG_ROWS)
    sql.run(statements.SCAN if scan else statements.NO_SCAN)
    events = statements.MOVED_BY_SCAN if scan else statements.MOVED_BY_INDEX
    for unit_type in _unit_types("true"):
        source = events.format(
            unit_type=unit_type.value, unit=statements.unit_of(unit_type), indexed=statements.indexed(unit_type)
        )
        sql.run(statements.ADD_TOTALS.format(unitday=tables.unitday, source=source), bounds.as_parameters())
    sql.run(statements.NO_SCAN)


def _unit_types(condition: str) -> list[UnitType]:
    """Return the unit types of the experiments that meet a condition: seldom more than two."""
    found = sql.rows(f"SELECT DISTINCT x.unit_type FROM fold_experiment x WHERE {condition}")  # noqa: S608
    return [UnitType(name) for (name,) in found]


def _units(log: str, rows: str, tables: Tables) -> str:
    return statements.FILL_UNITS.format(log=log, rows=rows, unit=statements.ANY_UNIT, enrolment=tables.enrolment)

"""Fold new rows of the event log into enrolments and unit totals, chunk by chunk, exactly once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from django.db import transaction
from django.utils import timezone

from analysis.rollup import (
    bots,
    crosses,
    days,
    funnels,
    identities,
    scores,
    seen,
    sql,
    statements,
    sums,
    terms,
    totals,
    units,
    values,
    watermark,
)
from analysis.rollup.seen import Seen
from analysis.rollup.watermark import Bounds
from experiments.models import Experiment

CHUNK_EVENTS = 200_000
"""Rows a chunk (and the rest of the last row's transaction): about a second of work, and a few hundred MB at most."""

ROOM = "SET LOCAL work_mem = '64MB'; SET LOCAL default_statistics_target = 10"
"""Enough to sort a chunk in memory; and a chunk's own statistics are for the size of joins, which a few rows tell."""

Progress = Callable[[int, int], None]
"""Told after every chunk how many rows are folded, of how many that waited when the fold began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where a fold writes: the incremental state, or tables of a check's own."""

    enrolment: str = "analysis_enrolment"
    unitday: str = "analysis_unitday"
    unitbefore: str = "analysis_unitbefore"
    unitvalue: str = "analysis_unitvalue"
    unitfunnel: str = "analysis_unitfunnel"
    unitscore: str = "analysis_unitscore"

    @property
    def of_units(self) -> tuple[str, ...]:
        """Return the tables that hold what units did around their first exposure, and so move with it."""
        return (self.unitday, self.unitbefore, self.unitvalue, self.unitfunnel)

    def names(self) -> dict[str, str]:
        """Return the tables as the statements name them."""
        return asdict(self)


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
            days.catch_up(mark.xid)
            identities.catch_up(mark.xid)
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
        sql.run(identities.SPREAD_OVERRIDES)
        _fold_prepared(bounds, None)


def fold_chunk(bounds: Bounds) -> tuple[int, int]:
    """Fold the rows of one chunk; return how many there were, and how many experiments were rebuilt.

    Runs inside the caller's transaction, with the watermark locked.
    """
    prepare()
    sql.run(ROOM)
    sql.run(statements.FILL_EVENTS, bounds.as_parameters())
    found = seen.scan()
    if found.crosses_days:
        sql.run(days.REMEMBER)
    if identities.merge(bounds, learns=found.links):
        seen.scan_past()
        found = seen.read()
    sql.run(statements.LEAVE_OUT_THE_PAST)
    sql.run(terms.LEAVE_OUT_THEIR_TERMS)
    sql.run("ANALYZE fold_event, fold_term, fold_experiment")
    return _fold_prepared(bounds, found)


def prepare() -> None:
    """Take the picture of started experiments and plans that the whole chunk is folded under."""
    scratch()
    sql.run(terms.FILL_TERMS)
    sql.run(statements.FILL_OVERRIDES)
    sql.run(statements.FILL_EXPERIMENTS)
    sql.run(bots.LEAVE_OUT)


def scratch() -> None:
    """Have the tables that a fold works on, empty."""
    sql.make_empty("".join(part.SCRATCH for part in (statements, values, funnels, terms, sums, seen, crosses)))
    identities.scratch()


def compute_stale(bounds: Bounds, tables: Tables) -> None:
    """Write the state of the experiments marked stale from the whole log below ``hi`` into empty tables."""
    unit = units.any_in_log(identities.linked_projects())
    rows = statements.ALL_EXPOSURES_OF_STALE
    sql.run(_units("events_log", rows, unit, tables, moved="true"), bounds.as_parameters())
    sql.run("ANALYZE fold_unit")
    sql.run(statements.ENROL_NEW.format(enrolment=tables.enrolment))
    sql.run(scores.ADD.format(log="events_log", rows=rows, unit=unit, **tables.names()), bounds.as_parameters())
    adding = Adding(bounds=bounds, tables=tables, only=None if tables == STATE else "")  # a check reads everything
    adding.moved_units()
    adding.count_days()


def _fold_prepared(bounds: Bounds, found: Seen | None) -> tuple[int, int]:
    rebuilt = sql.number("SELECT count(*) FROM fold_experiment WHERE stale")
    if rebuilt:
        for table in STATE.names().values():
            sql.run(statements.FORGET_STALE.format(table=table))
        for statement in [*sums.FORGET_STALE, *crosses.FORGET_STALE, values.FORGET_STALE]:
            sql.run(statement)
        compute_stale(bounds, STATE)
        sql.run("TRUNCATE fold_unit, fold_distinct, fold_step, fold_behind")
    if found is not None and found.events:
        _fold_new(bounds, found)
    sql.run(statements.REMEMBER_EXPERIMENTS)
    return found.events if found is not None else 0, rebuilt


def _fold_new(bounds: Bounds, found: Seen) -> None:
    """Add the chunk's rows to the experiments whose state stands."""
    kept, crossing = sums.Keeping(), crosses.Crossing()
    unit = units.any_in_fold()
    crossing.by_events(unit)
    relinked = identities.relinked()
    if relinked:
        kept.of_units(sums.OF_PERSONS, -1)
        identities.forget(STATE.names().values())
    sql.run(_units("fold_event", statements.NEW_EXPOSURES, unit, STATE, moved=statements.MAY_BE_IN_LOG))
    if relinked:
        sql.run(identities.STAND)
    crossing.by_enrolling()
    moved = _enrol_new(kept)
    if found.scores:
        rows = statements.NEW_EXPOSURES
        sql.run(scores.ADD.format(log="fold_event", rows=rows, unit=unit, **STATE.names()), bounds.as_parameters())
    adding = Adding(bounds=bounds, tables=STATE, kept=kept)
    adding.new_events(one_day=found.one_day, but_moved=moved)
    if moved:
        adding.moved_units()
        kept.of_moved()
    adding.count_days()
    kept.flush()
    crossing.add_again()
    if seen.may_have_strays(adding.linked):
        sql.run(statements.COUNT_STRAYS.format(unit=unit))
    sql.run(statements.REMEMBER_PROJECTS)


def _enrol_new(kept: sums.Keeping) -> bool:
    """Enrol the chunk's exposed units; say whether some are to be read from the log."""
    ((exposed, known, moved, left),) = sql.rows(statements.UNITS)
    if not exposed:
        return False
    sql.run("ANALYZE fold_unit")
    if known:
        kept.of_units(sums.BEFORE_ENROLLING, -1)
        sql.run(statements.ENROL_KNOWN.format(enrolment=STATE.enrolment))
    sql.run(statements.ENROL_NEW.format(enrolment=STATE.enrolment))
    kept.of_heads(sums.AFTER_ENROLLING)
    if left:
        for table in STATE.of_units:
            sql.run(statements.FORGET_MOVED.format(table=table))
    return bool(moved)


class Adding:
    """Add events to units: to their totals, and where a metric asks for it to their values and their funnels.

    ``only`` is the condition on the rows ``l`` of the log that are read of moved units; None leaves out the days that
    lie before all that these units need. ``kept`` are the sums that follow; None where a state is made anew.
    """

    def __init__(
        self, *, bounds: Bounds, tables: Tables, only: str | None = None, kept: sums.Keeping | None = None
    ) -> None:
        used = sql.rows(terms.USED)
        self.only, self.kept = only, kept if kept is not None and kept.on else None
        keeps = {kept for kept, _ in used}
        self.bounds, self.tables, self.linked = bounds, tables, identities.linked_projects()
        self.reaches_back = any(back for _, back in used)
        self.has_values, self.has_steps = bool(keeps & {"value", "distinct"}), "step" in keeps

    def new_events(self, *, one_day: bool, but_moved: bool) -> None:
        """Add the chunk's own rows to units whose first exposure stands, one statement a basis that occurs."""
        for basis in units.bases("NOT x.stale"):
            source = totals.NEW_EVENTS.format(
                basis=basis.folded,
                unit=basis.in_fold(),
                enrolment=self.tables.enrolment,
                standing=totals.STANDING if but_moved else "",
                counts=terms.COUNTS,
            )
            if self.kept is None:
                self._write_totals(source)
            else:
                added = self._added(source, enrolled=True)
                self.kept.add(added, one_day=one_day, parameters=self.bounds.as_parameters())
            self._add_parts(source)
        if self.has_steps:
            sql.run(funnels.FIND_BEHIND.format(**self.tables.names()))
            for statement in funnels.FORGET_BEHIND:
                sql.run(statement.format(**self.tables.names()))
            for source in self._from_log("fold_behind"):
                sql.run(funnels.FILL_STEPS.format(source=source), self.bounds.as_parameters())

    def moved_units(self) -> None:
        """Total the units in ``fold_unit`` that moved from the whole log."""
        for source in self._from_log("fold_unit"):
            self._write_totals(source)
            self._add_parts(source)

    def count_days(self) -> None:
        """Bring the totals by day of distinct counts and funnels up to what is kept of their units."""
        names = self.tables.names()
        if self.has_values:
            self._recount("fold_distinct", [values.FORGET_DAYS.format(**names), values.COUNT_DAYS.format(**names)])
        if self.has_steps:
            statements_ = (funnels.REACH, funnels.FORGET_DAYS, funnels.COUNT_DAYS)
            self._recount("fold_step", [statement.format(**names) for statement in statements_])

    def _recount(self, those: str, counting: list[str]) -> None:
        if self.kept is not None:
            self.kept.of_metrics(those, -1)
        for statement in counting:
            sql.run(statement)
        if self.kept is not None:
            self.kept.of_metrics(those, 1)

    def _added(self, source: str, *, enrolled: bool = False) -> totals.Added:
        before, back = self.tables.unitbefore, self.reaches_back
        return totals.added(source, unitbefore=before, reaches_back=back, enrolled=enrolled)

    def _write_totals(self, source: str) -> None:
        sql.run(totals.write(self._added(source), self.tables.unitday), self.bounds.as_parameters())

    def _add_parts(self, source: str) -> None:
        names, parameters = {**self.tables.names(), "source": source}, self.bounds.as_parameters()
        if self.has_values:
            sql.run(values.ADD_VALUES.format(**names), parameters)
        if self.has_steps:
            sql.run(funnels.FILL_STEPS.format(**names), parameters)

    def _from_log(self, table: str) -> Iterator[str]:
        """Yield a source of all events of the units in a table, by index or by one pass, for each basis."""
        ((moved, since),) = sql.rows(totals.NEEDED.format(units=table))
        if not moved:
            return
        some = days.since(since)
        only = some.condition() if self.only is None else self.only
        scan = some.is_cheaper_to_scan(moved)
        sql.run(totals.SCAN if scan else totals.NO_SCAN)
        for basis in units.bases("true"):
            yield self._by_scan(table, basis, only) if scan else self._by_index(table, basis, only)
        sql.run(totals.NO_SCAN)

    def _by_scan(self, table: str, basis: units.Basis, only: str) -> str:
        return totals.BY_SCAN.format(
            units=table,
            basis=basis.condition,
            unit=basis.in_log(self.linked),
            indexed=basis.indexed(),
            counts=terms.COUNTS,
            only=only,
        )

    def _by_index(self, table: str, basis: units.Basis, only: str) -> str:
        rows = basis.by_index(self.linked, totals.OF_A_UNIT.format(only=only))
        return totals.BY_INDEX.format(units=table, basis=basis.condition, rows=rows, counts=terms.COUNTS)


def _units(log: str, rows: str, unit: str, tables: Tables, *, moved: str) -> str:
    return statements.FILL_UNITS.format(log=log, rows=rows, unit=unit, enrolment=tables.enrolment, moved=moved)

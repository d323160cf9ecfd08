"""The looks of an experiment's plan: what its numbers must allow for at this one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from analysis.decisions import wording
from analysis.decisions.rules import DEFAULTS as RULES
from analysis.models import Look
from analysis.moments import ExperimentSums
from analysis.results.schema import Looks
from analysis.stats.group_sequential import SequentialPlan
from analysis.stats.looks import AnyLooks, Looking, PlannedLooks
from analysis.stats.settings import DEFAULTS
from experiments.domain.looking import ReadingPlan
from experiments.models import Experiment

LEAST_GROWTH = 0.001
"""A look with hardly more units than the one before is that look again: it has nothing new to spend risk on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How an experiment is read at one moment.

    Attributes:
        looking: what the statistics allow for; None for a plan of one look.
        sums: what is read: after the last look of a plan, as they stood at the end of its day.
        facts: the same for people.
        day: the UTC day of this look.
    """

    looking: Looking | None
    sums: ExperimentSums
    facts: Looks
    day: date


def course(experiment: Experiment, sums: ExperimentSums, as_of: datetime) -> Course:
    """Return how the experiment is read at ``as_of``, after the looks that were written down before."""
    day = _day(experiment, as_of)
    plan = ReadingPlan(experiment.reading)
    if plan is ReadingPlan.GROUP_SEQUENTIAL:
        return _planned(experiment, sums, day, as_of)
    looking = None if plan is ReadingPlan.FIXED else AnyLooks(tuned_for=tuned_for(experiment))
    said = (
        "Read once, at the planned end; before it only clear harm is called."
        if looking is None
        else "Readable at any time: intervals and p-values hold however often one looks."
    )
    facts = Looks(plan=plan.value, sentence=said, units=sums.total, planned_units=experiment.planned_units)
    return Course(looking=looking, sums=sums, facts=facts, day=day)


def record(experiment: Experiment, course_: Course) -> None:
    """Write the look down; another snapshot of the same day takes its place, and nothing comes after the last."""
    if not isinstance(course_.looking, PlannedLooks) or course_.facts.until is not None:
        return
    fresh = {"units": course_.sums.total, "is_last": course_.looking.final}
    Look.objects.update_or_create(
        experiment=experiment, phase=experiment.phase, day=course_.day, defaults=fresh, create_defaults=fresh
    )


def tuned_for(experiment: Experiment) -> int:
    """Return the units in two variants at which an always-valid interval is tightest: the planned ones' share."""
    return max(2, round((experiment.planned_units or 0) * 2 / max(2, experiment.variants.count())))


def growing(units: Iterable[int], now: int) -> tuple[float, ...]:
    """Return the information at each look so far and now, leaving out looks that added next to nothing."""
    kept: list[float] = []
    for before in units:
        if before > (kept[-1] * (1 + LEAST_GROWTH) if kept else 0) and before * (1 + LEAST_GROWTH) < now:
            kept.append(float(before))
    return (*kept, float(max(1, now)))


def information_of(experiment: Experiment, course_: Course, metric: int) -> tuple[float, ...] | None:
    """Return how many units counted for a metric at each look so far and now, where not all count at once.

    Of earlier looks as at the end of their day; None where nothing is looked at by a plan of looks.
    """
    if not isinstance(course_.looking, PlannedLooks):
        return None
    sums = course_.sums
    reached = dict(zip(sums.days(), sums.reached(metric), strict=True))
    last = course_.facts.until or course_.day
    looks = Look.objects.filter(experiment=experiment, phase=experiment.phase, day__lt=last).order_by("day")
    units = [max((n for day, n in reached.items() if day <= look.day), default=0) for look in looks]
    return growing(units, max(reached.values(), default=0))


def _planned(experiment: Experiment, sums: ExperimentSums, day: date, as_of: datetime) -> Course:
    looks = list(Look.objects.filter(experiment=experiment, phase=experiment.phase))
    last = next((look for look in looks if look.is_last), None)
    until = last.day if last is not None and last.day < day else None
    read = sums if until is None else sums.until(until)
    information = growing([look.units for look in looks if look.day < (until or day)], read.total)
    planned = experiment.planned_units or 1
    looking = PlannedLooks(
        plan=SequentialPlan(
            alpha=DEFAULTS.alpha, planned_information=float(planned), planned_looks=max(1, experiment.planned_days)
        ),
        information=information,
        final=last is not None or read.total >= planned or _end_reached(experiment, as_of),
    )
    facts = Looks(
        plan=ReadingPlan.GROUP_SEQUENTIAL.value,
        sentence=_sentence(experiment, looking, read.total, until),
        units=read.total,
        planned_units=planned,
        look=len(information),
        is_last=looking.final,
        until=until,
    )
    return Course(looking=looking, sums=read, facts=facts, day=day)


def _sentence(experiment: Experiment, looking: PlannedLooks, units: int, until: date | None) -> str:
    planned = f"{experiment.planned_units or 0:,} planned {experiment.unit_type}s"
    reached = f"{wording.percent(units / looking.plan.planned_information)} of the {planned}"
    if until is not None:
        on = wording.day(until.day, until.month)
        return f"Read for the last time on {on}, at {reached}; what came later is not in these numbers."
    if looking.final:
        return f"This is the last look, at {reached}; intervals and p-values allow for all looks before it."
    return f"Look {len(looking.information)}, at {reached}; intervals and p-values allow for every look, one a day."


def _end_reached(experiment: Experiment, as_of: datetime) -> bool:
    """Say whether the planned days have passed; a stop before them is no end, for it may follow from the data."""
    began, stopped = experiment.counts_from, experiment.stopped_at
    if began is None:
        return False
    end = as_of if stopped is None else min(stopped, as_of)
    return end + RULES.horizon_grace >= began + timedelta(days=experiment.planned_days)


def _day(experiment: Experiment, as_of: datetime) -> date:
    stopped = experiment.stopped_at
    return (as_of if stopped is None else min(stopped, as_of)).astimezone(UTC).date()

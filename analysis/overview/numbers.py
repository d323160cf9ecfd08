"""What the programme has to show: win rate, velocity, quality and impact of a project's experiments."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import F, FilteredRelation, FloatField, Q
from django.db.models.functions import Cast, Extract, TruncDate
from django.db.models.lookups import IsNull

from analysis.stats.track_record import Gain, Impact, Share, impact, share
from analysis.stats.unavailable import NotComputable
from experiments.domain.conclusions import Choice, ConclusionState, Recommendation
from experiments.domain.kinds import ExperimentKind
from experiments.domain.looking import ReadingPlan
from experiments.domain.shares import WHOLE
from experiments.models import Experiment, Metric, Project

PERIODS = {90: "3 months", 365: "12 months", 730: "2 years", 3650: "All time"}
USUAL = 365
GRACE = timedelta(hours=1)
"""Stopped by hand this much before the planned end has still run as planned (as in ``decisions.rules``)."""

DETECTABLE = 2.8
"""Standard errors of a change that is found four times out of five at a risk of 5 %: 1.96 + 0.84."""

WEEKS = 26
_READINGS = {one.value: one for one in ReadingPlan}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What one experiment that has ended adds to the numbers."""

    created_at: datetime
    started_at: datetime
    stopped_at: datetime
    planned_days: int
    reading: ReadingPlan
    matters: int | None
    recommendation: str
    trustworthy: bool | None
    metric: str
    treatments: int | None
    lift: float | None
    lift_error: float | None
    decision: str
    against: bool | None
    decided_at: datetime | None
    is_shipped: bool

    @property
    def shipped(self) -> bool:
        """Say whether the variant went out."""
        return self.is_shipped or self.decision == Choice.SHIP

    @property
    def begun_at(self) -> datetime:
        """Return when work on it began: its start, where it was written down afterwards."""
        return min(self.created_at, self.started_at)

    @property
    def stopped_early(self) -> bool:
        """Say whether it ended before its plan did, where the plan allows for one look alone."""
        planned = self.started_at + timedelta(days=self.planned_days)
        return self.reading is ReadingPlan.FIXED and self.stopped_at < planned - GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One share that says how well experiments are made, and whether more of it is better."""

    name: str
    share: Share | NotComputable
    more_is_better: bool
    meaning: str
    term: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """How many experiments started and ended in the week that begins on ``day``, a Monday."""

    day: date
    started: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """How many experiments ended in a quarter, of how many of them the rule said to ship, and how many were."""

    name: str
    ended: int
    won: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Everything on the page, of experiments that ended within the period."""

    days: int
    ended: int
    wins: Share | NotComputable
    decisions: dict[str, int]
    undecided: int
    weeks: list[Week]
    per_week: float
    cycle_days: float | None
    waiting_days: float | None
    quality: list[Quality]
    impact: Impact | NotComputable
    metric_name: str
    left_out: int
    quarters: list[Quarter] = field(default_factory=list)


def numbers(project: Project, now: datetime, days: int = USUAL) -> Numbers:
    """Count what ended within ``days``, in three queries whatever the number."""
    since = now - timedelta(days=days)
    ended = _ended(project, since)
    read = [one for one in ended if one.trustworthy and one.recommendation]
    weeks = _weeks(project, ended, now)
    metric, name = _metric(project, read)
    gains = [one for one in read if one.metric == metric and one.lift is not None and one.lift_error]
    single = [one for one in gains if one.treatments == 1]
    recent = weeks[-12:]
    return Numbers(
        days=days,
        ended=len(ended),
        wins=share(sum(one.recommendation == Recommendation.SHIP for one in read), len(read)),
        decisions={choice.value: sum(one.decision == choice for one in ended) for choice in Choice},
        undecided=sum(not one.decision and not one.is_shipped for one in ended),
        weeks=weeks,
        per_week=sum(week.ended for week in recent) / max(1, len(recent)),
        cycle_days=_median_days((one.begun_at, one.stopped_at) for one in ended),
        waiting_days=_median_days((one.stopped_at, one.decided_at) for one in ended if one.decided_at),
        quality=_quality(ended),
        impact=impact([_gain(one) for one in single]),
        metric_name=name,
        left_out=len(gains) - len(single),
        quarters=_quarters(ended),
    )


def _ended(project: Project, since: datetime) -> list[Ended]:
    """Return what ended, archived experiments too: a record of winners alone would prove anything."""
    rows = Experiment.objects.filter(
        project=project, kind=ExperimentKind.STANDARD.value, started_at__isnull=False, stopped_at__gte=since
    ).annotate(
        made=FilteredRelation("conclusions", condition=Q(conclusions__state=ConclusionState.MADE.value)),
    )
    columns = rows.order_by("stopped_at").values_list(
        _seconds("created_at"), _seconds("started_at"), _seconds("stopped_at"), "planned_days", "reading", "matters",
        "standing__recommendation", "standing__trustworthy", "standing__glance__metric",
        "standing__glance__treatments", "standing__glance__lift", "standing__glance__lift_error",
        "made__decision", "made__against", _seconds("made__decided_at"), IsNull(F("shipped_at"), False),
    )  # fmt: skip
    return [_one(row) for row in columns]


def _seconds(column: str) -> Cast:
    """Ask for a moment as a number: reading thousands of them as text took half of the page's time."""
    return Cast(Extract(column, "epoch"), FloatField())


def _one(row: tuple[Any, ...]) -> Ended:
    created, started, stopped, days, reading, matters, said, trusted, key, treatments, lift, error, *made = row
    decision, against, decided, is_shipped = made
    return Ended(
        created_at=datetime.fromtimestamp(created, UTC),
        started_at=datetime.fromtimestamp(started, UTC),
        stopped_at=datetime.fromtimestamp(stopped, UTC),
        planned_days=days,
        reading=_READINGS[reading],
        matters=matters,
        recommendation=said or "",
        trustworthy=trusted,
        metric=key or "",
        treatments=treatments,
        lift=lift,
        lift_error=error,
        decision=decision or "",
        against=against,
        decided_at=None if decided is None else datetime.fromtimestamp(decided, UTC),
        is_shipped=is_shipped,
    )


def _metric(project: Project, read: Iterable[Ended]) -> tuple[str, str]:
    """Return the primary metric of most experiments: gains of different metrics do not add up."""
    used = Counter(one.metric for one in read if one.metric and one.lift is not None)
    if not used:
        return "", ""
    key = used.most_common(1)[0][0]
    return key, Metric.objects.filter(project=project, key=key).values_list("name", flat=True).first() or key


def _gain(one: Ended) -> Gain:
    return Gain(
        lift=one.lift or 0.0, standard_error=one.lift_error or 0.0, shipped=one.shipped, ended=one.stopped_at.date()
    )


def _weeks(project: Project, ended: Iterable[Ended], now: datetime) -> list[Week]:
    this = _monday(now.date())
    first = this - timedelta(weeks=WEEKS - 1)
    begun = Experiment.objects.filter(
        project=project, kind=ExperimentKind.STANDARD.value, started_at__gte=now - timedelta(weeks=WEEKS)
    ).values_list(TruncDate("started_at"), flat=True)
    started = Counter(_monday(day) for day in begun if day is not None)
    over = Counter(_monday(one.stopped_at.date()) for one in ended if one.stopped_at.date() >= first)
    mondays = [first + timedelta(weeks=n) for n in range(WEEKS)]
    return [Week(day=day, started=started[day], ended=over[day]) for day in mondays]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _median_days(pairs: Iterable[tuple[datetime, datetime | None]]) -> float | None:
    spans = [(end - start) / timedelta(days=1) for start, end in pairs if end is not None]
    return median(spans) if spans else None


def _quality(ended: Sequence[Ended]) -> list[Quality]:
    named = [one for one in ended if one.matters and one.lift_error is not None]
    decided = [one for one in ended if one.against is not None]
    with_result = [one for one in ended if one.trustworthy is not None]
    fixed = [one for one in ended if one.reading is ReadingPlan.FIXED]
    return [
        Quality(
            name="Large enough to see what matters",
            share=_of(named, lambda one: DETECTABLE * (one.lift_error or 0.0) <= (one.matters or 0) / WHOLE),
            more_is_better=True,
            meaning="of those that named the smallest change that matters",
            term="power",
        ),
        Quality(
            name="Could not be believed",
            share=_of(with_result, lambda one: not one.trustworthy),
            more_is_better=False,
            meaning="a broken split, or units in two variants",
            term="srm",
        ),
        Quality(
            name="Stopped before the planned end",
            share=_of(fixed, lambda one: one.stopped_early),
            more_is_better=False,
            meaning="of those that are read once, at their end",
            term="peeking",
        ),
        Quality(
            name="Decided against the rule",
            share=_of(decided, lambda one: bool(one.against)),
            more_is_better=False,
            meaning="of those with a written conclusion",
            term="conclusion",
        ),
    ]


def _of(rows: Sequence[Ended], holds: Callable[[Ended], bool]) -> Share | NotComputable:
    return share(sum(map(holds, rows)), len(rows))


def _quarters(ended: Iterable[Ended]) -> list[Quarter]:
    """Return the quarters in which something ended, newest first."""
    found: dict[tuple[int, int], list[Ended]] = {}
    for one in ended:
        found.setdefault((one.stopped_at.year, (one.stopped_at.month + 2) // 3), []).append(one)
    return [
        Quarter(
            name=f"Q{quarter} {year}",
            ended=len(of),
            won=sum(bool(one.trustworthy) and one.recommendation == Recommendation.SHIP for one in of),
            shipped=sum(one.shipped for one in of),
        )
        for (year, quarter), of in sorted(found.items(), reverse=True)
    ]

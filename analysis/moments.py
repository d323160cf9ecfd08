"""From enrolments and unit totals to moments: exact sums out of the database, floats at the very end."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import accumulate
from typing import NamedTuple, TypeVar

from django.utils import timezone

from analysis import caps, summing
from analysis.caps import Cap
from analysis.counted import Counted, data_up_to, of_plan
from analysis.models import SumRule
from analysis.stats.moments import Moments, mean_moments, pair_moments
from analysis.summing import Rule
from experiments.domain.definitions import RATIOS
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Before all events: nothing has matured."""

PAIRS = (*RATIOS, MetricKind.QUANTILE)
"""Two numbers a unit. Of a quantile these are the total and the count of its values: what its mean would be."""


class Sums(NamedTuple):
    """Sums over units of y, y², y³, x, x² and xy: y the numerator, x the denominator.

    A metric without a denominator has no x, and one with has no y³: nothing asks for them.
    """

    y: Fraction = Fraction(0)
    yy: Fraction = Fraction(0)
    yyy: Fraction = Fraction(0)
    x: Fraction = Fraction(0)
    xx: Fraction = Fraction(0)
    xy: Fraction = Fraction(0)

    def plus(self, other: "Sums") -> "Sums":
        """Return the sums of both together."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def moments(self, kind: MetricKind, n: int) -> Moments:
        """Return the moments over ``n`` units, of which those without events are zeros."""
        if kind in PAIRS:
            return pair_moments(n, self.y, self.x, self.yy, self.xy, self.xx)
        return mean_moments(n, self.y, self.yy, self.yyy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSums:
    """What an experiment's units add up to, day by day; quarantined units are only counted.

    Attributes:
        units: variant -> UTC day -> units that enrolled on it.
        sums: (metric, variant) -> UTC day -> what the day added; minus the metric for totals without its cap.
        missing: metric -> events whose property was no number.
        quarantined: units seen in two variants.
        matured: (metric, variant) -> UTC day -> units whose window was over on it, for metrics that wait for that.
        windowed: the metrics that do.
        caps: metric -> the most that one unit's total counts, for metrics with a cap; None where it could not be found.
        found_at: metric -> since when its cap, a percentile, is what it is; for those that stay so for a while.
    """

    units: Mapping[int, Mapping[date, int]]
    sums: Mapping[tuple[int, int], Mapping[date, Sums]]
    missing: Mapping[int, int]
    quarantined: int
    matured: Mapping[tuple[int, int], Mapping[date, int]] = field(default_factory=dict)
    windowed: frozenset[int] = frozenset()
    caps: Mapping[int, float | None] = field(default_factory=dict)
    found_at: Mapping[int, datetime] = field(default_factory=dict)
    _nothing: Mapping[date, Sums] = field(default_factory=dict)

    def days(self) -> list[date]:
        """Return every day on which a unit enrolled or a total grew, in order."""
        enrolled = {day for per_day in self.units.values() for day in per_day}
        grown = (per_day.keys() for per_day in [*self.sums.values(), *self.matured.values()])
        return sorted(enrolled.union(*grown))

    @property
    def total(self) -> int:
        """Return how many units all variants have."""
        return sum(map(self.count, self.units))

    def reached(self, metric: int | None = None) -> list[int]:
        """Return how many units all variants had by the end of each of ``days``, or how many of a metric's counted."""
        per_variant = [self.entered(metric, variant) for variant in self.units]
        return list(accumulate(sum(per.get(day, 0) for per in per_variant) for day in self.days()))

    def until(self, day: date) -> "ExperimentSums":
        """Return the sums as they stood at the end of ``day``."""
        return replace(
            self,
            units={key: _until(day, per_day) for key, per_day in self.units.items()},
            sums={key: _until(day, per_day) for key, per_day in self.sums.items()},
            matured={key: _until(day, per_day) for key, per_day in self.matured.items()},
        )

    def entered(self, metric: int | None, variant: int) -> Mapping[date, int]:
        """Return how many units began to count for a metric on each day: those that enrolled, or were watched to the
        end of its window."""
        if metric is not None and abs(metric) in self.windowed:
            return self.matured.get((abs(metric), variant), {})
        return self.units.get(variant, {})

    def count(self, variant: int, metric: int | None = None) -> int:
        """Return how many units the variant has, or how many of them count for a metric."""
        return sum(self.entered(metric, variant).values())

    def final(self, metric: int, kind: MetricKind, variant: int) -> Moments:
        """Return the moments of all days together."""
        whole = Sums()
        for added in self.sums.get((metric, variant), self._nothing).values():
            whole = whole.plus(added)
        return whole.moments(kind, self.count(variant, metric))

    def by_day(self, metric: int, kind: MetricKind, variant: int) -> Iterator[tuple[date, Moments]]:
        """Yield, for each of ``days``, the moments of the units that counted by its end and of their events by then."""
        days, entered = self.days(), self.entered(metric, variant)
        added = self.sums.get((metric, variant), self._nothing)
        counts = accumulate(entered.get(day, 0) for day in days)
        sums = accumulate((added.get(day, Sums()) for day in days), Sums.plus)
        for day, n, reached in zip(days, counts, sums, strict=True):
            yield day, reached.moments(kind, n)


T = TypeVar("T")


def _until(last: date, per_day: Mapping[date, T]) -> dict[date, T]:
    return {day: value for day, value in per_day.items() if day <= last}


def collect(experiment: Experiment, horizon: datetime | None = None, *, scan: bool = False) -> ExperimentSums:
    """Return the sums of one experiment, all of one moment: those that the fold keeps, the others from all units.

    ``horizon`` is how far its events are folded: a unit whose window ends later does not count yet for a metric that
    has one. Without it, as far as they are now. ``scan`` adds up everything from all units.
    """
    until = horizon or data_up_to(experiment, timezone.now()) or NEVER
    metrics = of_plan(experiment)
    limits = caps.current(experiment, metrics, until)
    units: dict[int, dict[date, int]] = defaultdict(dict)
    sums: dict[tuple[int, int], dict[date, Sums]] = defaultdict(dict)
    matured: dict[tuple[int, int], dict[date, int]] = defaultdict(dict)
    missing: dict[int, int] = defaultdict(int)
    quarantined = 0
    for slot, variant, day, heads, unit_days, absent, *powers in summing.rows(
        experiment, _rules(metrics, limits), until, scan=scan
    ):
        if slot == 0 and variant == 0:
            quarantined += int(heads)
        elif slot == 0:
            units[variant][day] = int(heads)
        elif heads:
            per_day = matured[slot, variant]
            per_day[day] = per_day.get(day, 0) + int(heads)
        if unit_days:
            sums[slot, variant][day] = sums[slot, variant].get(day, Sums()).plus(Sums(*map(Fraction, powers)))
            missing[slot] += int(absent)
    return ExperimentSums(
        units=dict(units),
        sums=dict(sums),
        missing={metric: count for metric, count in missing.items() if metric > 0},
        quarantined=quarantined,
        matured=dict(matured),
        windowed=frozenset(one.metric for one in metrics if one.matures),
        caps=caps.amounts(limits),
        found_at={metric: cap.found_at for metric, cap in limits.items() if cap.found_at is not None},
    )


def keep(experiment: Experiment) -> None:
    """Have the fold keep the experiment's sums from now on, so that the next ``collect`` reads no unit."""
    metrics = of_plan(experiment)
    until = data_up_to(experiment, timezone.now()) or NEVER
    limits = caps.current(experiment, metrics, until, only_staying=True)
    if summing.keep(experiment, _rules(metrics, limits)):
        for metric, cap in limits.items():
            if cap.found_at is not None:
                SumRule.objects.filter(experiment=experiment, slot=metric).update(found_at=cap.found_at)


def with_caps(experiment: Experiment, horizon: datetime | None = None) -> list[Counted]:
    """Return the metrics of the plan with their caps as they stand."""
    until = horizon or data_up_to(experiment, timezone.now()) or NEVER
    metrics = of_plan(experiment)
    limits = caps.current(experiment, metrics, until)
    return [replace(one, cap=limits[one.metric].most) if one.metric in limits else one for one in metrics]


def _rules(metrics: Sequence[Counted], limits: Mapping[int, Cap]) -> list[Rule]:
    """Return how each metric is added up, and each one with a cap once more without it."""
    rules = [_rule(one, one.metric, limits.get(one.metric, Cap(most=one.limit))) for one in metrics]
    return rules + [_rule(one, -one.metric, Cap(most=None)) for one in metrics if one.definition.is_capped]


def _rule(one: Counted, slot: int, cap: Cap) -> Rule:
    return Rule(
        slot=slot,
        metric=one.metric,
        divided=one.definition.kind in PAIRS,
        hours=one.matures,
        most=cap.most,
        keeps=cap.stays,
    )

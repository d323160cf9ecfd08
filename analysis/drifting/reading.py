"""Compare every day's predicted scores with those of the launch week, for each variant by itself.

Each unit counts once a day. Values are told apart by the launch week's spread over all variants, in 400 steps: a
tenth of a variant's own first scores is met to within such a step, and the largest distance loses at most as much. Only
days that are over are compared, and units seen in two variants are left out, as everywhere.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from analysis.counted import data_up_to
from analysis.models import UnitScore
from analysis.rollup import sql
from analysis.stats.drift import Drift, DriftSize, drift
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable
from experiments.models import Experiment, Variant

LAUNCH_DAYS = 7
"""A week holds every weekday once; what comes later is compared with what the model met when it was launched."""
DAYS_SHOWN = 90
CELLS = 400

SIZES = (DriftSize.NONE, DriftSize.SLIGHT, DriftSize.LARGE)

# The launch week's values of all variants, and how often each came.
SPREAD = """
SELECT value::float8, count(*) FROM analysis_unitscore
WHERE experiment_id = %(experiment)s AND day < %(until)s GROUP BY 1 ORDER BY 1
"""
# How many units a variant's launch week has, and how many independent values it is worth (analysis/stats/drift.py).
WORTH = """
SELECT e.variant_id, sum(u.days) ^ 2 / sum(u.days ^ 2), count(*)
FROM (SELECT unit, count(*) AS days FROM analysis_unitscore
      WHERE experiment_id = %(experiment)s AND day < %(until)s GROUP BY unit) u
JOIN analysis_enrolment e ON e.experiment_id = %(experiment)s AND e.unit = u.unit AND NOT e.quarantined
GROUP BY e.variant_id
"""
# One pass over everything: the launch week is a day of its own, without a date.
CELLS_BY_DAY = """
SELECT e.variant_id, CASE WHEN s.day >= %(until)s THEN s.day END,
       width_bucket(s.value::float8, %(edges)s::float8[]), count(*), sum(s.value)::float8
FROM analysis_unitscore s JOIN analysis_enrolment e ON e.experiment_id = s.experiment_id AND e.unit = s.unit
WHERE s.experiment_id = %(experiment)s AND NOT e.quarantined AND s.day < %(end)s
  AND (s.day < %(until)s OR s.day >= %(since)s)
GROUP BY 1, 2, 3
"""

Cells = NDArray[np.int64]
Days = dict[date | None, tuple[Cells, float]]
"""Counts by cell and the sum of scores, by day; of the launch week under None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day's scores against the launch week's: how many, their mean, and how far they lie apart."""

    day: date
    units: int
    mean: float
    found: Drift | NotComputable

    @property
    def size(self) -> DriftSize:
        """Return how far it has moved; none where that cannot be said."""
        return self.found.size if isinstance(self.found, Drift) else DriftSize.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class OfVariant:
    """A variant's launch week and the days since."""

    variant: Variant
    launch_units: int
    launch_mean: float | None
    days: tuple[Day, ...]

    @property
    def model(self) -> str:
        """Return the model version that it serves, or nothing."""
        return str(self.variant.model_version) if self.variant.model_version else ""

    @property
    def last(self) -> Day | None:
        """Return the newest day that is over and had scores."""
        return self.days[-1] if self.days else None

    @property
    def newest(self) -> Drift | None:
        """Return how the newest day compares, where that can be said."""
        return self.last.found if self.last is not None and isinstance(self.last.found, Drift) else None

    @property
    def lasting(self) -> DriftSize:
        """Return how far the last two days both have moved, if they follow each other: one odd day says little."""
        if len(self.days) < 2 or self.days[-1].day - self.days[-2].day != timedelta(days=1):
            return DriftSize.NONE
        return min(self.days[-1].size, self.days[-2].size, key=SIZES.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Drift in one experiment: its launch week, half open, how far whole days reach, and what each variant has."""

    launched: date
    launch_ends: date
    ends: date
    variants: tuple[OfVariant, ...]

    @property
    def is_launching(self) -> bool:
        """Say whether the launch week, or the first day after it, is still under way."""
        return self.ends <= self.launch_ends

    @property
    def drifted(self) -> tuple[OfVariant, ...]:
        """Return the variants whose scores have moved and stayed so."""
        return tuple(one for one in self.variants if one.lasting is not DriftSize.NONE)

    @property
    def everywhere(self) -> bool:
        """Say whether every variant with scores has drifted, of at least two: then it is hardly one model's doing."""
        with_days = [one for one in self.variants if one.days]
        return len(with_days) > 1 and len(self.drifted) == len(with_days)


def has_scores(experiment: Experiment) -> bool:
    """Say whether any exposure to the experiment came with a score."""
    return UnitScore.objects.filter(experiment=experiment).exists()


def read(experiment: Experiment, now: datetime) -> Reading | NotComputable:
    """Return how far scores have moved since the launch week."""
    began, newest = experiment.counts_from, data_up_to(experiment, now)
    if began is None or newest is None or not has_scores(experiment):
        return NotComputable("no exposure has come with a score")
    launched, ends = began.date(), newest.date()
    launch_ends = launched + timedelta(days=LAUNCH_DAYS)
    asked: dict[str, sql.Parameter] = {
        "experiment": experiment.pk,
        "until": min(launch_ends, ends).isoformat(),
        "since": max(launch_ends, ends - timedelta(days=DAYS_SHOWN)).isoformat(),
        "end": ends.isoformat(),
    }
    days = _by_day(asked)
    worth = {variant: (float(kish), units) for variant, kish, units in sql.rows(WORTH, asked)}
    return Reading(
        launched=launched,
        launch_ends=launch_ends,
        ends=ends,
        variants=tuple(
            _of_variant(variant, days.get(variant.pk, {}), *worth.get(variant.pk, (0.0, 0)))
            for variant in experiment.variants.select_related("model_version").order_by("position", "pk")
        ),
    )


def _by_day(asked: dict[str, sql.Parameter]) -> dict[int, Days]:
    """Return every variant's scores by day, in cells of the launch week's."""
    edges = _edges(sql.rows(SPREAD, asked))
    found: dict[int, Days] = defaultdict(dict)
    if not edges:
        return found
    for variant, day, cell, count, total in sql.rows(CELLS_BY_DAY, {**asked, "edges": edges}):
        cells, so_far = found[variant].get(day, (np.zeros(len(edges) + 1, dtype=np.int64), 0.0))
        cells[cell] = count
        found[variant][day] = cells, so_far + total
    return found


def _edges(spread: list[tuple[float, int]]) -> list[float]:
    """Return the launch week's values that begin the next of some 400 cells of like content, ascending."""
    if not spread:
        return []
    values, counts = np.array([value for value, _ in spread]), np.array([count for _, count in spread])
    cell = CELLS * (np.cumsum(counts) - counts) // counts.sum()
    edges: list[float] = values[np.flatnonzero(np.diff(cell, prepend=-1))].tolist()
    return edges


def _of_variant(variant: Variant, days: Days, effective: float, units: int) -> OfVariant:
    launch, total = days.get(None, (None, 0.0))
    later = sorted((day, one) for day, one in days.items() if day is not None)
    return OfVariant(
        variant=variant,
        launch_units=units,
        launch_mean=None if launch is None else total / int(launch.sum()),
        days=()
        if launch is None
        else tuple(
            Day(
                day=day,
                units=int(cells.sum()),
                mean=summed / int(cells.sum()),
                found=drift(launch, cells, DEFAULTS, effective=effective),
            )
            for day, (cells, summed) in later
        ),
    )

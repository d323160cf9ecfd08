"""Compare every day's predicted scores with those of the launch week, for each variant by itself.

Each unit counts once a day. Values are told apart by the launch week's own spread, in 200 steps: the stability index is
over its deciles and loses nothing by that, the largest distance at most half a point. Only days that are over are
compared, and units seen in two variants are left out, as everywhere.
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
CELLS = 200

SIZES = (DriftSize.NONE, DriftSize.SLIGHT, DriftSize.LARGE)

_SCORES = """
FROM analysis_unitscore s JOIN analysis_enrolment e ON e.experiment_id = s.experiment_id AND e.unit = s.unit
WHERE s.experiment_id = %(experiment)s AND NOT e.quarantined
"""
LAUNCH = f"SELECT e.variant_id, s.value::float8, count(*) {_SCORES} AND s.day < %(until)s GROUP BY 1, 2 ORDER BY 1, 2"
# How many independent values the launch week is worth (analysis/stats/drift.py).
WORTH = f"""
SELECT variant_id, sum(days) ^ 2 / sum(days ^ 2), count(*)
FROM (SELECT e.variant_id, s.unit, count(*) AS days {_SCORES} AND s.day < %(until)s GROUP BY 1, 2) units GROUP BY 1
"""  # noqa: S608  (a constant)
LATER = f"""
SELECT s.day, width_bucket(s.value::float8, %(edges)s::float8[]), count(*), sum(s.value)::float8
{_SCORES} AND e.variant_id = %(variant)s AND s.day >= %(since)s AND s.day < %(end)s GROUP BY 1, 2 ORDER BY 1, 2
"""


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
    asked: dict[str, sql.Parameter] = {"experiment": experiment.pk, "until": min(launch_ends, ends).isoformat()}
    launch: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for variant, value, count in sql.rows(LAUNCH, asked):
        launch[variant].append((value, count))
    worth = {variant: (float(kish), units) for variant, kish, units in sql.rows(WORTH, asked)}
    since = max(launch_ends, ends - timedelta(days=DAYS_SHOWN))
    return Reading(
        launched=launched,
        launch_ends=launch_ends,
        ends=ends,
        variants=tuple(
            _of_variant(variant, launch[variant.pk], worth.get(variant.pk, (0.0, 0)), since, ends)
            for variant in experiment.variants.select_related("model_version").order_by("position", "pk")
        ),
    )


def _of_variant(
    variant: Variant, launch: list[tuple[float, int]], worth: tuple[float, int], since: date, ends: date
) -> OfVariant:
    effective, units = worth
    values, counts = np.array([value for value, _ in launch]), np.array([count for _, count in launch], dtype=np.int64)
    edges = _edges(values, counts)
    first = np.bincount(np.searchsorted(edges, values, side="right"), weights=counts, minlength=len(edges) + 1)
    later = _later(variant, edges, since, ends) if edges.size else {}
    return OfVariant(
        variant=variant,
        launch_units=units,
        launch_mean=float(values @ counts / counts.sum()) if len(values) else None,
        days=tuple(
            Day(
                day=day,
                units=int(cells.sum()),
                mean=total / int(cells.sum()),
                found=drift(first.astype(np.int64), cells, DEFAULTS, effective=effective),
            )
            for day, (cells, total) in sorted(later.items())
        ),
    )


def _edges(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the launch week's values that begin the next of some 200 cells of like content, ascending."""
    if not len(values):
        return values
    cell = (CELLS * (np.cumsum(counts) - counts) // counts.sum()).astype(np.int64)
    return values[np.flatnonzero(np.diff(cell, prepend=-1))]


def _later(
    variant: Variant, edges: NDArray[np.float64], since: date, ends: date
) -> dict[date, tuple[NDArray[np.int64], float]]:
    """Return each later day's counts by cell, and the sum of its scores."""
    asked: dict[str, sql.Parameter] = {
        "experiment": variant.experiment_id, "variant": variant.pk, "edges": edges.tolist(), "since": since.isoformat(),
        "end": ends.isoformat(),
    }  # fmt: skip
    found: dict[date, tuple[NDArray[np.int64], float]] = {}
    for day, cell, count, total in sql.rows(LATER, asked):
        cells, so_far = found.get(day, (np.zeros(len(edges) + 1, dtype=np.int64), 0.0))
        cells[cell] = count
        found[day] = cells, so_far + total
    return found

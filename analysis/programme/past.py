"""Past experiments as vectors: what was run elsewhere stands in the programme beside what was run here."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from analysis.models import PastEffect
from analysis.programme.vectors import FOLDS, Vector
from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.slopes import Slope, user_level
from analysis.stats.unavailable import NotComputable
from experiments.models import Project

UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""When an experiment without a date ended: it counts over all time and in no shorter period."""


def load(project: Project) -> list[Vector]:
    """Return the treatments of the project's imports. Their numbers are below zero: no experiment here has such."""
    rows = PastEffect.objects.filter(past_import__project=project, past_import__removed_at=None)
    numbers: dict[tuple[int, str], int] = {}
    found = []
    for row in rows.select_related("past_import").order_by("past_import_id", "pk"):
        number = numbers.setdefault((row.past_import_id, row.experiment), -1 - len(numbers))
        found.append(_vector(row, number))
    return found


def _vector(row: PastEffect, number: int) -> Vector:
    lifts, variances = np.array(row.log_lifts), np.array(row.log_variances)
    ended, p = row.ended_at or UNDATED, len(lifts)
    return Vector(
        id=-row.pk, experiment=number, key=row.experiment, name=row.experiment, variant=-row.pk,
        treatment="" if row.variant == "treatment" else row.variant, model=None, control_model=None,
        family=row.family, started_at=ended, ended_at=ended, planned_end=ended, stopped_early=False, shipped=False,
        as_of=row.past_import.imported_at, metrics=tuple(row.metrics), log_lifts=lifts,
        log_covariance=assumed(variances, row.past_import.correlation), folds=np.full((FOLDS, p), np.nan),
        control=np.array(row.control), differences=np.array(row.differences), variances=np.full(p, np.nan),
        units=row.units, past=row.past_import.name,
    )  # fmt: skip


def assumed(variances: Array, correlation: float) -> Array:
    """Return a covariance matrix, shape (p, p), whose metrics' noise is correlated alike; ``variances``: shape (p,)."""
    errors = np.sqrt(variances)
    found = np.outer(errors, errors) * correlation
    np.fill_diagonal(found, variances)
    return np.asarray(found)


def user_level_of_own(
    programme: Programme, is_past: NDArray[np.bool_], found: Slope | NotComputable
) -> Slope | NotComputable:
    """Return how users differ, from the experiments whose users are here: of the others it was assumed.

    Args:
        programme: the proxy and the business metric.
        is_past: shape (K,), of bool.
        found: the slope over all of them.
    """
    if not is_past.any():
        return found
    own = Programme.of(programme.effects[~is_past], programme.covariances[~is_past])
    if isinstance(own, NotComputable):
        return NotComputable("imported experiments do not say how users differ")
    return user_level(own)


def with_correlation(programme: Programme, is_past: NDArray[np.bool_], correlation: float) -> Programme:
    """Return a programme whose past experiments' noise is correlated otherwise; ``is_past``: shape (K,), of bool."""
    covariances = programme.covariances.copy()
    for k in np.flatnonzero(is_past):
        covariances[k] = assumed(np.diagonal(covariances[k]), correlation)
    found = Programme.of(programme.effects, covariances)
    assert isinstance(found, Programme)  # noqa: S101  (as many experiments as before)
    return found

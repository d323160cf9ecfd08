"""How the estimated effects of one experiment on different metrics covary: they are measured on the same units."""

from dataclasses import dataclass

import numpy as np

from analysis.moment_sets import Cells, newest
from analysis.stats.moments import Array, Moments
from experiments.models import Experiment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectCovariance:
    """One treatment's effects on every metric with their sampling covariance.

    Attributes:
        variant: the treatment's key.
        metrics: keys, in the order of rows and columns.
        differences: treatment minus control, in each metric's unit.
        covariance: of ``differences``.
        log_lifts: ln(treatment / control); NaN where a value is not above zero.
        log_covariance: of ``log_lifts``; NaN likewise.
    """

    variant: str
    metrics: list[str]
    differences: Array
    covariance: Array
    log_lifts: Array
    log_covariance: Array


def effect_covariance(experiment: Experiment) -> list[EffectCovariance]:
    """Return each treatment's effects with their covariance, from the moments kept; empty before the first snapshot.

    Var(effects) = Σ_a G_a C_a G_a' / n_a over control and treatment, G_a the derivative of the metrics' values by the
    means of a unit's numbers; for log lifts divided by the values.
    """
    cells = newest(experiment)
    if cells is None:
        return []
    variants = list(experiment.variants.all())
    control = cells.of(variants[0].pk)
    return [between(cells, control, cells.of(one.pk), one.key) for one in variants[1:]]


def between(cells: Cells, control: Moments, treatment: Moments, variant: str) -> EffectCovariance:
    """Return a treatment's effects with their covariance, from both variants' moments over all of ``cells.names``."""
    metrics = [name for name in cells.names if not name.endswith("/")]
    places = [cells.place(metric) for metric in metrics]
    (v0, s0, l0), (v1, s1, l1) = (_arm(arm, places) for arm in (control, treatment))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where((v0 > 0) & (v1 > 0), v1 / v0, np.nan)
        return EffectCovariance(
            variant=variant,
            metrics=metrics,
            differences=v1 - v0,
            covariance=s0 + s1,
            log_lifts=np.log(ratio),
            log_covariance=l0 + l1,
        )


def _arm(arm: Moments, places: list[list[int]]) -> tuple[Array, Array, Array]:
    """Return a variant's values, their covariance, and that of their logarithms."""
    values = np.full(len(places), np.nan)
    gradient = np.zeros((len(places), len(arm.mean)))
    for row, place in enumerate(places):
        top = arm.mean[place[0]]
        below = arm.mean[place[1]] if len(place) > 1 else 1.0
        if arm.n < 2 or below <= 0:
            gradient[row] = np.nan
            continue
        values[row] = top / below
        gradient[row, place[0]] = 1 / below
        if len(place) > 1:
            gradient[row, place[1]] = -values[row] / below
    scale = max(1.0, arm.n * (arm.n - 1.0))
    covariance = gradient @ arm.comoment @ gradient.T / scale
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(values > 0, 1 / values, np.nan)
    return values, covariance, covariance * np.outer(logs, logs)

"""Where a change of revenue comes from: impressions, clicks, orders or their value, adding up exactly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.moments import Array, Moments
from analysis.stats.programme.log_lifts import log_lifts
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the funnel.

    Attributes:
        name: of the step, for instance "clicks per impression".
        value: log(treatment) - log(control); the values of all steps add up to that of the whole.
        standard_error: of ``value``.
        interval: of ``value``.
        p_value: that the step did not change.
        lift: exp(value) - 1.
        lift_interval: exp of the interval - 1.
    """

    name: str
    value: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float
    lift: float
    lift_interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Funnel:
    """The steps, the whole (revenue a user), and the covariance of the steps' log lifts, shape (k, k).

    It is accounting, not causation: the users who click because of the treatment are not those who clicked anyway, so a
    lower conversion per click may come from more casual clicks with no order lost.
    """

    steps: tuple[Step, ...]
    whole: Step
    covariance: Array


def funnel(names: Sequence[str], control: Moments, treatment: Moments, alpha: float = 0.05) -> Funnel | NotComputable:
    """Split the log lift of the last number a user into one step for each number on the way to it.

    log revenue = log impressions + log(clicks / impressions) + log(orders / clicks) + log(revenue / orders).

    Args:
        names: of the steps, k of them.
        control, treatment: moments of k numbers a user in the order of the funnel, for instance impressions, clicks,
            orders, revenue.
        alpha: 1 - confidence.
    """
    k = control.mean.shape[0]
    if len(names) != k:
        raise ValueError(f"{k} numbers need as many names; got {len(names)}")
    contrasts = np.eye(k) - np.eye(k, k=-1)
    found = log_lifts(control, treatment, contrasts)
    if isinstance(found, NotComputable):
        return found
    z = float(stats.norm.isf(alpha / 2))
    variances = np.maximum(np.diag(found.covariance), 0.0)
    steps = [_step(name, v, math.sqrt(s), z) for name, v, s in zip(names, found.values, variances, strict=True)]
    whole = math.sqrt(max(0.0, float(found.covariance.sum())))
    return Funnel(
        steps=tuple(steps),
        whole=_step("whole", float(found.values.sum()), whole, z),
        covariance=found.covariance,
    )


def _step(name: str, value: float, error: float, z: float) -> Step:
    low, high = value - z * error, value + z * error
    certain = 1.0 if value == 0 else 0.0
    return Step(
        name=name,
        value=float(value),
        standard_error=error,
        interval=(float(low), float(high)),
        p_value=2 * float(stats.norm.sf(abs(value) / error)) if error > 0 else certain,
        lift=math.expm1(value),
        lift_interval=(math.expm1(low), math.expm1(high)),
    )

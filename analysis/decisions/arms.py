"""The moments that a metric's numbers follow from, as a result keeps them, and back again."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from analysis.decisions.comparing import adjusted_input, compare_input
from analysis.decisions.inputs import MetricInput, MetricPlan
from analysis.results.schema import Arm, MetricResult
from analysis.stats.compare import ComparisonNumbers
from analysis.stats.estimates import Estimate
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.definitions import RATIOS
from experiments.domain.metrics import MetricKind, MetricRole

MEAN, RATIO = ["value"], ["numerator", "denominator"]
MEAN_BEFORE, RATIO_BEFORE = ["before", "new"], ["numerator before", "denominator before", "new"]


def arms(metric: MetricInput, keys: Sequence[str]) -> list[Arm]:
    """Return each variant's moments, with what came before the exposure where the metric is adjusted."""
    if metric.plan.kind is MetricKind.QUANTILE:
        return [_of_estimate(key, metric.estimates.get(key)) for key in keys]
    return [_of_moments(key, _all_of(metric, key), metric.plan.kind) for key in keys]


def uncapped_arms(metric: MetricInput, keys: Sequence[str]) -> list[Arm]:
    """Return each variant's moments without the cap; nothing where there is none."""
    return [_of_moments(key, metric.uncapped.get(key), metric.plan.kind) for key in keys] if metric.uncapped else []


def _all_of(metric: MetricInput, key: str) -> Moments | None:
    """Return the widest moments there are of a variant; its own numbers from the exact sums."""
    own, wide = metric.moments.get(key), metric.covariates.get(key)
    if own is None or wide is None or own.n != wide.n:
        return own
    k = len(own.mean)
    mean, comoment = wide.mean.copy(), wide.comoment.copy()
    mean[:k], comoment[:k, :k] = own.mean, own.comoment
    return Moments(n=wide.n, mean=mean, comoment=comoment)


def _of_moments(key: str, found: Moments | None, kind: MetricKind) -> Arm:
    own, before = (RATIO, RATIO_BEFORE) if kind in RATIOS else (MEAN, MEAN_BEFORE)
    found = found or Moments.empty(len(own))
    names = own if len(found.mean) == len(own) else [*own, *before]
    return Arm(variant=key, n=found.n, names=names, means=found.mean.tolist(), products=found.comoment.tolist())


def _of_estimate(key: str, found: Estimate | NotComputable | None) -> Arm:
    if not isinstance(found, Estimate):
        return Arm(variant=key, n=0, names=["quantile"], means=[])
    return Arm(
        variant=key,
        n=found.n,
        names=["quantile"],
        means=[found.value],
        variance=found.variance,
        degrees_of_freedom=found.df if math.isfinite(found.df) else None,
    )


def own_moments(arm: Arm) -> Moments:
    """Return the moments of the metric's own numbers, without what came before."""
    return moments(arm).select(range(len(RATIO if "denominator" in arm.names else MEAN)))


def moments(arm: Arm) -> Moments:
    """Return all that an arm holds as moments."""
    k = len(arm.means)
    return Moments(n=arm.n, mean=np.array(arm.means), comoment=np.array(arm.products, dtype=np.float64).reshape(k, k))


def compared(metric: MetricResult, control: str, treatment: str, alpha: float) -> ComparisonNumbers:
    """Make a comparison of a stored result once more from its moments, as for one look."""
    given = metric_input(metric)
    return adjusted_input(compare_input(given, control, treatment, alpha), given, control, treatment)


def metric_input(metric: MetricResult) -> MetricInput:
    """Return what the decision took in, from what the result kept of it."""
    plan = MetricPlan(key=metric.key, name=metric.name, kind=MetricKind(metric.kind), role=MetricRole(metric.role))
    if plan.kind is MetricKind.QUANTILE:
        return MetricInput(plan=plan, moments={}, estimates=_estimates(metric.arms))
    return MetricInput(
        plan=plan,
        moments={arm.variant: own_moments(arm) for arm in metric.arms},
        covariates={arm.variant: moments(arm) for arm in metric.arms if "new" in arm.names},
    )


def _estimates(found: Iterable[Arm]) -> Mapping[str, Estimate]:
    return {
        arm.variant: Estimate(
            n=arm.n,
            value=arm.means[0],
            variance=arm.variance,
            df=math.inf if arm.degrees_of_freedom is None else arm.degrees_of_freedom,
        )
        for arm in found
        if arm.means and arm.variance is not None
    }

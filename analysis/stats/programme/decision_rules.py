"""What would it have brought to ship by a proxy? Decide on some of the users, count the gain on the others."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """Ship when the weighted effects lie above ``threshold`` standard errors. ``weights``: shape (p,)."""

    name: str
    weights: Array
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RuleValue:
    """What a rule brings.

    Attributes:
        name: of the rule.
        gain: business effect an experiment brings, what is not shipped counting 0; over all of them times ``count``.
        standard_error: of ``gain``.
        shipped: share of experiments shipped.
        by_experiment: shape (K,), each experiment's part in ``gain`` times K, for comparing rules in pairs.
    """

    name: str
    gain: float
    standard_error: float
    shipped: float
    by_experiment: Array


def rule_value(effects: ArrayLike, covariances: ArrayLike, rule: Rule) -> RuleValue | NotComputable:
    """Return what a rule would have brought, by cross-validation over buckets of users.

    For each bucket the rule decides on all the others and the business effect of that bucket is what counts, so that
    noise which made an experiment look good is not counted as gain.

    Args:
        effects: shape (K, F, p), effects in each of F buckets of equal size, the business metric last.
        covariances: shape (K, p, p), of the effects over all buckets.
        rule: when to ship.

    Source: Chou and others 2025, KDD, "Evaluating decision rules across many weak experiments".
    """
    d, noise = np.asarray(effects, dtype=np.float64), np.asarray(covariances, dtype=np.float64)
    count, folds, width = d.shape
    if count < 5 or folds < 2:
        return NotComputable(f"needs five experiments in two buckets; got {count} in {folds}")
    if rule.weights.shape != (width,):
        raise ValueError(f"a rule weighs {width} metrics; got {rule.weights.shape}")
    others = (d.sum(axis=1, keepdims=True) - d) / (folds - 1)
    error = np.sqrt(rule.weights @ noise @ rule.weights * folds / (folds - 1))
    shipped = others @ rule.weights > rule.threshold * error[:, None]
    gains = (shipped * d[:, :, -1]).mean(axis=1)
    return RuleValue(
        name=rule.name,
        gain=float(gains.mean()),
        standard_error=float(gains.std(ddof=1)) / math.sqrt(count),
        shipped=float(shipped.mean()),
        by_experiment=gains,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDifference:
    """Gain of one rule less that of another over the same experiments, an experiment."""

    value: float
    interval: tuple[float, float]
    p_value: float


def compare_rules(one: RuleValue, other: RuleValue, alpha: float = 0.05) -> RuleDifference | NotComputable:
    """Compare two rules in pairs, experiment by experiment."""
    off = one.by_experiment - other.by_experiment
    error = float(off.std(ddof=1)) / math.sqrt(len(off))
    if error == 0:
        return NotComputable("the two rules ship the same experiments")
    half = float(stats.t.isf(alpha / 2, len(off) - 1)) * error
    value = float(off.mean())
    return RuleDifference(
        value=value,
        interval=(value - half, value + half),
        p_value=2 * float(stats.t.sf(abs(value) / error, len(off) - 1)),
    )

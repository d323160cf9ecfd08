"""Post-stratification: compare within strata known before the exposure, then weigh them as all units have them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.stats.compare import ComparisonNumbers, Difference, compare, compare_estimates, with_adjusted
from analysis.stats.estimates import Estimate, Form
from analysis.stats.moments import Array, Moments, merge_all
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    """A comparison with its strata. ``merged`` were too thin to stand alone; ``strata`` counts those that did."""

    numbers: ComparisonNumbers
    strata: int
    merged: tuple[str, ...]


def compare_stratified(
    form: Form,
    control: Mapping[str, Moments],
    treatment: Mapping[str, Moments],
    alpha: float = DEFAULTS.alpha,
    settings: Settings = DEFAULTS,
) -> Stratified:
    """Compare one treatment with the control, stratum by stratum.

    With W_s the share of all units in stratum s: m_a = Σ W_s m_as; its variance is Σ W_s² C_as / n_as + Σ W_s (m_as -
    m_a)² / N, its covariance with the other variant Σ W_s (m_1s - m_1)(m_0s - m_0) / N, because both weigh by the same
    sample shares. The difference then has Σ W_s² (v_1s / n_1s + v_0s / n_0s) + Σ W_s (tau_s - tau)² / N. A ratio is
    formed from the stratified numerator and denominator, by the delta method.

    Args:
        form: mean, proportion or ratio.
        control, treatment: stratum -> moments, of one number a unit or (numerator, denominator).
        alpha: two-sided.
        settings: the fewest units of a stratum in a variant; thinner strata are merged.

    Source: Miratrix, Sekhon, Yu 2013, with the term of a population whose stratum shares are estimated.
    """
    strata, merged = _strata(control, treatment, settings.thin_stratum)
    whole = [merge_all(arm.values(), 2 if form is Form.RATIO else 1) for arm in (control, treatment)]
    plain = compare(form, whole[0], whole[1], alpha, settings)
    if len(strata) < 2 or not isinstance(plain.difference, Difference):
        said = "Not stratified: fewer than two strata have enough units in both variants."
        return Stratified(numbers=replace(plain, notes=(*plain.notes, said)), strata=len(strata), merged=merged)
    found = _compare(form, strata, alpha)
    if not isinstance(found.difference, Difference):
        return Stratified(numbers=plain, strata=len(strata), merged=merged)
    return Stratified(numbers=with_adjusted(plain, found), strata=len(strata), merged=merged)


def _strata(
    control: Mapping[str, Moments], treatment: Mapping[str, Moments], fewest: int
) -> tuple[list[tuple[Moments, Moments]], tuple[str, ...]]:
    """Return the strata's (control, treatment), thin ones merged, with the smallest other if still thin."""
    names = sorted(set(control) | set(treatment))
    width = next((len(one.mean) for one in (*control.values(), *treatment.values())), 1)
    pairs = {
        name: (control.get(name, Moments.empty(width)), treatment.get(name, Moments.empty(width))) for name in names
    }
    thin = [name for name in names if min(one.n for one in pairs[name]) < fewest]
    thick = sorted((pairs[name] for name in names if name not in thin), key=lambda pair: min(one.n for one in pair))
    if not thin:
        return thick, ()
    rest = merge_all([pairs[name][0] for name in thin], width), merge_all([pairs[name][1] for name in thin], width)
    if min(one.n for one in rest) >= fewest or not thick:
        return [rest, *thick], tuple(thin)
    return [(thick[0][0] + rest[0], thick[0][1] + rest[1]), *thick[1:]], tuple(thin)


def _compare(form: Form, strata: list[tuple[Moments, Moments]], alpha: float) -> ComparisonNumbers:
    total = sum(one.n for pair in strata for one in pair)
    weights = np.array([(pair[0].n + pair[1].n) / total for pair in strata])
    values, gradients, variances, away = [], [], [], []
    for arm in (0, 1):
        means = np.array([pair[arm].mean for pair in strata])
        mean = weights @ means
        inner = sum(w**2 * _spread(form, pair[arm]) / pair[arm].n for w, pair in zip(weights, strata, strict=True))
        off = means - mean
        value, gradient = _value(form, mean)
        if isinstance(value, NotComputable):
            return compare_estimates(form, value, value, alpha)
        variance = np.asarray(inner) + (off * weights[:, None]).T @ off / total
        values.append(value)
        gradients.append(gradient)
        variances.append(float(gradient @ variance @ gradient))
        away.append(off)
    between = float(gradients[1] @ ((away[1] * weights[:, None]).T @ away[0] / total) @ gradients[0])
    counts = [sum(pair[arm].n for pair in strata) for arm in (0, 1)]
    estimates = [
        Estimate(n=n, value=value, variance=variance, df=float("inf") if form is Form.PROPORTION else n - len(strata))
        for n, value, variance in zip(counts, values, variances, strict=True)
    ]
    return compare_estimates(form, estimates[0], estimates[1], alpha, between)


def _spread(form: Form, moments: Moments) -> Array:
    """Return the covariance of one unit's numbers."""
    if form is Form.PROPORTION:
        return np.array([[float(moments.mean[0]) * (1 - float(moments.mean[0]))]])
    return moments.comoment / (moments.n - 1)


def _value(form: Form, mean: Array) -> tuple[float | NotComputable, Array]:
    if form is not Form.RATIO:
        return float(mean[0]), np.ones(1)
    if mean[1] <= 0:
        return NotComputable("the denominator does not add up to more than zero"), np.zeros(2)
    value = float(mean[0] / mean[1])
    return value, np.array([1.0, -value]) / float(mean[1])

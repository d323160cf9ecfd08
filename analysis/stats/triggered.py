"""Only some units could feel a difference: the effect on them, over all units, and whether the rest is untouched.

Triggered analysis removes the noise of units that saw the same thing in both variants. It is right only if triggering
is recorded alike in both variants (counterfactually), which the untriggered units and the split of the triggered tell.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments, merge
from analysis.stats.reference import two_sided_quantile
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Diluted:
    """The effect over all units: that on the triggered times their share.

    Attributes:
        difference, standard_error, interval: in the metric's unit, per unit of all.
        lift: over the control's value of all units; None where that is not above zero.
        trigger_rate: share of all units that were triggered.
    """

    difference: float
    standard_error: float
    interval: tuple[float, float]
    lift: float | None
    trigger_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """A triggered analysis with its checks.

    Attributes:
        effect: on the triggered units alone.
        diluted: over all units.
        untouched: the comparison of the untriggered; it must show nothing.
        split: of the triggered units; it must be as designed.
        trustworthy: the untriggered are untouched and the triggered split as designed (None: cannot be said).
        reason: why not, in words.
    """

    effect: ComparisonNumbers
    diluted: Diluted | NotComputable
    untouched: ComparisonNumbers
    split: SplitTest | NotComputable
    trustworthy: bool | None
    reason: str = ""


def triggered(
    form: Form,
    control: tuple[Moments, Moments],
    treatment: tuple[Moments, Moments],
    weights: Mapping[str, float],
    alpha: float = 0.05,
    check_alpha: float = 0.001,
) -> Triggered:
    """Analyse a metric on the triggered units and dilute the effect to all.

    Args:
        form: mean or proportion (a ratio does not dilute by its share of units).
        control, treatment: (moments of the triggered units, moments of the others).
        weights: {"control": …, "treatment": …}, the design.
        alpha: of the effect.
        check_alpha: of the check that the untriggered are untouched; as strict as that of the split.

    Source: Deng and Hu 2015, WSDM, "Diluted treatment effect estimation for trigger analysis".
    """
    if form is Form.RATIO:
        raise ValueError("a ratio does not dilute by the share of units; analyse its numerator and denominator")
    effect = compare(form, control[0], treatment[0], alpha)
    untouched = compare(form, control[1], treatment[1], alpha)
    split = split_test({"control": control[0].n, "treatment": treatment[0].n}, weights)
    fine, reason = _checks(untouched, split, check_alpha)
    return Triggered(
        effect=effect,
        diluted=_diluted(effect, control, treatment, alpha),
        untouched=untouched,
        split=split,
        trustworthy=fine,
        reason=reason,
    )


def _checks(untouched: ComparisonNumbers, split: SplitTest | NotComputable, alpha: float) -> tuple[bool | None, str]:
    if isinstance(split, SplitTest) and split.mismatch:
        return False, "the triggered units do not split as designed: triggering depends on the variant"
    found = untouched.difference
    if isinstance(found, Difference) and found.p_value < alpha:
        return False, "units that should see no difference do differ: the trigger misses some that are touched"
    if isinstance(split, NotComputable):
        return None, split.reason
    return True, ""


def _diluted(
    effect: ComparisonNumbers, control: tuple[Moments, Moments], treatment: tuple[Moments, Moments], alpha: float
) -> Diluted | NotComputable:
    """Return share * effect; its variance has the share's own: r² Var(effect) + effect² r(1 - r) / N."""
    found = effect.difference
    if isinstance(found, NotComputable):
        return found
    total = sum(arm.n for pair in (control, treatment) for arm in pair)
    rate = (control[0].n + treatment[0].n) / total
    value = rate * found.value
    se = math.sqrt(rate**2 * found.standard_error**2 + found.value**2 * rate * (1 - rate) / total)
    q = two_sided_quantile(alpha, found.df)
    whole = float(merge(*control).mean[0])
    return Diluted(
        difference=value,
        standard_error=se,
        interval=(value - q * se, value + q * se),
        lift=value / whole if whole > 0 else None,
        trigger_rate=rate,
    )

"""A self-check of every standard error: leave one hash bucket out at a time and see how far the result moves."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.stats.adjustment import Method
from analysis.stats.estimates import Form
from analysis.stats.many import compare_many
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable

FEWEST_BUCKETS = 10
APART = 1.5
"""Ratio of the two standard errors, either way, beyond which one of them is wrong: with 50 buckets the jackknife itself
is uncertain by a tenth, so this is about four of its standard errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """The jackknife's standard error beside the formula's; ``agree`` says they are not too far apart."""

    jackknife: float
    formula: float
    buckets: int

    @property
    def ratio(self) -> float:
        """Return jackknife over formula: about 1, .74 to 1.23 in single experiments of 50 buckets."""
        return self.jackknife / self.formula

    @property
    def agree(self) -> bool:
        """Say whether both could be right."""
        return 1 / APART < self.ratio < APART


def self_check(
    form: Form,
    control: MomentMatrix,
    treatment: MomentMatrix,
    *,
    method: Method = Method.LIN,
    settings: Settings = DEFAULTS,
) -> SelfCheck | NotComputable:
    """Check a comparison's standard error against a delete-a-bucket jackknife.

    se² = (B - 1) / B Σ_b (d_(b) - mean)², d_(b) the difference without the units of bucket b. It knows nothing of delta
    methods, slopes or covariances, so an error in one of these shows.

    Args:
        form: mean, proportion or ratio.
        control, treatment: one cell a hash bucket, of (own numbers, covariates); bucket i of both is left out together.
        method, settings: of the adjustment, where there are covariates.

    Source: Efron and Stein 1981, delete-a-group version.
    """
    buckets = len(control.n)
    if buckets < FEWEST_BUCKETS:
        return NotComputable(f"{buckets} buckets are too few; {FEWEST_BUCKETS} are needed")
    into = np.zeros(buckets, dtype=np.int64)
    arms = [MomentMatrix.concat([one.merge(into, 1), one.without_each()]) for one in (control, treatment)]
    many = compare_many(form, arms[0], arms[1], method=method, settings=settings)
    if not many.computable.all():
        return NotComputable("without one of the buckets there is nothing to compare")
    left = many.value[1:]
    spread = (buckets - 1) / buckets * float(((left - left.mean()) ** 2).sum())
    return SelfCheck(jackknife=math.sqrt(spread), formula=float(many.standard_error[0]), buckets=buckets)

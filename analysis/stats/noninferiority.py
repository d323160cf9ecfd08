"""Is a guardrail held? A relative margin tested as a linear contrast, so that no ratio is needed."""

import math
from dataclasses import dataclass

from analysis.stats.estimates import Estimate
from analysis.stats.reference import satterthwaite, upper_tail
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTest:
    """Two one-sided tests at the margin.

    Attributes:
        statistic: positive on the safe side of the limit.
        p_held: small when it is shown that the limit is not crossed (non-inferiority).
        p_crossed: small when it is shown that the limit is crossed.
    """

    statistic: float
    p_held: float
    p_crossed: float


def margin_test(
    control: Estimate, treatment: Estimate, margin: float, *, higher_is_better: bool, covariance: float = 0.0
) -> MarginTest | NotComputable:
    """Test the treatment against a limit of ``margin`` (a fraction of the control's value) on the bad side.

    z = (m1 - f m0) / sqrt(V1 + f² V0 - 2 f c) with f = 1 -+ margin and c the covariance of the two values (0 unless
    they were adjusted together), the sign turned for metrics where lower is better. The reference is normal for
    proportions, else Student's t with the Welch-Satterthwaite degrees of freedom.

    Raises:
        ValueError: a negative margin.
    """
    if margin < 0:
        raise ValueError(f"a margin is a share of the control's value, 0 or more; got {margin}")
    if control.value < 0:
        return NotComputable("the control's value is negative, so a relative limit has no meaning")
    factor = 1 - margin if higher_is_better else 1 + margin
    v1, v0 = treatment.variance, factor**2 * control.variance
    variance = v1 + v0 - 2 * factor * covariance
    if variance <= 0:
        return NotComputable("no unit differs from another")
    distance = treatment.value - factor * control.value
    statistic = (distance if higher_is_better else -distance) / math.sqrt(variance)
    df = satterthwaite(v1, treatment.df, v0, control.df, factor * covariance)
    return MarginTest(statistic=statistic, p_held=upper_tail(statistic, df), p_crossed=upper_tail(-statistic, df))

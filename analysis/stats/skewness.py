"""How far skew bends the two tails of a comparison of means."""

from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable


def kappa(control: Moments, treatment: Moments) -> float | NotComputable:
    """Return the skewness of the difference of means: (mu3_1 / n1² - mu3_0 / n0²) / se³.

    One tail of the studentised difference is off by about kappa (2z² + 1) phi(z) / 6, which is .0845 kappa at z = 1.96.
    Equal variants with equal skew cancel; unequal splits do not, which a rule on each variant alone (355 times the
    squared skew, Kohavi et al. 2014) cannot see.

    Source: first Edgeworth term of the two-sample studentised mean (Hall 1992, section 2.6).
    """
    if control.third is None or treatment.third is None:
        return NotComputable("third moments were not collected")
    if min(control.n, treatment.n) < 2:
        return NotComputable("a variant has fewer than two units")
    third, variance = 0.0, 0.0
    for sign, arm in ((1.0, treatment), (-1.0, control)):
        third += sign * float(arm.third[0]) / arm.n**3 if arm.third is not None else 0.0
        variance += float(arm.comoment[0, 0]) / (arm.n - 1) / arm.n
    if variance <= 0:
        return NotComputable("no unit differs from another")
    return third / float(variance**1.5)

"""Planning: how many units a change needs to be seen, how small a change a number of units can show, and the power."""

import math
from dataclasses import dataclass

from scipy import optimize, stats

from analysis.stats.estimates import Estimate
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What an experiment promises, and what that costs.

    Attributes:
        alpha: two-sided risk of calling a change where there is none, over all success comparisons together.
        power: chance to see the change that is planned for, with every guardrail held.
        control_share, treatment_share: of all units in the experiment; less than 1 together with several treatments.
        comparisons: success metrics x treatments; alpha is divided by it (Bonferroni).
        guardrails: each must be held as well, so each test gets 1 - (1 - power) / (guardrails + 1).
        variance_reduction: R² of the regression adjustment, 0 to below 1.
        inflation: how many more units looking early costs (the sequential method says; 1 for one look).
    """

    alpha: float = DEFAULTS.alpha
    power: float = 0.8
    control_share: float = 0.5
    treatment_share: float = 0.5
    comparisons: int = 1
    guardrails: int = 0
    variance_reduction: float = 0.0
    inflation: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and 0 < self.power < 1):
            raise ValueError(f"alpha and power lie between 0 and 1; got {self.alpha} and {self.power}")
        shares = self.control_share, self.treatment_share
        if min(shares) <= 0 or sum(shares) > 1 + 1e-9:
            raise ValueError(f"the shares of control and treatment are above 0 and at most 1 together; got {shares}")
        if not 0 <= self.variance_reduction < 1:
            raise ValueError(f"a variance reduction is 0 or more and below 1; got {self.variance_reduction}")
        if self.comparisons < 1 or self.guardrails < 0 or self.inflation < 1:
            counts = self.comparisons, self.guardrails, self.inflation
            raise ValueError(f"comparisons and inflation are at least 1, guardrails at least 0; got {counts}")

    @property
    def test_power(self) -> float:
        """Return the power that each single test needs, so that all together have ``power``.

        Source: Schultzberg, Ankargren, Frånberg 2024, arXiv 2402.11609.
        """
        return 1 - (1 - self.power) / (self.guardrails + 1)

    @property
    def quantile(self) -> float:
        """Return the two-sided normal quantile at alpha / comparisons."""
        return float(stats.norm.isf(self.alpha / self.comparisons / 2))

    @property
    def reach(self) -> float:
        """Return how many standard errors the planned change must be away from 0."""
        return self.quantile + float(stats.norm.isf(1 - self.test_power))


STANDARD = Design()
_LARGEST_LIFT = 100.0
"""A rise to a hundred times the baseline: what cannot show that shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A metric before the experiment: its value, and the variance of one unit's contribution to it.

    Attributes:
        value: in the metric's unit.
        unit_variance: of one unit, as the control will have it.
        share: the metric is a share of units, whose variance follows from the value.
        growth: how the treated variance follows a change, as (1 + lift) to this power: 0 not at all, 1 as counts do, 2
            as amounts do of which each grows alike.
    """

    value: float
    unit_variance: float
    share: bool = False
    growth: float = 0.0

    def treated_variance(self, lift: float) -> float:
        """Return a treated unit's variance when the metric changes by ``lift`` (a fraction)."""
        if not self.share:
            return float(self.unit_variance * max(0.0, 1 + lift) ** self.growth)
        moved = min(1.0, max(0.0, self.value * (1 + lift)))
        return moved * (1 - moved)


def proportion_baseline(value: float) -> Baseline:
    """Return the baseline of a share of units."""
    if not 0 < value < 1:
        raise ValueError(f"a share of units lies between 0 and 1; got {value}")
    return Baseline(value=value, unit_variance=value * (1 - value), share=True)


def mean_baseline(mean: float, sd: float) -> Baseline:
    """Return the baseline of a mean over units with this standard deviation between units."""
    return Baseline(value=mean, unit_variance=sd * sd)


def baseline_of(estimate: Estimate, *, share: bool = False, growth: float = 1.0) -> Baseline:
    """Return the baseline from an estimate of any kind: mean, ratio (delta method), quantile, adjusted value.

    One unit's variance is n times the variance of the estimate; correlated rows of a unit are in it already.
    """
    return Baseline(value=estimate.value, unit_variance=estimate.variance * estimate.n, share=share, growth=growth)


def sample_size(baseline: Baseline, lift: float, design: Design = STANDARD) -> float | NotComputable:
    """Return how many units in all variants together show a change of ``lift`` (a fraction of the baseline).

    N = (z_{1 - alpha/2} + z_{power})² (s1² / w1 + s0² / w0) (1 - R²) inflation / change², with unpooled variances, as
    the test has: for 20 % against 25 % this is 1,091 a variant; the pooled formula's 1,030 reaches 77.6 % power only.
    """
    change = abs(baseline.value * lift)
    if change == 0:
        return NotComputable("no number of units shows a change of zero")
    if baseline.share and baseline.value * (1 + lift) > 1:
        return NotComputable(f"{baseline.value:.1%} cannot rise by {lift:.1%}: a share of units ends at 100 %")
    return (design.reach / change) ** 2 * _noise(baseline, lift, design)


def power(baseline: Baseline, lift: float, units: float, design: Design = STANDARD) -> float:
    """Return the chance that one test calls a change of ``lift`` in its direction, with ``units`` in all variants."""
    away = abs(baseline.value * lift) / math.sqrt(_noise(baseline, lift, design) / units)
    return float(stats.norm.sf(design.quantile - away))


def detectable(baseline: Baseline, units: float, design: Design = STANDARD) -> float | NotComputable:
    """Return the smallest rise, a fraction of the baseline, that ``units`` in all variants show with the power."""
    if baseline.value <= 0:
        return NotComputable("the baseline is not above zero, so a relative change has no meaning")
    if units <= 0:
        return NotComputable("no units")
    if not baseline.share and baseline.growth == 0:
        return design.reach * math.sqrt(_noise(baseline, 0.0, design) / units) / baseline.value
    limit = 1 / baseline.value - 1 if baseline.share else _LARGEST_LIFT

    def short(lift: float) -> float:
        return design.reach * math.sqrt(_noise(baseline, lift, design) / units) - baseline.value * lift

    if short(limit) > 0:
        return NotComputable(f"{units:,.0f} units are too few to see any rise of {baseline.value:.4g}")
    return float(optimize.brentq(short, 0.0, limit, xtol=1e-14, rtol=1e-12))


def guardrail_size(
    baseline: Baseline, margin: float, design: Design = STANDARD, assumed: float = 0.0
) -> float | NotComputable:
    """Return how many units in all variants show that a guardrail is held, if it truly changes by ``assumed``.

    The test is one-sided at alpha, of treatment - (1 - margin) control; ``margin`` and ``assumed`` are fractions of the
    baseline, ``assumed`` positive on the good side. Guardrails are not corrected for their number: all must hold.
    """
    distance = baseline.value * (margin + assumed)
    if distance <= 0:
        return NotComputable("a guardrail that truly changes by its whole margin is never shown to hold")
    reach = float(stats.norm.isf(design.alpha)) + float(stats.norm.isf(1 - design.test_power))
    return (reach / distance) ** 2 * _contrast_noise(baseline, margin, assumed, design)


def guardrail_power(
    baseline: Baseline, margin: float, units: float, design: Design = STANDARD, assumed: float = 0.0
) -> float:
    """Return the chance that a guardrail is shown to hold with ``units`` in all variants."""
    distance = baseline.value * (margin + assumed)
    se = math.sqrt(_contrast_noise(baseline, margin, assumed, design) / units)
    return float(stats.norm.sf(float(stats.norm.isf(design.alpha)) - distance / se))


def _noise(baseline: Baseline, lift: float, design: Design) -> float:
    """Return N times the variance of the difference: what one unit more, in all variants, is worth."""
    treated = baseline.treated_variance(lift) / design.treatment_share
    spread = treated + baseline.unit_variance / design.control_share
    return spread * (1 - design.variance_reduction) * design.inflation


def _contrast_noise(baseline: Baseline, margin: float, assumed: float, design: Design) -> float:
    treated = baseline.treated_variance(assumed) / design.treatment_share
    spread = treated + (1 - margin) ** 2 * baseline.unit_variance / design.control_share
    return spread * (1 - design.variance_reduction) * design.inflation

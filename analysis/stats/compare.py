"""Treatment minus control: one standard error gives the interval, the p-value and the lift's interval."""

import math
from dataclasses import dataclass, replace

from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.lift import fieller
from analysis.stats.moments import Moments
from analysis.stats.reference import satterthwaite, two_sided_quantile, upper_tail
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.skewness import kappa
from analysis.stats.small_counts import SmallCounts, small_counts
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Treatment minus control with its test.

    Attributes:
        value: in the metric's unit.
        standard_error: of ``value``.
        df: degrees of freedom; infinite for the normal distribution.
        statistic: value / standard_error.
        p_value: two-sided.
        interval: at 1 - alpha; excludes 0 exactly when p_value < alpha.
        quantile: that the interval was made with.
    """

    value: float
    standard_error: float
    df: float
    statistic: float
    p_value: float
    interval: tuple[float, float]
    quantile: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonNumbers:
    """All numbers of one treatment against the control on one metric. None is explained in ``notes``.

    ``numerator`` and ``denominator`` are the per-unit comparisons beside a ratio: a ratio alone can move because its
    denominator did. ``covariance`` of the two estimates is 0 unless they were adjusted together; then ``unadjusted`` is
    the difference without covariates and ``variance_reduction`` the share of its variance that they took away.
    ``skewness`` is of the metric as it is, a ratio's of its numerator.
    """

    form: Form
    alpha: float
    control: Estimate | NotComputable
    treatment: Estimate | NotComputable
    difference: Difference | NotComputable
    lift: float | None = None
    lift_interval: tuple[float, float] | None = None
    small_counts: SmallCounts | None = None
    skewness: float | None = None
    numerator: "ComparisonNumbers | None" = None
    denominator: "ComparisonNumbers | None" = None
    covariance: float = 0.0
    unadjusted: Difference | None = None
    variance_reduction: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def denominator_moved(self) -> bool:
        """Say whether the treatment changed a ratio's denominator, so that the ratios are not over alike things."""
        below = self.denominator.difference if self.denominator is not None else None
        return isinstance(below, Difference) and below.p_value < self.alpha


def compare(
    form: Form, control: Moments, treatment: Moments, alpha: float = DEFAULTS.alpha, settings: Settings = DEFAULTS
) -> ComparisonNumbers:
    """Compare one treatment with the control on one metric.

    Args:
        form: mean, proportion or ratio.
        control, treatment: moments over units; k = 1, for a ratio k = 2 (numerator, denominator).
        alpha: two-sided; intervals are at 1 - alpha.
        settings: thresholds of the warnings.
    """
    c, t = estimate(form, control), estimate(form, treatment)
    found = _difference_or_why(c, t, alpha)
    bare = ComparisonNumbers(form=form, alpha=alpha, control=c, treatment=t, difference=found)
    if isinstance(found, NotComputable):
        return replace(bare, notes=(f"Not computable: {found.reason}.",))
    return _complete(bare, control, treatment, found, settings)


def compare_estimates(
    form: Form,
    control: Estimate | NotComputable,
    treatment: Estimate | NotComputable,
    alpha: float = DEFAULTS.alpha,
    covariance: float = 0.0,
) -> ComparisonNumbers:
    """Compare two estimates that may covary; without the guards that need moments."""
    found = _difference_or_why(control, treatment, alpha, covariance)
    bare = ComparisonNumbers(
        form=form, alpha=alpha, control=control, treatment=treatment, difference=found, covariance=covariance
    )
    if not isinstance(found, Difference):
        return replace(bare, notes=(f"Not computable: {found.reason}.",))
    return with_lift(bare)


def with_lift(numbers: ComparisonNumbers) -> ComparisonNumbers:
    """Fill in the lift from the estimates and the difference's own quantile; only its notes are kept."""
    found, c, t = numbers.difference, numbers.control, numbers.treatment
    if isinstance(found, NotComputable) or isinstance(c, NotComputable) or isinstance(t, NotComputable):
        return replace(numbers, lift=None, lift_interval=None)
    notes, lift, interval = _relative(c, t, found.quantile, numbers.covariance)
    return replace(numbers, lift=lift, lift_interval=interval, notes=tuple(notes))


def with_adjusted(plain: ComparisonNumbers, found: ComparisonNumbers) -> ComparisonNumbers:
    """Put adjusted estimates, difference and lift into a comparison, keep its guards, and the unadjusted beside.

    Raises:
        TypeError: one of the two differences does not exist.
    """
    before, after = plain.difference, found.difference
    if isinstance(before, NotComputable) or isinstance(after, NotComputable):
        raise TypeError("only a difference that exists can be adjusted")
    return replace(
        plain,
        control=found.control,
        treatment=found.treatment,
        difference=after,
        lift=found.lift,
        lift_interval=found.lift_interval,
        covariance=found.covariance,
        unadjusted=before,
        variance_reduction=1 - (after.standard_error / before.standard_error) ** 2,
        notes=(*found.notes, *(note for note in plain.notes if not note.startswith("No "))),
    )


def _difference_or_why(
    control: Estimate | NotComputable, treatment: Estimate | NotComputable, alpha: float, covariance: float = 0.0
) -> Difference | NotComputable:
    if isinstance(control, Estimate) and isinstance(treatment, Estimate):
        return difference(control, treatment, alpha, covariance)
    named = (("control", control), ("treatment", treatment))
    return NotComputable("; ".join(f"{who}: {arm.reason}" for who, arm in named if isinstance(arm, NotComputable)))


def difference(
    control: Estimate, treatment: Estimate, alpha: float, covariance: float = 0.0
) -> Difference | NotComputable:
    """Return treatment - control with standard error sqrt(V1 + V0 - 2c), by Welch–Satterthwaite t (normal for shares).

    For means this is Welch's test, as ``scipy.stats.ttest_ind_from_stats(equal_var=False)``; for proportions the Wald
    test, as ``statsmodels.stats.proportion.test_proportions_2indep(method="wald")``. One path for all forms, so that
    p-value, interval and lift cannot part.
    """
    variance = treatment.variance + control.variance - 2 * covariance
    if variance <= 0:
        return NotComputable("no unit differs from another within either variant")
    value, se = treatment.value - control.value, math.sqrt(variance)
    df = satterthwaite(treatment.variance, treatment.df, control.variance, control.df, covariance)
    q = two_sided_quantile(alpha, df)
    return Difference(
        value=value,
        standard_error=se,
        df=df,
        statistic=value / se,
        p_value=min(1.0, 2 * upper_tail(abs(value) / se, df)),
        interval=(value - q * se, value + q * se),
        quantile=q,
    )


def _complete(
    bare: ComparisonNumbers, control: Moments, treatment: Moments, found: Difference, settings: Settings
) -> ComparisonNumbers:
    """Add the lift and the guards, each with its note, to a difference that exists."""
    c, t = bare.control, bare.treatment
    if isinstance(c, NotComputable) or isinstance(t, NotComputable):
        raise TypeError("a difference was computed from estimates that do not exist")
    lift_notes, lift, lift_interval = _relative(c, t, found.quantile)
    form, alpha = bare.form, bare.alpha
    few = small_counts(c, t, alpha, settings.small_cell) if form is Form.PROPORTION else None
    skew = kappa(control, treatment) if form is not Form.PROPORTION else NotComputable("the small counts say it")
    top = bottom = None
    if form is Form.RATIO:
        top, bottom = (_part(control, treatment, i, alpha, settings) for i in (0, 1))
    full = replace(
        bare,
        lift=lift,
        lift_interval=lift_interval,
        small_counts=few,
        skewness=None if isinstance(skew, NotComputable) else skew,
        numerator=top,
        denominator=bottom,
    )
    guards = _guard_notes(form, few, skew, _moved_for_certain(full, settings), min(c.n, t.n), settings)
    return replace(full, notes=(*lift_notes, *guards))


def _relative(
    control: Estimate, treatment: Estimate, quantile: float, covariance: float = 0.0
) -> tuple[list[str], float | None, tuple[float, float] | None]:
    """Return the lift and its interval, with a note where either is missing."""
    lift = fieller(control, treatment, quantile, covariance)
    if isinstance(lift, NotComputable):
        return [f"No relative change: {lift.reason}."], None, None
    if isinstance(lift.interval, NotComputable):
        return [f"No interval for the relative change: {lift.interval.reason}."], lift.value, None
    return [], lift.value, lift.interval


def _part(control: Moments, treatment: Moments, index: int, alpha: float, settings: Settings) -> ComparisonNumbers:
    """Compare a ratio's numerator (0) or denominator (1) a unit."""
    return compare(Form.MEAN, control.only(index), treatment.only(index), alpha, settings)


def _moved_for_certain(full: ComparisonNumbers, settings: Settings) -> bool:
    """Say whether the denominator moved so clearly that the reader must know: alpha would cry wolf too often."""
    below = full.denominator.difference if full.denominator is not None else None
    return isinstance(below, Difference) and below.p_value < settings.denominator_warning


def _guard_notes(
    form: Form,
    few: SmallCounts | None,
    skew: float | NotComputable,
    moved: bool,
    smallest_n: int,
    settings: Settings,
) -> list[str]:
    """Return what a reader must know before trusting the numbers, one sentence each."""
    notes: list[str] = []
    if few is not None:
        low, high = (f"{100 * bound:+.3g}".replace("-", "−") for bound in few.interval)
        notes.append(
            f"Only {few.smallest} successes or failures in a variant; the {few.method} interval of the difference, "
            f"better for small counts, is {low} to {high} percentage points."
        )
    if isinstance(skew, float) and abs(skew) > settings.skew_warning:
        strong = abs(skew) > settings.skew_refusal
        cure = "do not claim a direction from it" if strong else "cap the metric or split evenly"
        notes.append(f"A few extreme units bend this comparison (skewness {skew:.2f}); {cure}.".replace("-", "−"))
    if form is Form.RATIO and smallest_n < settings.few_clusters:
        notes.append(
            f"Only {smallest_n} units in a variant: the interval of a ratio is too narrow below "
            f"{settings.few_clusters}."
        )
    if moved:
        notes.append(
            "What this metric divides by changed as well, so part of its change may come from there; "
            "read it beside a metric that counts a user's events."
        )
    return notes

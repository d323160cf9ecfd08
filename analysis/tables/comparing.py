"""One comparison from moments or estimates, adjusted or looked at early, in the shape that readings take."""

import math
from dataclasses import dataclass, replace

from analysis.decisions import wording
from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.estimates import Estimate, Form
from analysis.stats.lift import fieller
from analysis.stats.moments import Moments
from analysis.stats.reference import satterthwaite, two_sided_quantile, upper_tail
from analysis.stats.unavailable import NotComputable
from analysis.tables.adjustment import Adjusted, adjust
from analysis.tables.figures import part
from analysis.tables.request import MetricType

FORMS = {
    MetricType.PROPORTION: Form.PROPORTION,
    MetricType.MEAN: Form.MEAN,
    MetricType.COUNT: Form.MEAN,
    MetricType.RATIO: Form.RATIO,
    MetricType.QUANTILE: Form.MEAN,
}
PLANNED_UNITS = 10_000
"""Units in both variants at which the always-valid interval is tightest, where none is named. It must be fixed before
the data are seen, so it is a constant and never the file's own number of units."""
EARLIEST_UNITS = 500
"""Units in a variant below which an asymptotic confidence sequence is not asymptotic yet."""
_WORTH_SAYING = 0.02
_IMBALANCED = 3.29


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How often the data may have been looked at: once, or (sequential) as often as one likes."""

    sequential: bool = False
    planned_units: int = PLANNED_UNITS


def from_moments(
    form: Form, control: Moments | None, treatment: Moments | None, covariates: int, alpha: float, looks: Looks
) -> ComparisonNumbers:
    """Compare by moments of (own numbers, covariates)."""
    size = 2 if form is Form.RATIO else 1
    plain = compare(form, part(control, size), part(treatment, size), alpha)
    if covariates == 0 or control is None or treatment is None or not isinstance(plain.difference, Difference):
        return always_valid(plain, 0.0, looks)
    adjusted = adjust(form, control, treatment)
    if isinstance(adjusted, NotComputable):
        return replace(always_valid(plain, 0.0, looks), notes=(*plain.notes, f"Not adjusted: {adjusted.reason}."))
    found = from_estimates(form, adjusted.control, adjusted.treatment, alpha, adjusted.covariance)
    kept = tuple(note for note in plain.notes if not note.startswith("No "))
    full = replace(
        plain,
        control=adjusted.control,
        treatment=adjusted.treatment,
        difference=found.difference,
        lift=found.lift,
        lift_interval=found.lift_interval,
        notes=(*found.notes, *kept, *_adjustment_notes(adjusted, plain.difference)),
    )
    return always_valid(full, adjusted.covariance, looks)


def from_estimates(
    form: Form,
    control: Estimate | NotComputable,
    treatment: Estimate | NotComputable,
    alpha: float,
    covariance: float,
    looks: Looks = Looks(),
) -> ComparisonNumbers:
    """Compare two estimates that may covary."""
    bare = ComparisonNumbers(
        form=form, alpha=alpha, control=control, treatment=treatment, difference=NotComputable("a variant has no value")
    )
    if isinstance(control, NotComputable) or isinstance(treatment, NotComputable):
        arms = (("control", control), ("treatment", treatment))
        why = "; ".join(f"{who}: {arm.reason}" for who, arm in arms if isinstance(arm, NotComputable))
        return replace(bare, difference=NotComputable(why), notes=(f"Not computable: {why}.",))
    variance = control.variance + treatment.variance - 2 * covariance
    if variance <= 0:
        why = "no unit differs from another within either variant"
        return replace(bare, difference=NotComputable(why), notes=(f"Not computable: {why}.",))
    df = satterthwaite(treatment.variance, treatment.df, control.variance, control.df)
    fixed = _with(bare, math.sqrt(variance), df, two_sided_quantile(alpha, df), covariance, None)
    return always_valid(fixed, covariance, looks)


def _with(
    bare: ComparisonNumbers, se: float, df: float, quantile: float, covariance: float, p_value: float | None
) -> ComparisonNumbers:
    """Fill in difference and lift, both from one standard error and one quantile."""
    control, treatment = bare.control, bare.treatment
    if isinstance(control, NotComputable) or isinstance(treatment, NotComputable):
        return bare
    value = treatment.value - control.value
    found = Difference(
        value=value,
        standard_error=se,
        df=df,
        statistic=value / se,
        p_value=min(1.0, 2 * upper_tail(abs(value) / se, df)) if p_value is None else p_value,
        interval=(value - quantile * se, value + quantile * se),
        quantile=quantile,
    )
    lift = fieller(control, treatment, quantile, covariance)
    if isinstance(lift, NotComputable):
        return replace(
            bare, difference=found, lift=None, lift_interval=None, notes=(f"No relative change: {lift.reason}.",)
        )
    if isinstance(lift.interval, NotComputable):
        why = f"No interval for the relative change: {lift.interval.reason}."
        return replace(bare, difference=found, lift=lift.value, lift_interval=None, notes=(why,))
    return replace(bare, difference=found, lift=lift.value, lift_interval=lift.interval, notes=())


def always_valid(numbers: ComparisonNumbers, covariance: float, looks: Looks) -> ComparisonNumbers:
    """Widen a comparison so that it holds however often it is looked at; unchanged for one look.

    Source: asymptotic confidence sequence, Waudby-Smith et al. 2024, Annals of Statistics, equation 9.
    """
    found = numbers.difference
    if not looks.sequential or not isinstance(found, Difference):
        return numbers
    control, treatment = numbers.control, numbers.treatment
    if isinstance(control, NotComputable) or isinstance(treatment, NotComputable):
        return numbers
    if min(control.n, treatment.n) < EARLIEST_UNITS:
        why = f"an always-valid interval needs {EARLIEST_UNITS} units in each variant; the smaller has "
        why += f"{min(control.n, treatment.n)}"
        return replace(
            numbers, difference=NotComputable(why), lift=None, lift_interval=None, notes=(f"Not computable: {why}.",)
        )
    n = control.n + treatment.n
    multiplier = boundary(n, numbers.alpha, looks.planned_units)
    p = always_valid_p(found.statistic, n, numbers.alpha, looks.planned_units)
    wide = _with(numbers, found.standard_error, math.inf, multiplier, covariance, p)
    kept = tuple(note for note in numbers.notes if not note.startswith("No "))
    return replace(wide, notes=(*wide.notes, *kept))


def boundary(n: int, alpha: float, planned: int) -> float:
    """Return how many standard errors wide an always-valid interval is on each side, after ``n`` units."""
    spread = n * _rho_squared(alpha, planned)
    return math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / alpha))


def always_valid_p(statistic: float, n: int, alpha: float, planned: int) -> float:
    """Return 1 / e, at most 1: below ``alpha`` exactly when the always-valid interval excludes 0."""
    spread = n * _rho_squared(alpha, planned)
    exponent = statistic**2 / 2 * spread / (spread + 1)
    return min(1.0, math.exp(min(700.0, 0.5 * math.log(spread + 1) - exponent)))


def _rho_squared(alpha: float, planned: int) -> float:
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned


def _adjustment_notes(adjusted: Adjusted, plain: Difference) -> tuple[str, ...]:
    gain = 1 - adjusted.variance_ratio
    before = f"{plain.value:+.4g}".replace("-", "−") + f" with p = {plain.p_value:.2g}"
    if gain < _WORTH_SAYING:
        said = f"The covariates gain almost nothing: {max(0.0, gain):.1%} less variance. Without them: {before}."
    else:
        said = f"Adjusted for covariates: {wording.percent(gain)} less variance. Without them: {before}."
    if adjusted.imbalance < _IMBALANCED:
        return (said,)
    return (
        said,
        f"A covariate differs between the variants (|z| = {adjusted.imbalance:.1f}): it was not measured before the "
        "exposure, or the split is broken. Do not adjust for what the treatment may have changed.",
    )

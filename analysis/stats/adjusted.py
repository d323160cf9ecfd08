"""A comparison adjusted for covariates, with the unadjusted one beside it."""

from dataclasses import replace

from analysis.stats.adjustment import Adjusted, Method, adjust
from analysis.stats.compare import ComparisonNumbers, Difference, compare, compare_estimates, with_adjusted
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable


def compare_adjusted(
    form: Form,
    control: Moments,
    treatment: Moments,
    alpha: float = DEFAULTS.alpha,
    *,
    method: Method = Method.LIN,
    ratio_covariates: int = 0,
    settings: Settings = DEFAULTS,
) -> ComparisonNumbers:
    """Compare one treatment with the control, adjusted for what was known before the experiment.

    Difference, p-value, interval and lift follow from the adjusted values and their covariance; the guards (small
    counts, skew, moved denominator) are those of the metric as it is. Where the adjustment cannot be computed the plain
    comparison is returned with a note that says why.

    Args:
        form: mean, proportion or ratio.
        control, treatment: moments of (value, covariates), for a ratio of (numerator, denominator, covariates).
        alpha: two-sided.
        method, ratio_covariates, settings: see ``adjustment.adjust``.
    """
    own = range(2 if form is Form.RATIO else 1)
    plain = compare(form, control.select(own), treatment.select(own), alpha, settings)
    if control.mean.shape[0] == len(own) or not isinstance(plain.difference, Difference):
        return plain
    full, adjusted = adjusted_from(
        plain, control, treatment, method=method, ratio_covariates=ratio_covariates, settings=settings
    )
    if adjusted is None:
        return full
    said = _gain(1 - adjusted.variance_ratio, plain.difference, settings)
    return replace(full, notes=(*full.notes, said, *imbalance_notes(adjusted, settings)))


def adjusted_from(
    plain: ComparisonNumbers,
    control: Moments,
    treatment: Moments,
    *,
    method: Method = Method.LIN,
    ratio_covariates: int = 0,
    settings: Settings = DEFAULTS,
) -> tuple[ComparisonNumbers, Adjusted | None]:
    """Adjust a comparison that was made already, and return it with how; as it was, with a note, where that fails.

    Args:
        plain: the comparison without covariates.
        control, treatment, method, ratio_covariates, settings: see ``adjustment.adjust``.
    """
    if not isinstance(plain.difference, Difference):
        return plain, None
    form = plain.form
    adjusted = adjust(form, control, treatment, method=method, ratio_covariates=ratio_covariates, settings=settings)
    if isinstance(adjusted, NotComputable):
        return replace(plain, notes=(*plain.notes, f"Not adjusted: {adjusted.reason}.")), None
    found = compare_estimates(form, adjusted.control, adjusted.treatment, plain.alpha, adjusted.covariance)
    if not isinstance(found.difference, Difference):
        return replace(plain, notes=(*plain.notes, "Not adjusted: the covariates explain every unit's value.")), None
    return with_adjusted(plain, found), adjusted


def _gain(gain: float, plain: Difference, settings: Settings) -> str:
    before = f"{plain.value:+.4g}".replace("-", "−") + f" with p = {plain.p_value:.2g}"
    if gain < settings.gain_worth_saying:
        return f"The covariates gain almost nothing: {max(0.0, gain):.1%} less variance. Without them: {before}."
    return f"Adjusted for covariates: {gain:.0%} less variance. Without them: {before}."


def imbalance_notes(adjusted: Adjusted, settings: Settings = DEFAULTS) -> tuple[str, ...]:
    """Return a warning where a covariate cannot have been measured before the exposure; nothing where it can."""
    if adjusted.imbalance < settings.covariate_imbalance:
        return ()
    return (
        f"A covariate differs between the variants (|z| = {adjusted.imbalance:.1f}): it was not measured before the "
        "exposure, or the split is broken. Do not adjust for what the treatment may have changed.",
    )

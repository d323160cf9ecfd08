"""One comparison from moments or estimates, adjusted or looked at early, in the shape that readings take."""

import math
from dataclasses import dataclass, replace

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.compare import ComparisonNumbers, Difference, compare_estimates, with_lift
from analysis.stats.estimates import Estimate, Form
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
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
    width = size + covariates
    numbers = compare_adjusted(form, part(control, width), part(treatment, width), alpha)
    return always_valid(numbers, numbers.covariance, looks)


def from_estimates(
    form: Form,
    control: Estimate | NotComputable,
    treatment: Estimate | NotComputable,
    alpha: float,
    covariance: float,
    looks: Looks = Looks(),
) -> ComparisonNumbers:
    """Compare two estimates that may covary."""
    return always_valid(compare_estimates(form, control, treatment, alpha, covariance), covariance, looks)


def _widened(numbers: ComparisonNumbers, found: Difference, multiplier: float, p_value: float) -> ComparisonNumbers:
    """Replace quantile and p-value, and with them the interval and the lift's."""
    reach = multiplier * found.standard_error
    wide = replace(
        found,
        df=math.inf,
        p_value=p_value,
        interval=(found.value - reach, found.value + reach),
        quantile=multiplier,
    )
    return with_lift(replace(numbers, difference=wide))


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
    wide = _widened(replace(numbers, covariance=covariance), found, multiplier, p)
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

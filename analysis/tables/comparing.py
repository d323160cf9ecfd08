"""One comparison from moments or estimates, adjusted or looked at early, in the shape that readings take."""

from dataclasses import dataclass, replace

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.compare import ComparisonNumbers, compare_estimates
from analysis.stats.estimates import Estimate, Form
from analysis.stats.looks import AnyLooks, at_look
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


def always_valid(numbers: ComparisonNumbers, covariance: float, looks: Looks) -> ComparisonNumbers:
    """Widen a comparison so that it holds however often it is looked at; unchanged for one look."""
    if not looks.sequential:
        return numbers
    return at_look(replace(numbers, covariance=covariance), AnyLooks(tuned_for=looks.planned_units))

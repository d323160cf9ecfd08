"""One proxy against the business metric: three slopes side by side, their checks, and whether any of it can be told."""

from dataclasses import dataclass

from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.programme.checks import (
    DirectEffects,
    Intercept,
    direct_effects,
    effective_experiments,
    intercept,
    leave_one_out,
)
from analysis.stats.programme.checks import weighted_median as median_of_ratios
from analysis.stats.programme.clustering import independent, inflation
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.identification import Identification, identification
from analysis.stats.programme.quality import sign_agreement
from analysis.stats.programme.regions import Region
from analysis.stats.programme.slopes import (
    Groups,
    Liml,
    Slope,
    anderson_rubin,
    liml,
    naive,
    total_covariance,
    user_level,
    weighted_total_covariance,
)
from analysis.stats.programme.structural import Structure, deviance, structural_slope, structure
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """What a programme says about one proxy.

    Attributes:
        identified: whether there is enough signal; where not, show that and not the slopes.
        user_level, naive, corrected: the three slopes; ``corrected`` is the structural one and the answer.
        total, weighted, kappa: the moments' slopes and LIML, which should agree with the corrected one.
        p_value: that the slope is 0: below alpha exactly when the corrected interval excludes 0.
        region: Anderson-Rubin, honest however weak the signal.
        intercept, direct, median, without_each: checks; ``without_each`` has shape (K,).
        effective: how many experiments carry the slope; a handful of many is a warning.
        correlation: of the true effects.
        sign_agreement: how often the two true effects point the same way, taking their means as 0.
        fitted: means and spread of the true effects.
    """

    identified: Identification
    user_level: Slope | NotComputable
    naive: Slope | NotComputable
    corrected: Slope | NotComputable
    total: Slope | NotComputable
    weighted: Slope | NotComputable
    kappa: Liml | NotComputable
    p_value: float | NotComputable
    region: Region
    intercept: Intercept | NotComputable
    direct: DirectEffects | NotComputable
    median: float | NotComputable
    without_each: Array | NotComputable
    effective: float
    correlation: float | None
    sign_agreement: float | None
    fitted: Structure


def study(programme: Programme, proxy: int = 0, alpha: float = 0.05, groups: Groups = None) -> Study | NotComputable:
    """Return everything that the programme's effects say about ``proxy`` and the business metric.

    Args:
        programme: effects of all experiments on the proxies and, last, the business metric.
        proxy: which of the proxies.
        alpha: 1 - confidence.
        groups: shape (K,), experiments that share a treatment or a control; they count once in the uncertainty.
    """
    pair = programme.pair(proxy)
    fitted = structure(pair)
    if isinstance(fitted, NotComputable):
        return fitted
    identified = identification(pair, best=fitted, independent=independent(groups, pair.count))
    if isinstance(identified, NotComputable):
        return identified
    rho = fitted.correlation
    wider = inflation(pair, fitted, groups)
    return Study(
        identified=identified,
        user_level=user_level(pair),
        naive=naive(pair, alpha=alpha),
        corrected=structural_slope(pair, alpha=alpha, best=fitted, inflation=wider),
        total=total_covariance(pair, alpha=alpha, groups=groups),
        weighted=weighted_total_covariance(pair, alpha, groups),
        kappa=liml(pair),
        p_value=_p_value(pair, fitted, wider),
        region=anderson_rubin(pair, alpha=alpha, groups=groups),
        intercept=intercept(pair, alpha, fitted),
        direct=direct_effects(pair),
        median=median_of_ratios(pair),
        without_each=leave_one_out(pair),
        effective=effective_experiments(pair),
        correlation=rho,
        sign_agreement=None if rho is None else sign_agreement(rho),
        fitted=fitted,
    )


def _p_value(pair: Programme, fitted: Structure, wider: float) -> float | NotComputable:
    distance = deviance(pair, 0.0, best=fitted)
    return distance if isinstance(distance, NotComputable) else float(stats.chi2.sf(distance / wider, 1))

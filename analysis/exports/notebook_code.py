"""The code of the exported notebook's cells: written for reading, and independent of this package."""

ESTIMATES = '''
import math

import numpy as np
from scipy import stats

SHARES = ("proportion", "retention", "funnel")


def estimate(kind, arm):
    """Value, its variance and degrees of freedom from one variant's moments."""
    n, means, products = arm["n"], np.array(arm["means"]), np.array(arm["products"])
    if kind == "quantile":
        df = arm["degrees_of_freedom"]
        return means[0], arm["variance"], math.inf if df is None else df
    if kind in SHARES:  # 0 or 1 a unit: the variance follows from the share
        return means[0], means[0] * (1 - means[0]) / n, math.inf
    if "denominator" in arm["names"]:  # delta method: Deng, Knoblich, Lu 2018
        ratio = means[0] / means[1]
        gradient = np.array([1.0, -ratio]) / means[1]
        return ratio, gradient @ products[:2, :2] @ gradient / (n - 1) / n, n - 1
    return means[0], products[0, 0] / (n - 1) / n, n - 1


def linear(kind, arm):
    """One variant as (value, covariates): a ratio and its covariate are linearised first."""
    means, products = np.array(arm["means"]), np.array(arm["products"])
    if "denominator" not in arm["names"]:
        return means, products
    own, before = means[0] / means[1], means[2] / means[3]
    gradient = np.zeros((3, 5))
    gradient[0, :2] = np.array([1.0, -own]) / means[1]
    gradient[1, 2:4] = np.array([1.0, -before]) / means[3]
    gradient[2, 4] = 1.0
    return np.array([own, before, means[4]]), gradient @ products @ gradient.T


def pooled(kind, arms):
    """Mean and covariance of the covariates over both variants."""
    n = sum(arm["n"] for arm in arms)
    means = [np.array(arm["means"]) for arm in arms]
    mean = sum(arm["n"] * m for arm, m in zip(arms, means)) / n
    products = sum(
        np.array(arm["products"]) + arm["n"] * np.outer(m - mean, m - mean) for arm, m in zip(arms, means)
    )
    mean, products = linear(kind, {"names": arms[0]["names"], "means": mean, "products": products})
    return mean[1:], products[1:, 1:] / (n - 1), n


def adjusted(kind, arms):
    """Both values adjusted for what came before (Lin 2013), each with its own slopes; and their covariance."""
    centre, spread, total = pooled(kind, arms)
    found, slopes = [], []
    for arm in arms:
        mean, products = linear(kind, arm)
        scale = np.sqrt(np.diag(products)[1:])
        scale[scale == 0] = 1.0
        alike = products[1:, 1:] / np.outer(scale, scale)
        own = np.linalg.pinv(alike, rcond=1e-10, hermitian=True) @ (products[1:, 0] / scale) / scale
        df = arm["n"] - 1 - np.linalg.matrix_rank(alike, tol=1e-10 * np.abs(alike).max(), hermitian=True)
        left = max(0.0, products[0, 0] - own @ products[1:, 0]) / df
        value = mean[0] + own @ (centre - mean[1:])
        found.append((value, left / arm["n"] + own @ spread @ own / total, df))
        slopes.append(own)
    return found, slopes[1] @ spread @ slopes[0] / total
'''

COMPARISON = '''
def fieller(control, treatment, covariance, quantile):
    """Interval of treatment / control - 1 (Fieller 1954): excludes 0 exactly when the difference's test rejects."""
    (m0, v0, _), (m1, v1, _) = control, treatment
    if m0 <= 0:
        return None
    g = quantile**2 * v0 / m0**2
    if g >= 1:
        return None
    ratio = m1 / m0
    spread = v1 - 2 * ratio * covariance + ratio**2 * v0 - g * (v1 - covariance**2 / v0 if v0 else v1)
    centre, half = ratio - (g * covariance / v0 if v0 else 0.0), quantile / m0 * math.sqrt(max(0.0, spread))
    return ((centre - half) / (1 - g) - 1, (centre + half) / (1 - g) - 1)


def compare(metric, one):
    """Treatment minus control with one standard error for p-value and interval (Welch; normal for shares)."""
    arms = [metric["arms"][one["control"]], metric["arms"][one["variant"]]]
    (control, treatment), covariance = [estimate(metric["kind"], arm) for arm in arms], 0.0
    if one["adjusted"]:
        (control, treatment), covariance = adjusted(metric["kind"], arms)
    own = [max(0.0, part[1] - covariance) for part in (treatment, control)]
    df = math.inf
    if not all(math.isinf(part[2]) for part in (treatment, control)):
        df = sum(own) ** 2 / (own[0] ** 2 / treatment[2] + own[1] ** 2 / control[2])
    difference = treatment[0] - control[0]
    error = math.sqrt(treatment[1] + control[1] - 2 * covariance)
    spread = stats.norm if math.isinf(df) else stats.t(df)
    quantile = spread.isf(one["alpha"] / 2)
    return {
        "difference": difference,
        "standard_error": error,
        "p_value": min(1.0, 2 * spread.sf(abs(difference) / error)),
        "interval": (difference - quantile * error, difference + quantile * error),
        "lift": treatment[0] / control[0] - 1 if control[0] > 0 else None,
        "lift_interval": fieller(control, treatment, covariance, quantile),
    }
'''

ALL = '''
def near(computed, reported):
    """Equal but for rounding; a number that was not reported is not held to anything."""
    if reported is None or computed is None:
        return True
    if isinstance(reported, (list, tuple)):
        return all(near(a, b) for a, b in zip(computed, reported))
    return math.isclose(computed, reported, rel_tol=1e-6, abs_tol=1e-12)


computed = {}
for metric in RESULT["metrics"]:
    for one in metric["comparisons"]:
        if one["difference"] is None or not metric["arms"]:
            print(f"{metric['name']}, {one['variant']}: nothing was reported")
            continue
        found = computed[metric["key"], one["variant"]] = compare(metric, one)
        low, high = found["interval"]
        print(f"{metric['name']}, {one['variant']}: {found['difference']:+.6g} ({low:+.6g} to {high:+.6g}), "
              f"p = {found['p_value']:.4g}")
        for name in ("difference", "standard_error", "lift"):
            assert near(found[name], one[name]), (metric["key"], name, found[name], one[name])
        for name in ("p_value", "interval", "lift_interval"):
            assert near(found[name], one["one_look"][name]), (metric["key"], name, found[name], one["one_look"][name])
        if one["boundary"] is not None and one["interval"] is not None:  # what holds at every look is only wider
            wide = one["boundary"] * found["standard_error"]
            assert near((found["difference"] - wide, found["difference"] + wide), one["interval"])
print(f"{len(computed)} comparisons computed again; all agree with what was reported.")
'''

STATSMODELS = '''
from statsmodels.stats.proportion import test_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW


def sample(arm):
    """Two weighted points with exactly this n, mean and variance."""
    n, mean = arm["n"], arm["means"][0]
    away = math.sqrt(arm["products"][0][0] / n)
    return DescrStatsW([mean - away, mean + away], weights=[n / 2, n / 2])


for metric in RESULT["metrics"]:
    for one in metric["comparisons"]:
        if (metric["key"], one["variant"]) not in computed or one["adjusted"]:
            continue
        control, treatment = metric["arms"][one["control"]], metric["arms"][one["variant"]]
        if control["names"][0] != "value" or "denominator" in control["names"]:
            continue
        if metric["kind"] in SHARES:
            counts = [round(arm["n"] * arm["means"][0]) for arm in (treatment, control)]
            p_value = test_proportions_2indep(
                counts[0], treatment["n"], counts[1], control["n"], method="wald", correction=False
            ).pvalue
        else:
            p_value = CompareMeans(sample(treatment), sample(control)).ttest_ind(usevar="unequal")[1]
        assert near(p_value, computed[metric["key"], one["variant"]]["p_value"])
        print(f"{metric['name']}, {one['variant']}: p = {p_value:.4g} by statsmodels")
'''

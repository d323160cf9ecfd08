"""Random dirty files: every number of the JSON against an independent computation from the rows that were written."""

import itertools
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from tests.analysis.tables.conftest import Write, comparison, report

NAMES = ("user", "arm", "past", "spend", "bought", "clicks", "views", "ms", "page", "at")
ARMS = ("a", "b", "c")
OPTIONS = (
    *("--unit", "user", "--variant", "arm", "--control", "a", "--weights", "a=2,b=1,c=1", "--time", "at"),
    *("--metric", "spend=spend", "--metric", "bought=bought:proportion", "--metric", "clicks=clicks:count"),
    *("--metric", "ctr=clicks/views:ratio", "--metric", "p75=ms:quantile:0.75", "--metric", "capped=clicks:mean"),
    *("--cap", "capped=p90", "--guardrail", "clicks:5%", "--lower-is-better", "p75", "--segment", "page"),
)


# What docs/analyse-table.md promises, and nothing beside it: scripts depend on these names.
COMPARISON = {
    *("variant", "control", "n", "control_n", "mean", "control_mean", "difference", "difference_interval", "lift"),
    *("lift_interval", "p_value", "adjusted_p_value", "reading", "warnings"),
    *("standard_error", "alpha", "margin_crossed"),
}
HEALTH = {
    *("srm", "quarantined_units", "duplicate_rows", "missing", "warnings", "rows", "mismatched_rows", "notes"),
}


class File:
    """A file with everything that goes wrong in it, and what is left of it by hand."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2600, 4000))
        arm = rng.choice(3, n, p=[0.5, 0.25, 0.25])
        past = rng.gamma(2, 3, n)
        spend = np.round((rng.random(n) < 0.6) * rng.gamma(2, 4, n) + past * 0.4 + 0.3 * arm, 3)
        bought = (rng.random(n) < 0.2 + 0.03 * arm).astype(int)
        views = 1 + rng.poisson(4, n)
        clicks = rng.binomial(views, 0.3)
        ms = np.round(rng.lognormal(5, 0.6, n), 2)
        page = rng.choice(3, n)
        day = rng.integers(1, 5, n)
        self.no_spend = rng.random(n) < 0.02
        self.rows: list[list[Any]] = [
            [f"u{i}", ARMS[arm[i]], past[i], "NA" if self.no_spend[i] else spend[i], bought[i], clicks[i], views[i],
             ms[i], "xyz"[page[i]], f"2026-03-0{day[i]}T10:00:00Z"]
            for i in range(n)
        ]  # fmt: skip
        self.crossed = rng.choice(n, 8, replace=False)
        self.copies = rng.choice(n, 15, replace=False)
        for i in self.crossed:
            other = list(self.rows[i])
            other[1] = ARMS[(arm[i] + 1) % 3]
            self.rows.append(other)
        self.rows += [list(self.rows[i]) for i in self.copies]
        rng.shuffle(self.rows)
        self.kept = ~np.isin(np.arange(n), self.crossed)
        self.arm, self.page, self.ms = arm, page, ms
        self.values = {"past": past, "spend": spend, "bought": bought, "clicks": clicks, "views": views}

    def of(self, name: str, arm: int, *also: np.ndarray) -> np.ndarray:
        chosen = self.kept & (self.arm == arm)
        for condition in also:
            chosen = chosen & condition
        return self.values[name][chosen].astype(float)


def fieller(y1: float, v1: float, y0: float, v0: float, q: float) -> tuple[float, float]:
    """The two ratios at which treatment - R control is just rejected, found numerically."""

    def excess(r: float) -> float:
        return abs(y1 - r * y0) / np.sqrt(v1 + r * r * v0) - q

    at, width = y1 / y0, np.sqrt(v1 + (y1 / y0) ** 2 * v0) / y0
    ends = [optimize.brentq(excess, at, at + sign * 6 * q * width, xtol=1e-13) - 1 for sign in (-1, 1)]
    return float(ends[0]), float(ends[1])


def check(found: dict[str, Any], y1: float, v1: float, df1: float, y0: float, v0: float, df0: float) -> None:
    se = np.sqrt(v1 + v0)
    normal = np.isinf(df1)
    df = np.inf if normal else (v1 + v0) ** 2 / (v1**2 / df1 + v0**2 / df0)
    against = stats.norm if normal else stats.t(df)
    q = against.isf(found["alpha"] / 2)
    assert (found["mean"], found["control_mean"]) == pytest.approx((y1, y0), rel=1e-9)
    assert found["difference"] == pytest.approx(y1 - y0, rel=1e-7, abs=1e-10)
    assert found["standard_error"] == pytest.approx(se, rel=1e-8)
    assert found["p_value"] == pytest.approx(2 * against.sf(abs(y1 - y0) / se), rel=1e-6)
    assert found["difference_interval"] == pytest.approx([y1 - y0 - q * se, y1 - y0 + q * se], rel=1e-6, abs=1e-10)
    assert found["lift"] == pytest.approx(y1 / y0 - 1, rel=1e-6, abs=1e-9)
    assert found["lift_interval"] == pytest.approx(fieller(y1, v1, y0, v0, q), rel=1e-6, abs=1e-9)
    assert found["adjusted_p_value"] == pytest.approx(min(1.0, found["p_value"] * 0.05 / found["alpha"]))


def mean_of(values: np.ndarray) -> tuple[float, float, float]:
    return float(values.mean()), float(values.var(ddof=1) / len(values)), len(values) - 1


def share_of(values: np.ndarray) -> tuple[float, float, float]:
    p = float(values.mean())
    return p, p * (1 - p) / len(values), np.inf


def ratio_of(top: np.ndarray, bottom: np.ndarray) -> tuple[float, float, float]:
    r = top.sum() / bottom.sum()
    return float(r), float(((top - r * bottom) / bottom.mean()).var(ddof=1) / len(top)), len(top) - 1


def quantile_of(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """One row a unit: the ranks are binomial."""
    ordered, n = np.sort(values), len(values)
    at = ordered[int(np.ceil(n * level)) - 1]
    below = float((values <= at).mean())
    reach = stats.norm.isf(0.025) * np.sqrt(below * (1 - below) / (n - 1))
    low = ordered[max(1, int(np.floor(n * (level - reach)))) - 1]
    high = ordered[min(n, int(np.ceil(n * (level + reach)))) - 1]
    return float(at), ((high - low) / (2 * stats.norm.isf(0.025))) ** 2, np.inf


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (3, 4))])
def test_random_dirty_file__every_number_is_that_of_the_rows_that_count(write: Write, seed: int):
    file = File(seed)
    found = report(write(NAMES, file.rows), *OPTIONS)
    counts = [int((file.kept & (file.arm == i)).sum()) for i in range(3)]
    health = found["health"]
    assert list(health["srm"]["counts"].values()) == counts
    total = sum(counts)
    split = stats.chisquare(counts, [total / 2, total / 4, total / 4])
    assert health["srm"]["p_value"] == pytest.approx(split.pvalue)
    assert health["srm"]["expected"] == pytest.approx({"a": total / 2, "b": total / 4, "c": total / 4})
    assert (health["quarantined_units"], health["duplicate_rows"]) == (8, 15)
    cap = np.sort(file.values["clicks"][file.kept])[int(np.ceil(0.9 * total)) - 1]
    file.values["capped"] = np.minimum(file.values["clicks"], cap)
    for i, name in enumerate(ARMS[1:], start=1):
        measured = ~file.no_spend
        arms = [
            {
                "spend": mean_of(file.of("spend", arm, measured)),
                "bought": share_of(file.of("bought", arm)),
                "clicks": mean_of(file.of("clicks", arm)),
                "ctr": ratio_of(file.of("clicks", arm), file.of("views", arm)),
                "capped": mean_of(file.of("capped", arm)),
                "p75": quantile_of(file.ms[file.kept & (file.arm == arm)], 0.75),
            }
            for arm in (i, 0)
        ]
        for metric in arms[0]:
            check(comparison(found, metric, name), *arms[0][metric], *arms[1][metric])
        assert comparison(found, "spend", name)["n"] == int((file.kept & measured & (file.arm == i)).sum())
        assert comparison(found, "spend", name)["alpha"] == pytest.approx(0.025)
        assert comparison(found, "clicks", name)["alpha"] == pytest.approx(0.05)
    _check_segments(file, found)


def _check_segments(file: File, found: dict[str, Any]) -> None:
    """Cochran's Q by hand for the mean, Benjamini-Hochberg over all, and shrinkage between raw and common."""
    p_values = []
    for one in found["segments"]:
        levels = one["levels"]
        d = np.array([level["difference"] for level in levels])
        widths = np.array([level["difference_interval"][1] - level["difference_interval"][0] for level in levels])
        assert [level["level"] for level in levels] == ["x", "y", "z"]
        centre = np.average(d, weights=1 / widths**2)
        for level in levels:
            low, high = sorted((level["difference"], centre))
            assert low - 1e-6 - abs(low) * 0.01 <= level["shrunk_difference"] <= high + 1e-6 + abs(high) * 0.01
        p_values.append(one["heterogeneity_p_value"])
    adjusted = multipletests(p_values, method="fdr_bh")[1]
    assert [one["adjusted_p_value"] for one in found["segments"]] == pytest.approx(list(adjusted))
    (chosen,) = [one for one in found["segments"] if (one["metric"], one["variant"]) == ("clicks", "b")]
    effects, errors = [], []
    for page, level in enumerate(chosen["levels"]):
        new, old = (mean_of(file.of("clicks", arm, file.page == page)) for arm in (1, 0))
        assert (level["n"], level["control_n"]) == (new[2] + 1, old[2] + 1)
        assert level["difference"] == pytest.approx(new[0] - old[0], abs=1e-10)
        effects.append(new[0] - old[0])
        errors.append(np.sqrt(new[1] + old[1]))
    weights = 1 / np.array(errors) ** 2
    q = (weights * (effects - np.average(effects, weights=weights)) ** 2).sum()
    assert chosen["heterogeneity_p_value"] == pytest.approx(stats.chi2.sf(q, 2), rel=1e-6)


@pytest.mark.parametrize("seed", [5, pytest.param(6, marks=pytest.mark.slow)])
def test_random_file_with_covariate_and_looks__agree_with_regression_and_the_boundary(write: Write, seed: int):
    file = File(seed)
    written = write(NAMES, file.rows)
    options = (*OPTIONS[:10], "--metric", "clicks=clicks:count", "--covariate", "clicks=past")
    once, often = report(written, *options), report(written, *options, "--sequential", "--planned-units", "3000")
    for i, name in enumerate(ARMS[1:], start=1):
        chosen = file.kept & np.isin(file.arm, (0, i))
        y, t = file.values["clicks"][chosen].astype(float), (file.arm[chosen] == i).astype(float)
        x = file.values["past"][chosen] - file.values["past"][chosen].mean()
        fitted = sm.OLS(y, np.column_stack([np.ones(len(y)), t, x, t * x])).fit(cov_type="HC2")
        slopes = fitted.params[3]
        residual = [sm.OLS(y[t == a], sm.add_constant(x[t == a])).fit().mse_resid / (t == a).sum() for a in (0, 1)]
        se = np.sqrt(sum(residual) + slopes**2 * x.var(ddof=1) / len(x))
        one, two = comparison(once, "clicks", name), comparison(often, "clicks", name)
        assert one["difference"] == pytest.approx(fitted.params[1], rel=1e-8)
        assert one["standard_error"] == pytest.approx(se, rel=1e-8)
        assert any("less variance" in said for said in one["warnings"])
        n, alpha = len(y), one["alpha"]
        rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / 3000
        half = se * np.sqrt(2 * (n * rho2 + 1) / (n * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha))
        middle = one["difference"]
        assert two["difference_interval"] == pytest.approx([middle - half, middle + half], rel=1e-7)
        grown = np.sqrt(n * rho2 + 1)
        p = min(1.0, grown / np.exp(0.5 * (middle / se) ** 2 * n * rho2 / (n * rho2 + 1)))
        assert two["p_value"] == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize(
    "pairs", [slice(0, None, 9), pytest.param(slice(None), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_options__every_pair_of_them__gives_a_report(write: Write, pairs: slice):
    written = write(NAMES, File(7).rows)
    base = (*OPTIONS[:6], "--metric", "clicks=clicks", "--metric", "ctr=clicks/views:ratio", "--metric", "b=bought")
    single = [
        ("--weights", "a=2,b=1,c=1"),
        ("--time", "at"),
        ("--sequential",),
        ("--covariate", "clicks=past"),
        ("--covariate", "ctr=past"),
        ("--segment", "page"),
        ("--cap", "clicks=5"),
        ("--guardrail", "ctr:0.02"),
        ("--lower-is-better", "clicks"),
        ("--alpha", "0.1"),
        ("--metric", "p=ms:quantile:0.9"),
    ]
    keys = COMPARISON
    assert set(report(written, *base)["health"]) == HEALTH
    for one, two in list(itertools.combinations(single, 2))[pairs]:
        found = report(written, *base, *one, *two)
        for metric in found["metrics"]:
            for row in metric["comparisons"]:
                assert set(row) == keys
                low, high = row["difference_interval"]
                level = row["alpha"]
                assert (row["p_value"] < level) == (low > 0 or high < 0)
                assert row["adjusted_p_value"] >= row["p_value"]

"""Real experiments of a shop as a programme: metric 1 (did they buy) as proxy, metric 4 (how much) as business."""

import csv
import gzip
import math

import numpy as np
import pytest

from analysis.stats.programme.effects import Programme
from analysis.stats.programme.slopes import Slope
from analysis.stats.programme.study import Study, study
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import shared_file


def last_days() -> dict[tuple[str, str], dict[str, dict[str, str]]]:
    """The last complete row of each metric of each comparison (Liu and others 2021, CC BY 4.0, development part)."""
    found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    with gzip.open(shared_file("data/asos/asos_dev.csv.gz"), "rt") as file:
        for row in csv.DictReader(file):
            metrics = found.setdefault((row["experiment_id"], row["variant_id"]), {})
            before = metrics.get(row["metric_id"], {"time_since_start": "-1"})
            if row["variance_c"] and row["variance_t"]:
                later = float(row["time_since_start"]) > float(before["time_since_start"])
                metrics[row["metric_id"]] = row if later else before
    return {key: one for key, one in found.items() if {"1", "4"} <= one.keys()}


def log_lift(row: dict[str, str]) -> tuple[float, float]:
    control, treatment = float(row["mean_c"]), float(row["mean_t"])
    noise = float(row["variance_c"]) / float(row["count_c"]) / control**2
    return math.log(treatment / control), noise + float(row["variance_t"]) / float(row["count_t"]) / treatment**2


def programme(correlation: float) -> Programme:
    """The data keep no products across metrics, so how the noise goes together is assumed."""
    effects, covariances = [], []
    for metrics in last_days().values():
        (x, vx), (y, vy) = log_lift(metrics["1"]), log_lift(metrics["4"])
        shared = correlation * math.sqrt(vx * vy)
        effects.append([x, y])
        covariances.append([[vx, shared], [shared, vy]])
    found = Programme.of(effects, covariances)
    assert not isinstance(found, NotComputable)
    return found


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5, 0.7])
def test_study__asos__more_buyers_meant_as_much_more_money_whatever_the_noise_shares(correlation):
    found = study(programme(correlation))
    assert isinstance(found, Study)
    assert found.identified.experiments == 55
    assert found.identified.identified
    assert isinstance(found.corrected, Slope)
    assert found.corrected.region is not None
    assert found.corrected.region.holds(1.0)
    assert not found.corrected.region.holds(0.5)
    assert not isinstance(found.intercept, NotComputable)
    assert found.intercept.interval[0] <= 0 <= found.intercept.interval[1]


def test_study__asos__a_handful_of_experiments_carries_it_and_the_moments_say_so():
    found = study(programme(0.5))
    assert isinstance(found, Study)
    assert found.effective < 10
    assert found.region.high - found.region.low > 1  # Anderson-Rubin, which takes no normal effects for granted
    assert isinstance(found.without_each, np.ndarray)

"""Worked cases with their provenance, and simulated samples."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from analysis.stats.moments import Array, Moments, mean_moments, pair_moments

# Always the same examples. `make test-slow` asks for many more of every property than a run that somebody waits for.
PURE = settings(deadline=None, derandomize=True, max_examples=int(os.environ.get("TRUELIFT_EXAMPLES", "30")))

SHARED = Path(__file__).resolve().parents[4] / "shared"


def shared_file(name: str) -> Path:
    """A file of the folder beside the repository, where it exists."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {name} beside the repository")
    return path


def reference(case: str) -> dict[str, Any]:
    cases = json.loads(shared_file("conformance/stats_reference_numbers.json").read_text())
    return next(one for one in cases if one["id"] == case)


# GrowthBook's gbstats, test_two_sided_ttest (MIT): revenue of 3,407 and 3,461 users.
GROWTHBOOK_CONTROL = mean_moments(3407, 1396.87, 52377.9767)
GROWTHBOOK_TREATMENT = mean_moments(3461, 2422.7, 134698.29)

# tea-tasting 1.14.0 (MIT), make_users_data(rng=42, n_users=4000, covariates=True): orders and sessions of each user,
# summed with Python integers; revenue as mean and centred sum of squares.
SHOP_CONTROL_ORDERS = pair_moments(2023, 1073, 4038, 2073, 2648, 10098)
SHOP_TREATMENT_ORDERS = pair_moments(1977, 1133, 3920, 2121, 2730, 9698)


def from_mean(n: int, mean: float, squares: float) -> Moments:
    """Moments of one number a unit from its mean and centred sum of squares."""
    return Moments(n=n, mean=np.array([mean]), comoment=np.array([[squares]]))


SHOP_CONTROL_REVENUE = from_mean(2023, 5.241028175976273, 188167.901461394)
SHOP_TREATMENT_REVENUE = from_mean(1977, 5.730111279716743, 213116.72437551845)


def zero_inflated_lognormal(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Revenue as shops have it: nine users in ten buy nothing, the others spend with a long tail."""
    return (random.random(shape) < 0.1) * np.exp(random.normal(3.0, 1.0, shape))


def tolerance(p: float, runs: int) -> float:
    """Three standard errors of a share estimated from ``runs`` independent runs."""
    return 3 * float(np.sqrt(p * (1 - p) / runs))

"""Drift: closed forms, agreement with scipy and a plain computation, properties, and how seldom chance is called."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.drift import Drift, DriftSize, drift
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE


def of(reference, current) -> Drift:
    found = drift(np.array(reference), np.array(current))
    assert isinstance(found, Drift)
    return found


def test_drift__two_halves_become_sixty_and_forty__is_a_tenth_of_the_log_of_three_halves():
    """.1 ln(.6/.5) - .1 ln(.4/.5) = .1 ln 1.5, worked by hand; the added halves vanish with many values."""
    found = of([5_000_000, 5_000_000], [6_000_000, 4_000_000])
    assert found.psi == pytest.approx(0.1 * math.log(1.5), rel=1e-6)
    assert found.ks == pytest.approx(0.1, rel=1e-12)
    assert found.size is DriftSize.NONE  # certain, and too small to matter: below .10


def drawn(seed: int, n: int, shift: float = 0.0) -> np.ndarray:
    scores = np.random.default_rng(seed).beta(2 + shift, 5, size=n)
    return np.histogram(scores, bins=1000, range=(0, 1))[0]


@pytest.mark.parametrize(("n", "shift"), [(500, 0.0), (4000, 0.2), (40_000, 1.0)])
def test_drift__of_fine_cells__agrees_with_scipy_and_a_plain_index(n, shift):
    reference, current = drawn(1, 5000), drawn(2, n, shift)
    found = of(reference, current)
    values = np.arange(1000)
    first, newer = np.repeat(values, reference), np.repeat(values, current)
    distance = stats.ks_2samp(first, newer, method="asymp")
    assert found.ks == pytest.approx(distance.statistic, abs=1e-12)
    assert found.ks_p_value == pytest.approx(distance.pvalue, rel=1e-6)
    edges = np.quantile(first, np.linspace(0, 1, 11)[1:-1])
    p, q = (np.bincount(np.digitize(x, edges), minlength=10) / len(x) for x in (newer, first))
    assert found.psi == pytest.approx(float(((p - q) * np.log(p / q)).sum()), rel=0.1, abs=0.004)


def test_drift__a_model_whose_scores_moved__is_large():
    assert of(drawn(1, 5000), drawn(2, 5000, shift=2.0)).size is DriftSize.LARGE


def test_drift__index_of_a_small_sample_by_chance__is_not_called():
    found = of(drawn(1, 5000), drawn(3, 200))
    assert found.psi > 0.02
    assert found.size is DriftSize.NONE


@PURE
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=2, max_size=40),
    st.lists(st.integers(0, 39), max_size=5),
)
def test_drift__any_two_histograms__stays_in_bounds_and_empty_cells_change_nothing(cells, empty):
    reference, current = (np.array(column) for column in zip(*cells, strict=True))
    found = drift(reference, current)
    places = sorted(min(place, len(reference)) for place in empty)
    padded = drift(np.insert(reference, places, 0), np.insert(current, places, 0))
    if isinstance(found, NotComputable):
        assert isinstance(padded, NotComputable)
        return
    assert isinstance(padded, Drift)
    assert padded == found
    assert found.psi >= 0
    assert 0 <= found.ks <= 1
    assert 0 <= found.psi_p_value <= 1
    assert 0 <= found.ks_p_value <= 1


@PURE
@given(st.lists(st.integers(1, 400), min_size=3, max_size=30))
def test_drift__of_a_histogram_against_itself__is_nothing(cells):
    counts = np.array(cells) + 100
    found = of(counts, counts)
    assert found.psi == pytest.approx(0, abs=1e-12)
    assert found.ks == 0
    assert found.size is DriftSize.NONE


def test_drift__without_any__is_called_as_seldom_as_chance_allows():
    random = np.random.default_rng(11)
    shares = np.full(40, 1 / 40)
    runs = 1500
    found = [of(*(random.multinomial(n, shares) for n in (3000, 1500))) for _ in range(runs)]
    # 3 sqrt(.05 * .95 / 1500) = .017
    assert np.mean([one.psi_p_value < 0.05 for one in found]) == pytest.approx(0.05, abs=0.017)
    assert np.mean([one.ks_p_value < 0.05 for one in found]) <= 0.05 + 0.017
    assert not any(one.size is not DriftSize.NONE for one in found)


def test_drift__first_values_of_units_that_come_again__are_worth_fewer_than_there_are():
    """A thousand units come 1 to 8 times in the first week, always with the same score; nothing has changed since."""
    random = np.random.default_rng(12)
    called = {"as they are": 0, "as they are worth": 0}
    runs = 600
    for _ in range(runs):
        cells, often = random.integers(0, 40, 1000), random.integers(1, 9, 1000)
        reference = np.bincount(cells, weights=often, minlength=40).astype(np.int64)
        current = random.multinomial(1500, np.full(40, 1 / 40))
        worth = float(often.sum() ** 2 / (often**2).sum())
        for how, effective in (("as they are", None), ("as they are worth", worth)):
            found = drift(reference, current, effective=effective)
            assert isinstance(found, Drift)
            called[how] += found.psi_p_value < 0.05
    # 3 sqrt(.05 * .95 / 600) = .027
    assert called["as they are worth"] / runs <= 0.05 + 0.027
    assert called["as they are"] / runs > 0.5


def test_drift__too_few_or_a_single_value__cannot_be_said():
    few = drift(np.array([50, 60]), np.array([400, 300]))
    assert isinstance(few, NotComputable)
    assert "too few" in few.reason
    assert isinstance(drift(np.array([0, 900]), np.array([400, 300])), NotComputable)


def test_drift__histograms_over_different_cells__are_refused():
    with pytest.raises(ValueError, match="same cells"):
        drift(np.array([900, 2, 3]), np.array([400, 300]))

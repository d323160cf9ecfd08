"""A launch held to its promise: an e-value that closed forms and quadrature give alike."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.stats.decay import ALPHA, Decay, Promise, decay, promised
from analysis.stats.shrinkage import Prior
from tests.analysis.stats.cases import PURE

PROMISE = Promise(effect=0.04, standard_error=0.01, scale=0.04)


def noise(count: int, own: float = 0.02, lasting: float = 0.005) -> np.ndarray:
    return own**2 * np.eye(count) + lasting**2


def test_decay__one_block__is_robbins_one_sided_mixture():
    # Robbins 1970, equation 17 (one-sided normal mixture): with z = -D / sqrt(S) and r = scale² / S,
    # e = 2 Phi(z sqrt(r / (1 + r))) exp(z² r / (2 (1 + r))) / sqrt(1 + r); half of it, the other half yet to come.
    found = decay(PROMISE, [0.0], [[0.02**2]])
    s = 0.02**2 + 0.01**2
    z, r = 0.04 / math.sqrt(s), 0.04**2 / s
    mixture = 2 * stats.norm.cdf(z * math.sqrt(r / (1 + r))) * math.exp(z**2 * r / (2 * (1 + r))) / math.sqrt(1 + r)
    assert found.e_value == pytest.approx(0.5 * mixture + 0.5)


def test_decay__several_blocks__is_the_quadrature_of_scipys_densities():
    blocks, covariance = np.array([0.05, 0.03, -0.01, 0.0]), noise(4)
    total = covariance + PROMISE.standard_error**2
    law = stats.multivariate_normal(np.full(4, PROMISE.effect), total)

    def ratio(loss: float, first: int) -> float:
        lost = np.where(np.arange(4) >= first, loss, 0.0)
        weight = 2 * stats.norm.pdf(loss, 0, PROMISE.scale)
        return float(weight * law.pdf(blocks + lost) / law.pdf(blocks))

    parts = [integrate.quad(ratio, 0, 0.6, args=(c,), epsabs=1e-12)[0] / ((c + 1) * (c + 2)) for c in range(4)]
    assert decay(PROMISE, blocks, covariance).e_value == pytest.approx(sum(parts) + 1 / 5, rel=1e-6)


def test_decay__on_average_without_one__is_a_fair_bet():
    # E[e] = 1 under the null, by quadrature over a single block's law.
    s = math.sqrt(0.02**2 + 0.01**2)
    mean = integrate.quad(
        lambda x: decay(PROMISE, [x], [[0.02**2]]).e_value * stats.norm.pdf(x, 0.04, s), -0.3, 0.4, epsabs=1e-10
    )[0]
    assert mean == pytest.approx(1.0, abs=1e-6)


def test_decay__a_lift_that_is_gone_from_the_third_block_on__is_called_and_dated():
    blocks = [0.04, 0.041, *[-0.005] * 10]
    found = decay(PROMISE, blocks, noise(12, own=0.01))
    assert found.decayed
    assert found.since == 2
    assert found.lately == pytest.approx(-0.005)
    assert found.lately_interval[1] < 0.04
    assert not decay(PROMISE, [0.04] * 12, noise(12, own=0.01)).decayed


def test_decay__once_called__stays_called_though_the_lift_comes_back():
    gone = [-0.01] * 10
    found = decay(PROMISE, [*gone, *[0.09] * 10], noise(20, own=0.01))
    assert found.decayed
    assert found.e_value < 1 / ALPHA < found.largest


def test_promised__is_shrunk_so_that_luck_is_no_decay():
    lucky = promised(0.04, 0.01, Prior(mean=0.0, variance=0.01**2))
    assert (lucky.effect, lucky.standard_error) == (pytest.approx(0.02), pytest.approx(0.01 / math.sqrt(2)))
    plain = promised(0.04, 0.01, None)
    assert (plain.effect, plain.scale) == (0.04, 0.04)
    assert promised(0.001, 0.01, None).scale == 0.01


def test_decay__without_a_block_or_without_noise__says_so():
    assert "no block" in decay(PROMISE, [], np.zeros((0, 0))).reason
    assert "not known" in decay(PROMISE, [math.nan], [[1.0]]).reason
    with pytest.raises(ValueError, match="need a covariance of shape"):
        decay(PROMISE, [0.1, 0.2], [[1.0]])


@PURE
@given(unit=st.floats(1e-3, 1e3), blocks=st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=6))
def test_decay__in_other_units__is_the_same_bet(unit, blocks):
    covariance = noise(len(blocks))
    plain = decay(PROMISE, blocks, covariance)
    moved = decay(
        Promise(effect=0.04 * unit, standard_error=0.01 * unit, scale=0.04 * unit),
        np.array(blocks) * unit,
        covariance * unit**2,
    )
    assert isinstance(plain, Decay)
    assert math.log(moved.e_value) == pytest.approx(math.log(plain.e_value), abs=1e-6)


@PURE
@given(drop=st.floats(0.0, 0.2), blocks=st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=6))
def test_decay__a_worse_newest_block__never_speaks_less_for_a_decay_from_it_on(drop, blocks):
    covariance = noise(len(blocks), lasting=0.0)
    lower = [*blocks[:-1], blocks[-1] - drop]
    one = Promise(effect=0.04, standard_error=1e-6, scale=0.04)
    assert decay(one, lower, covariance).e_value >= decay(one, blocks, covariance).e_value * (1 - 1e-9)

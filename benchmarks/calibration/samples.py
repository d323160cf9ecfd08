"""Simulated units as shops have them, summed to moments run by run without a loop over users."""

import numpy as np
from numpy.typing import NDArray

from analysis.stats.estimates import Estimate
from analysis.stats.moments import Moments

Array = NDArray[np.float64]


def revenue(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Nine users in ten buy nothing, the others spend with a long tail."""
    spent = np.zeros(shape)
    buys = random.random(shape) < 0.1
    spent[buys] = np.exp(random.normal(3.0, 1.0, int(buys.sum())))
    return spent


def moments(values: Array) -> list[Moments]:
    """Moments of each row of (runs, units)."""
    n = values.shape[1]
    centre = values.mean(axis=1)
    off = values - centre[:, None]
    squares, cubes = (off**2).sum(axis=1), (off**3).sum(axis=1)
    return [
        Moments(n=n, mean=centre[i : i + 1], comoment=squares[i].reshape(1, 1), third=cubes[i : i + 1])
        for i in range(len(values))
    ]


def vector_moments(values: Array) -> Moments:
    """Moments of (units, k)."""
    centre = values.mean(axis=0)
    off = values - centre
    return Moments(n=len(values), mean=centre, comoment=off.T @ off)


def known(value: float, variance: float, n: int = 10_000) -> Estimate:
    """An estimate whose variance is known."""
    return Estimate(n=n, value=float(value), variance=float(variance), df=float("inf"))

"""The recursion behind every group-sequential number: where the statistic is, given that it has not stopped before.

Z_k is the standardised difference at look k, Z_k sqrt(t_k) has independent increments (Jennison and Turnbull 2000,
section 3.1). The density of Z_k on the continuation region follows from that of Z_{k-1} by one integral, done here by
composite Gauss-Legendre quadrature with panels no wider than the increment's own spread (Armitage, McPherson and Rowe
1969 for the recursion).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr

from analysis.stats.moments import Array

_REACH = 9.0
"""Standard deviations either side of the mean that are integrated: beyond lies 1e-19."""
_NODES = 12
_SMALLEST_STEP = 1e-5
"""Least growth of the information between two looks, as a share of it: below, the looks are one."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The sub-density of the statistic at a look among the runs that are still going on.

    Attributes:
        information: at this look, in the unit of the drift.
        nodes: values of Z.
        mass: probability at each node (density times quadrature weight).
    """

    information: float
    nodes: Array
    mass: Array

    @property
    def alive(self) -> float:
        """Return the probability of not having stopped yet."""
        return float(self.mass.sum())


@cache
def _rule() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return np.asarray(nodes), np.asarray(weights)


def begin() -> Paths:
    """Return the state before the first look: nothing known, all runs going on."""
    return Paths(information=0.0, nodes=np.zeros(1), mass=np.ones(1))


def above(paths: Paths, information: float, drift: float, bound: float) -> float:
    """Return the probability of going on until the next look and having Z >= ``bound`` there."""
    if math.isinf(bound):
        return 0.0 if bound > 0 else paths.alive
    step = _step(paths, information)
    root = math.sqrt(step)
    where = (paths.nodes * math.sqrt(paths.information) + drift * step - bound * math.sqrt(information)) / root
    return float(paths.mass @ ndtr(where))


def below(paths: Paths, information: float, drift: float, bound: float) -> float:
    """Return the probability of going on until the next look and having Z <= ``bound`` there."""
    if math.isinf(bound):
        return 0.0 if bound < 0 else paths.alive
    step = _step(paths, information)
    where = bound * math.sqrt(information) - paths.nodes * math.sqrt(paths.information) - drift * step
    return float(paths.mass @ ndtr(where / math.sqrt(step)))


def advance(paths: Paths, information: float, drift: float, low: float, high: float) -> Paths:
    """Return the state after the next look for the runs with ``low`` < Z < ``high`` there.

    Args:
        paths: the state at the look before.
        information: at the next look; more than before.
        drift: mean of Z is drift * sqrt(information).
        low, high: the continuation region; infinite where nothing stops.
    """
    step = _step(paths, information)
    root, spread = math.sqrt(information), math.sqrt(step / information)
    centre = drift * root
    low, high = max(low, centre - _REACH), min(high, centre + _REACH)
    if high <= low:
        return Paths(information=information, nodes=np.zeros(1), mass=np.zeros(1))
    panels = max(6, math.ceil((high - low) / (3 * spread)))
    half = (high - low) / (2 * panels)
    points, weights = _rule()
    middles = low + half * (2 * np.arange(panels) + 1)
    nodes = (middles[:, None] + half * points[None, :]).ravel()
    own = np.tile(weights * half, panels)
    return Paths(information=information, nodes=nodes, mass=own * _density(paths, nodes, information, drift))


def _density(paths: Paths, nodes: Array, information: float, drift: float) -> Array:
    """Return the density of Z at the nodes, a strip at a time so that fine grids need little memory."""
    step = _step(paths, information)
    moved = paths.nodes * math.sqrt(paths.information) + drift * step
    scale = math.sqrt(information / step) / math.sqrt(2 * math.pi)
    found = np.empty(len(nodes))
    for start in range(0, len(nodes), 2000):
        strip = nodes[start : start + 2000, None] * math.sqrt(information)
        found[start : start + 2000] = np.exp(-((strip - moved[None, :]) ** 2) / (2 * step)) @ paths.mass
    return found * scale


def _step(paths: Paths, information: float) -> float:
    step = information - paths.information
    if step < _SMALLEST_STEP * information or information <= 0:
        raise ValueError(
            f"information must grow from look to look; got {paths.information:g} and then {information:g}; "
            "leave out a look that brought nothing new"
        )
    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """Probability, at each look, of stopping there on the upper or the lower side; ``alive`` after the last look."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]
    alive: float

    @property
    def total(self) -> float:
        """Return the probability of stopping at any look on either side."""
        return sum(self.upper) + sum(self.lower)


def crossings(
    information: Sequence[float], upper: Sequence[float], lower: Sequence[float], drift: float = 0.0
) -> Crossings:
    """Return where a statistic with this drift stops.

    Args:
        information: increasing, in the unit of the drift.
        upper, lower: a boundary each look on the scale of Z; infinite for none.
        drift: mean of Z_k is drift * sqrt(information_k).
    """
    state, ups, downs = begin(), [], []
    for now, high, low in zip(information, upper, lower, strict=True):
        ups.append(above(state, now, drift, high))
        downs.append(below(state, now, drift, low))
        state = advance(state, now, drift, low, high)
    return Crossings(upper=tuple(ups), lower=tuple(downs), alive=state.alive)

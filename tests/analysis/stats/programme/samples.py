"""Programmes of experiments whose truth is known, and users from whom effects are formed."""

import numpy as np

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme


def drawn(
    seed: int, count: int = 150, slope: float = 0.5, signal: float = 2.0, correlation: float = 0.5, tau: float = 0.3
) -> Programme:
    """K experiments of uneven size: x ~ N(0, 1), y = slope x + N(0, tau²), noise that x and y share."""
    random = np.random.default_rng(seed)
    sizes = np.exp(0.8 * random.normal(size=count) - 0.32)
    x = random.normal(size=count)
    y = slope * x + tau * random.normal(size=count)
    base = np.array([[1.0, correlation], [correlation, 1.0]]) / signal
    noise = random.normal(size=(count, 2)) @ np.linalg.cholesky(base).T / np.sqrt(sizes)[:, None]
    return Programme(effects=np.column_stack([x, y]) + noise, covariances=base / sizes[:, None, None])


def several(seed: int, count: int = 200) -> Programme:
    """Two proxies and a business metric: y = .6 x1 + .2 x2 + N(0, .2²)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 2)) @ np.array([[1.0, 0.4], [0.0, 0.8]])
    y = x @ [0.6, 0.2] + 0.2 * random.normal(size=count)
    base = 0.2 * np.array([[1.0, 0.3, 0.5], [0.3, 1.0, 0.2], [0.5, 0.2, 1.5]])
    sizes = np.exp(0.5 * random.normal(size=count))
    noise = random.normal(size=(count, 3)) @ np.linalg.cholesky(base).T / np.sqrt(sizes)[:, None]
    return Programme(effects=np.column_stack([x, y]) + noise, covariances=base / sizes[:, None, None])


def users(seed: int, cells: int = 30) -> tuple[Array, Array]:
    """Users in cells of uneven size, (cell, [clicks, purchases]); cells move clicks, which move purchases by .3."""
    random = np.random.default_rng(seed)
    cell = np.repeat(np.arange(cells), random.integers(60, 300, cells))
    shared = random.normal(size=len(cell))
    x = 0.3 * random.normal(size=cells)[cell] + shared + random.normal(size=len(cell))
    y = 0.3 * x + shared + random.normal(size=len(cell))
    return cell.astype(np.float64), np.column_stack([x, y])

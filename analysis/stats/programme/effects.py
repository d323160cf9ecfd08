"""The effects of a programme of experiments with their sampling covariances: what every estimator here reads."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

FEWEST = 5  # experiments; below, not even the spread of the effects can be told from a single odd one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programme:
    """Estimated effects of K experiments on p metrics: the proxies first, the business metric last.

    Attributes:
        effects: shape (K, p), best as log lifts, so that experiments on different baselines compare.
        covariances: shape (K, p, p), sampling covariance of each experiment's effects.
    """

    effects: Array
    covariances: Array

    def __post_init__(self) -> None:
        count, width = self.effects.shape
        if width < 2 or self.covariances.shape != (count, width, width):
            shapes = f"got {self.effects.shape} and {self.covariances.shape}"
            raise ValueError(f"effects need shape (K, p >= 2) and covariances (K, p, p); {shapes}")
        if not (np.isfinite(self.effects).all() and np.isfinite(self.covariances).all()):
            raise ValueError("effects and covariances are finite; leave out experiments where they are not")

    @classmethod
    def of(cls, effects: ArrayLike, covariances: ArrayLike) -> Self | NotComputable:
        """Return the programme of the experiments that have every effect, or say why there is none.

        Args:
            effects: shape (K, p), NaN where an effect could not be computed.
            covariances: shape (K, p, p), NaN likewise.
        """
        d, noise = np.asarray(effects, dtype=np.float64), np.asarray(covariances, dtype=np.float64)
        kept = np.isfinite(d).all(axis=1) & np.isfinite(noise).all(axis=(1, 2))
        kept &= (np.diagonal(noise, axis1=1, axis2=2) >= 0).all(axis=1)
        if kept.sum() < FEWEST:
            return NotComputable(f"{int(kept.sum())} experiments have both effects; {FEWEST} are the fewest to compare")
        return cls(effects=d[kept], covariances=(noise[kept] + noise[kept].transpose(0, 2, 1)) / 2)

    @property
    def count(self) -> int:
        """Return K, how many experiments there are."""
        return int(self.effects.shape[0])

    @property
    def proxies(self) -> int:
        """Return p - 1, how many metrics are asked whether they predict the last one."""
        return int(self.effects.shape[1]) - 1

    def pair(self, proxy: int = 0) -> Self:
        """Return the programme of one proxy and the business metric."""
        columns = [proxy, self.effects.shape[1] - 1]
        return type(self)(effects=self.effects[:, columns], covariances=self.covariances[:, columns][:, :, columns])

    def without(self, experiment: int) -> Self:
        """Return the programme without one experiment."""
        kept = np.arange(self.count) != experiment
        return type(self)(effects=self.effects[kept], covariances=self.covariances[kept])


def typical_noise(variances: Array) -> float:
    """Return the noise of an experiment of mean size: the harmonic mean, as noise goes with one over the size.

    Args:
        variances: shape (K,), sampling variances; zeros (a metric known exactly) make it 0.
    """
    if (variances <= 0).any():
        return 0.0
    return float(len(variances) / (1 / variances).sum())

"""Is there enough signal to speak of a slope at all, and if not, about how many experiments are missing?"""

import math
from dataclasses import dataclass

from analysis.stats.programme.effects import Programme, typical_noise
from analysis.stats.programme.structural import Structure, structure
from analysis.stats.unavailable import NotComputable

NEEDED = 75.0  # experiments times signal-to-noise; below, one Anderson-Rubin region in five and more has no end


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """Whether the programme's effects can tell a slope.

    Attributes:
        identified: strength is at least ``NEEDED``.
        strength: experiments times signal.
        signal: variance of the proxy's true effects over the noise of an experiment of mean size.
        experiments: how many there are.
        missing: about how many more of the same size are needed; 0 where identified, None where no signal was seen.
    """

    identified: bool
    strength: float
    signal: float
    experiments: int
    missing: int | None


def identification(
    programme: Programme, proxy: int = 0, best: Structure | None = None, independent: int | None = None
) -> Identification | NotComputable:
    """Say whether a slope on ``proxy`` can be told from these experiments.

    Args:
        programme: effects.
        proxy: which.
        best: the fit of the programme, where it is known.
        independent: separate pieces of evidence, where some experiments belong together; all of them when left out.

    Source: the simulations of docs/model-evidence.md; the rule K times signal-to-noise is the first-stage strength of
    weak-instrument theory (Staiger and Stock 1997).
    """
    found = best or structure(programme.pair(proxy))
    if isinstance(found, NotComputable):
        return found
    at = proxy if best is not None else 0
    noise = typical_noise(programme.covariances[:, proxy, proxy])
    variance = float(found.spread[at, at])
    signal = math.inf if noise == 0 else variance / noise
    count = programme.count if independent is None else independent
    strength = count * signal
    enough = strength >= NEEDED
    missing = None if signal < 0.01 else max(0, math.ceil(NEEDED / signal) - count)
    return Identification(
        identified=enough, strength=strength, signal=signal, experiments=programme.count, missing=missing
    )

"""From what is known to the next shares. Pure: the same numbers give the same shares, so that they can be logged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats.bandits import best_probabilities, floored, top_two
from analysis.stats.batched_bandits import BatchedMeans
from experiments.domain.designs.bandit import BanditDesign, BanditPolicy
from experiments.domain.shares import WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class NextShares:
    """Shares in ten-thousandths, and each variant's probability of being the best that they follow."""

    shares: tuple[int, ...]
    best: tuple[float, ...]


def next_shares(known: BatchedMeans, design: BanditDesign, *, higher_is_better: bool) -> NextShares:
    """Return the shares of the next batch."""
    sign = 1.0 if higher_is_better else -1.0
    # An arm whose rewards were all alike so far is not known for certain: it gets the largest error of the others.
    errors = np.where(known.errors > 0, known.errors, max(float(known.errors.max()), 1e-9))
    best = best_probabilities(sign * known.means, errors)
    wanted = top_two(best) if design.policy is BanditPolicy.TOP_TWO else best
    shares = floored(wanted, design.floor / WHOLE)
    return NextShares(shares=whole(shares.tolist(), design.floor), best=tuple(float(p) for p in best))


def whole(shares: Sequence[float], floor: int) -> tuple[int, ...]:
    """Return shares in ten-thousandths that add up, none below the floor: the largest remainders are rounded up."""
    exact = [share * WHOLE for share in shares]
    found = [max(floor, int(value)) for value in exact]
    order = sorted(range(len(exact)), key=lambda k: exact[k] - int(exact[k]), reverse=True)
    step = 1 if sum(found) < WHOLE else -1
    place = 0
    while sum(found) != WHOLE:
        k = order[place % len(order)]
        if step > 0 or found[k] > floor:
            found[k] += step
        place += 1
    return tuple(found)

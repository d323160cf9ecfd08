"""Interleaving: two rankers share one list, and clicks say which one people preferred, with far fewer users than apart.

It tells the direction, not the size of what would happen with one ranker alone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable


class Team(StrEnum):
    """Which ranker put an item on the list."""

    CONTROL = "control"
    TREATMENT = "treatment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An interleaved list: items in order, and whose pick each is."""

    items: tuple[str, ...]
    teams: tuple[Team, ...]


def team_draft(control: Sequence[str], treatment: Sequence[str], length: int, random: np.random.Generator) -> Draft:
    """Return the list shown: the rankers pick in turns, a coin deciding who goes first in each round.

    Args:
        control, treatment: the two rankings, best first, each without repetition.
        length: how many items are shown.
        random: source of the coins.

    Source: Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval quality?".
    """
    return _played(control, treatment, length, lambda: bool(random.integers(2)))


def every_draft(control: Sequence[str], treatment: Sequence[str], length: int) -> Iterator[tuple[float, Draft]]:
    """Return every list that may be shown with its probability: the propensities, and the oracle of the tests."""
    rounds = (length + 1) // 2
    for bits in range(2**rounds):
        coins = iter([bool(bits >> i & 1) for i in range(rounds)])
        yield 0.5**rounds, _played(control, treatment, length, partial(next, coins, False))


def _played(control: Sequence[str], treatment: Sequence[str], length: int, coin: Callable[[], bool]) -> Draft:
    left = {Team.CONTROL: list(control), Team.TREATMENT: list(treatment)}
    items: list[str] = []
    teams: list[Team] = []
    order: list[Team] = []
    while len(items) < length and any(left.values()):
        if not order:
            order = [Team.CONTROL, Team.TREATMENT] if coin() else [Team.TREATMENT, Team.CONTROL]
        team = order.pop(0)
        if not left[team]:
            continue
        item = left[team][0]
        items.append(item)
        teams.append(team)
        for ranking in left.values():
            if item in ranking:
                ranking.remove(item)
    return Draft(items=tuple(items), teams=tuple(teams))


def credit(draft: Draft, clicked: Sequence[str]) -> int:
    """Return clicks on the treatment's picks less clicks on the control's, of one impression."""
    owner = dict(zip(draft.items, draft.teams, strict=True))
    sides = [owner[item] for item in clicked if item in owner]
    return sides.count(Team.TREATMENT) - sides.count(Team.CONTROL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which ranker users prefer.

    Attributes:
        value: mean over users of their mean credit an impression; above 0 for the treatment.
        standard_error, df: of it, users as units.
        interval: of it.
        p_value: of no preference, t test over users.
        sign_p_value: of as many users on either side, exact; robust against a few heavy users.
        for_control, for_treatment, undecided: users.
        spread: standard deviation between users, for planning.
    """

    value: float
    standard_error: float
    df: int
    interval: tuple[float, float]
    p_value: float
    sign_p_value: float
    for_control: int
    for_treatment: int
    undecided: int
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UserVotes:
    """What a test of preference needs of the users' votes; a vote is a user's mean credit an impression.

    Attributes:
        users: how many.
        total, squares: sum of votes and of their squares.
        ahead, behind: users who vote for the treatment, and for the control.
    """

    users: int
    total: float
    squares: float
    ahead: int
    behind: int


def preference(users: ArrayLike, scores: ArrayLike, alpha: float = 0.05) -> Preference | NotComputable:
    """Test whether users prefer one ranker; each user counts once, however often they search.

    Args:
        users: shape (n,), whose impression it was.
        scores: shape (n,), credit of each impression, see ``credit``.
        alpha: 1 - confidence.

    Source: Chapelle, Joachims, Radlinski and Yue 2012, "Large-scale validation and analysis of interleaved search
    evaluation"; users as units as in every other test here.
    """
    mine = _by_user(users, np.asarray(scores, dtype=np.float64))
    votes = UserVotes(
        users=len(mine),
        total=float(mine.sum()),
        squares=float(mine @ mine),
        ahead=int((mine > 0).sum()),
        behind=int((mine < 0).sum()),
    )
    return preference_of(votes, alpha)


def preference_of(votes: UserVotes, alpha: float = 0.05) -> Preference | NotComputable:
    """Test whether users prefer one ranker, from the sums of their votes.

    Votes are small numbers around 0, so that their plain squares lose nothing.
    """
    n = votes.users
    if n < 2:
        return NotComputable(f"{n} users saw interleaved lists; 2 are the fewest")
    value = votes.total / n
    variance = max(0.0, votes.squares - n * value**2) / (n - 1)
    if variance <= 1e-15:
        return NotComputable("every user has the same credit; there is nothing to compare it with")
    spread = math.sqrt(variance)
    error = spread / math.sqrt(n)
    half = float(stats.t.isf(alpha / 2, n - 1)) * error
    voters = votes.ahead + votes.behind
    return Preference(
        value=value,
        standard_error=error,
        df=n - 1,
        interval=(value - half, value + half),
        p_value=2 * float(stats.t.sf(abs(value) / error, n - 1)),
        sign_p_value=float(stats.binomtest(votes.ahead, voters).pvalue) if voters else 1.0,
        for_control=votes.behind,
        for_treatment=votes.ahead,
        undecided=n - voters,
        spread=spread,
    )


def _by_user(users: ArrayLike, scores: Array) -> Array:
    """Return each user's mean credit."""
    _, labels = np.unique(np.asarray(users), return_inverse=True)
    return np.asarray(np.bincount(labels, weights=scores) / np.bincount(labels), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How many users each way of testing needs to see the same difference.

    Attributes:
        interleaved: users, all of whom see both rankers.
        separate: users of an A/B test, both variants together.
        ratio: separate / interleaved.
    """

    interleaved: float
    separate: float
    ratio: float


def sensitivity(
    preferred: Preference, effect: float, unit_variance: float, alpha: float = 0.05, power: float = 0.8
) -> Sensitivity | NotComputable:
    """Compare with an A/B test of the same two rankers.

    Args:
        preferred: what interleaving found.
        effect: the A/B test's difference a user, in the same direction.
        unit_variance: variance of its metric between users.
        alpha, power: of the test that is planned.
    """
    if preferred.value == 0 or effect == 0:
        return NotComputable("no difference was seen, so no number of users would show it")
    z = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    inside = z**2 * preferred.spread**2 / preferred.value**2
    beside = 4 * z**2 * unit_variance / effect**2
    return Sensitivity(interleaved=inside, separate=beside, ratio=beside / inside)

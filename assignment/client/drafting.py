"""Mix two rankings into one list, the same whenever the same list is asked for: team draft interleaving.

Pure and small, so that a ranking service can call it for every request. The server's own door calls it too.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from msgspec import Struct

CONTROL, TREATMENT = "control", "treatment"
INTERLEAVED = "interleaved"
"""What an interleaving serves to units that see mixed lists; everyone else gets ``control``."""
LONGEST_LIST = 200


class Draft(Struct, frozen=True, kw_only=True):
    """A mixed list.

    Attributes
    ----------
    impression_id
        Names this list, so that what is chosen from it finds it.
    items
        What to show, in order.
    teams
        Whose pick each item is: ``control`` or ``treatment``.
    differs
        Whether the two rankings' own lists of this length differ at all.
    """

    impression_id: str
    items: tuple[str, ...]
    teams: tuple[str, ...]
    differs: bool

    def properties(self, experiment: str) -> Mapping[str, Any]:
        """Return the properties of the event that says what was shown."""
        return {
            "experiment_id": experiment,
            "impression_id": self.impression_id,
            "items": list(self.items),
            "teams": list(self.teams),
            "differs": self.differs,
        }


def team_draft(control: Sequence[str], treatment: Sequence[str], *, length: int, seed: str) -> Draft:
    """Return one list that both rankings fill in turns, a coin deciding who begins each round.

    Parameters
    ----------
    control, treatment
        The rankings, best first. What one repeats counts once.
    length
        How many items are shown; at most ``LONGEST_LIST``.
    seed
        The id of this impression, new for each search. The coins follow from it, so that a reload shows the same list.

    Raises
    ------
    ValueError
        When the length or the seed does not fit.

    Notes
    -----
    Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval quality?", CIKM.
    """
    if not 1 <= length <= LONGEST_LIST:
        raise ValueError(f"length is {length}; a list has 1 to {LONGEST_LIST} items.")
    if not seed:
        raise ValueError("seed is empty; give the id of this impression, new for each search.")
    # 32 bytes hold a coin for each of the 100 rounds of the longest list.
    coins = int.from_bytes(blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=32).digest(), "big")
    rankings = (list(dict.fromkeys(control)), list(dict.fromkeys(treatment)))
    places = [0, 0]
    shown: dict[str, str] = {}
    while len(shown) < length and _any_left(rankings, places, shown):
        first, coins = coins & 1, coins >> 1
        for team in (first, 1 - first):
            if len(shown) < length and _next(rankings[team], places, team, shown) is not None:
                shown[rankings[team][places[team]]] = TREATMENT if team else CONTROL
    return Draft(
        impression_id=seed,
        items=tuple(shown),
        teams=tuple(shown.values()),
        differs=rankings[0][:length] != rankings[1][:length],
    )


def _any_left(rankings: Sequence[Sequence[str]], places: list[int], shown: Mapping[str, str]) -> bool:
    return any(_next(ranking, places, team, shown) is not None for team, ranking in enumerate(rankings))


def _next(ranking: Sequence[str], places: list[int], team: int, shown: Mapping[str, str]) -> str | None:
    """Return a team's best item that is not shown yet, and remember how far it has come."""
    while places[team] < len(ranking) and ranking[places[team]] in shown:
        places[team] += 1
    return ranking[places[team]] if places[team] < len(ranking) else None

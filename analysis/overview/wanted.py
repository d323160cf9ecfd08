"""What a list of experiments shows, as its address says it (no Django): search, filters, order, page and form."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from experiments.domain.conclusions import Recommendation
from experiments.domain.kinds import ExperimentKind
from experiments.domain.stages import Stage

LONGEST_SEARCH = 200
LONGEST_VALUE = 120
LAST_PAGE = 10_000

E = TypeVar("E", bound=StrEnum)


class View(StrEnum):
    """The form of the list."""

    LIST = "list"
    BOARD = "board"
    TIMELINE = "timeline"


class Sort(StrEnum):
    """The order of the list."""

    STAGE = "stage"
    NEWEST = "newest"
    NAME = "name"
    ENDING = "ending"
    GAIN = "gain"


SORTS = {
    Sort.STAGE: "What needs a decision first",
    Sort.NEWEST: "Newest first",
    Sort.NAME: "By name",
    Sort.ENDING: "By planned end",
    Sort.GAIN: "Largest gain first",
}
SPANS = {90: "3 months", 180: "6 months", 365: "A year"}
MINE = "me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One list. Empty means: whatever it is. ``owner`` is a person's number or ``MINE``; ``span`` counts days."""

    view: View = View.LIST
    q: str = ""
    stages: tuple[Stage, ...] = ()
    owner: str = ""
    tag: str = ""
    metric: str = ""
    model: str = ""
    layer: str = ""
    kind: ExperimentKind | None = None
    verdict: Recommendation | None = None
    since: date | None = None
    until: date | None = None
    archived: bool = False
    sort: Sort = Sort.STAGE
    page: int = 1
    span: int = 90
    back: int = 0

    @property
    def words(self) -> list[str]:
        """Return the words of the search, each of which must be found."""
        return self.q.lower().split()

    @property
    def filters(self) -> int:
        """Return how many filters beside search and stage are set: they may be folded away, and are still there."""
        given = (self.owner, self.tag, self.metric, self.model, self.layer, self.kind, self.verdict, self.since)
        return sum(bool(one) for one in (*given, self.until, self.archived))

    @property
    def narrows(self) -> bool:
        """Say whether some experiments may be left out."""
        return bool(self.q or self.stages or self.filters)

    def but(self, **changes: Any) -> "Wanted":
        """Return the same list with something changed, from its first page."""
        return replace(self, **{"page": 1, **changes})

    @property
    def query(self) -> str:
        """Return it as the query of an address, without what is as usual."""
        pairs: list[tuple[str, str]] = []
        for name in self.__slots__:
            value = getattr(self, name)
            if value != getattr(_USUAL, name):
                values = value if isinstance(value, tuple) else (value,)
                pairs += [("stage" if name == "stages" else name, _written(one)) for one in values]
        return urlencode(pairs)


_USUAL = Wanted()


def read(given: Mapping[str, str], stages: list[str]) -> Wanted:
    """Read a list from an address; what nobody can mean is passed over, since old addresses must go on working."""
    return Wanted(
        view=_one_of(View, given.get("view")) or View.LIST,
        q=given.get("q", "")[:LONGEST_SEARCH].replace("\0", "").strip(),
        stages=tuple(dict.fromkeys(one for text in stages if (one := _one_of(Stage, text)))),
        **{name: _text(given.get(name)) for name in ("owner", "tag", "metric", "model", "layer")},
        kind=_one_of(ExperimentKind, given.get("kind")),
        verdict=_one_of(Recommendation, given.get("verdict")),
        since=_day(given.get("since")),
        until=_day(given.get("until")),
        archived=given.get("archived") in ("1", "on", "True"),
        sort=_one_of(Sort, given.get("sort")) or Sort.STAGE,
        page=max(1, _whole(given.get("page"), 1, LAST_PAGE)),
        span=span if (span := _whole(given.get("span"), 90, 365)) in SPANS else 90,
        back=_whole(given.get("back"), 0, 100),
    )


def _one_of(kind: type[E], text: str | None) -> E | None:
    try:
        return kind(text or "")
    except ValueError:
        return None


def _text(text: str | None) -> str:
    return (text or "")[:LONGEST_VALUE].replace("\0", "").strip()


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _whole(text: str | None, otherwise: int, most: int) -> int:
    text = text or ""
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 10 else otherwise


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return value.value if isinstance(value, StrEnum) else str(value)

"""What is asked of a programme: which metrics, which models, which time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from analysis.programme.vectors import Vector
from experiments.domain.metrics import DisplayUnit
from experiments.models import Metric, Project

PERIODS = {"all": None, "year": 365, "half": 182, "quarter": 91}
"""Days back from now, by the word in the address."""
PERIOD_NAMES = {"all": "All time", "year": "Last 12 months", "half": "Last 6 months", "quarter": "Last 3 months"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked; empty words mean "whatever fits best". ``gain`` is the next model's offline gain."""

    business: str = ""
    proxy: str = ""
    family: str = ""
    period: str = "all"
    units: int = 0
    gain: float = 0.01

    @property
    def word(self) -> str:
        """Return the question as one word, under which its answer is kept."""
        return msgspec.json.encode(self).decode()[:400]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A metric's name and which way is good: 1 up, -1 down."""

    key: str
    name: str
    sign: float
    is_money: bool


def known_metrics(project: Project) -> dict[str, Known]:
    """Return the project's metrics by key."""
    rows = Metric.objects.filter(project=project).values_list("key", "name", "direction", "display_unit")
    return {
        key: Known(
            key=key, name=name, sign=-1.0 if direction == "decrease" else 1.0, is_money=unit == DisplayUnit.CURRENCY
        )
        for key, name, direction, unit in rows
    }


def within(vectors: Sequence[Vector], asked: Question, now: datetime) -> list[Vector]:
    """Return the treatments of the asked family and time; an experiment counts where it ended, or is still going on."""
    days = PERIODS.get(asked.period)
    since = None if days is None else now - timedelta(days=days)
    return [
        one
        for one in vectors
        if (not asked.family or one.family == asked.family)
        and (since is None or one.ended_at is None or one.ended_at >= since)
    ]


def settled(asked: Question, vectors: Sequence[Vector], known: Mapping[str, Known], north_star: str) -> Question:
    """Return the question with a business metric: the one asked for, the north star, money, or the most measured."""
    counts = Counter(metric for one in vectors for metric in one.metrics if metric in known)
    if asked.business in counts or not counts:
        return asked
    if north_star in counts:
        return replace_business(asked, north_star)
    by_use = sorted(counts, key=lambda key: (not known[key].is_money, -counts[key], key))
    return replace_business(asked, by_use[0])


def replace_business(asked: Question, business: str) -> Question:
    """Return the same question about another business metric."""
    return msgspec.structs.replace(asked, business=business)


def groups(vectors: Sequence[Vector]) -> list[int]:
    """Number the treatments so that those that are no separate evidence share a number.

    Treatments of one experiment share its control; experiments of one model version against one other try the same
    thing again.
    """
    parent = list(range(len(vectors)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[object, ...], int] = {}
    for i, one in enumerate(vectors):
        names: list[tuple[object, ...]] = [("experiment", one.experiment)]
        if one.model is not None and one.model != one.control_model:
            names.append(("model", one.model, one.control_model))
        for name in names:
            parent[root(i)] = root(first.setdefault(name, i))
    return [root(i) for i in range(len(vectors))]

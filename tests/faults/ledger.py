"""What a shop sent and was promised, beside what the log holds and the fold counted: one line of four numbers."""

import itertools
import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Message = dict[str, Any]
Query = Callable[[str, list[Any]], list[tuple[Any, ...]]]
Totals = dict[tuple[str, str], tuple[float, int]]
"""(unit, metric) → numerator and denominator."""

STORED = "SELECT count(*) FROM events_log WHERE project_id = %s"
ENROLLED = """
SELECT unit, count(*) FROM analysis_enrolment e JOIN experiments_experiment x ON x.id = e.experiment_id
WHERE x.project_id = %s AND NOT quarantined GROUP BY unit
"""
TOTALS = """
SELECT unit, m.key, sum(numerator), sum(denominator) FROM analysis_unitday d
JOIN experiments_metric m ON m.id = d.metric_id WHERE m.project_id = %s GROUP BY unit, m.key
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The four numbers of a run, each of distinct events."""

    sent: int
    acknowledged: int
    stored: int
    counted: int

    def __str__(self) -> str:
        return f"sent {self.sent}, acknowledged {self.acknowledged}, stored {self.stored}, counted {self.counted}"


@dataclass
class Ledger:
    """Messages by id, and those that an answer of 200 promised to keep."""

    sent: dict[str, Message] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    requests: int = 0
    answers: dict[object, int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, batch: list[Message]) -> None:
        with self._lock:
            self.requests += 1
            self.sent.update((message["messageId"], message) for message in batch)

    def answered(self, batch: list[Message], answer: object) -> None:
        with self._lock:
            self.answers[answer] += 1
            if answer == 200:
                self.acknowledged.update(message["messageId"] for message in batch)

    def expected(self) -> tuple[set[str], Totals]:
        """Say what acknowledged messages add up to: the units enrolled, and each unit's orders and revenue."""
        promised = [self.sent[one] for one in self.acknowledged]
        units = {message["userId"] for message in promised if message["event"] == "Experiment Viewed"}
        sums: dict[str, list[int]] = defaultdict(list)
        for message in promised:
            if message["event"] == "Order Completed":
                sums[message["userId"]].append(message["properties"]["revenue"])
        orders: Totals = {(unit, "orders"): (float(len(values)), 0) for unit, values in sums.items()}
        return units, orders | {(unit, "revenue"): (float(sum(values)), 0) for unit, values in sums.items()}


def counted(query: Query, project: int) -> tuple[set[str], Totals]:
    """Return what the fold holds: the units enrolled, and each unit's totals by metric."""
    totals = {(unit, metric): (float(top), int(bottom)) for unit, metric, top, bottom in query(TOTALS, [project])}
    return {unit for unit, _ in query(ENROLLED, [project])}, totals


def settle(name: str, ledger: Ledger, query: Query, project: int) -> Figures:
    """Print the four numbers and hold them to each other, in sum and for every unit and metric."""
    units, totals = counted(query, project)
    orders = sum(top for (_, metric), (top, _) in totals.items() if metric == "orders")
    figures = Figures(
        sent=len(ledger.sent),
        acknowledged=len(ledger.acknowledged),
        stored=query(STORED, [project])[0][0],
        counted=len(units) + int(orders),
    )
    repeats = f"{ledger.requests} requests, answers {dict(ledger.answers)}"
    print(f"\n{name}: {figures} ({repeats})")
    assert figures.sent == figures.acknowledged == figures.stored == figures.counted > 0, figures
    assert (units, totals) == ledger.expected()
    return figures


class Shop:
    """Makes batches: each of units that are exposed once, and then order something a few times."""

    def __init__(self, seed: int = 1, *, experiment: str = "new-ranker") -> None:
        self._choice = random.Random(seed)  # noqa: S311  (a shop, not a secret)
        self._experiment = experiment
        self._prefix = f"{seed}-{uuid.uuid4().hex[:6]}"
        self._serial = itertools.count()

    def batch(self, units: int = 5, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> list[Message]:
        return [message for _ in range(units) for message in self._visit(clock)]

    def _visit(self, clock: Callable[[], datetime]) -> Iterator[Message]:
        unit = f"u{self._prefix}-{next(self._serial)}"
        variant = self._choice.choice(["control", "treatment"])
        yield message(unit, "Experiment Viewed", {"experiment_id": self._experiment, "variation_id": variant}, clock())
        for _ in range(self._choice.randint(0, 4)):
            yield message(unit, "Order Completed", {"revenue": self._choice.randint(1, 90)}, clock())


def message(unit: str, event: str, properties: dict[str, Any], at: datetime) -> Message:
    return {
        "type": "track", "userId": unit, "event": event, "properties": properties,
        "timestamp": at.isoformat(), "messageId": str(uuid.uuid4()),
    }  # fmt: skip


def clock_set_back(by: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) - by

"""Offline metrics: how good a model version looked before it met a user, and which way is good."""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.metrics import Direction

LONGEST_NAME = 60


class OfflineUnit(StrEnum):
    """How an offline metric's values are written."""

    SCORE = "score"
    MILLISECONDS = "milliseconds"
    MONEY = "money"


class VersionStatus(StrEnum):
    """Where a model version stands: a candidate is trained, a serving one answers users, a retired one did."""

    CANDIDATE = "candidate"
    SERVING = "serving"
    RETIRED = "retired"


class Origin(StrEnum):
    """How a model version came here."""

    PAGE = "page"
    PROGRAM = "program"
    MLFLOW = "mlflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMetric:
    """An offline metric that needs no explanation. ``pattern`` finds it in the names that training code uses."""

    label: str
    direction: Direction
    unit: OfflineUnit = OfflineUnit.SCORE
    pattern: str


UP, DOWN = Direction.INCREASE, Direction.DECREASE
KNOWN = (
    KnownMetric(label="Accuracy", direction=UP, pattern=r"(?:acc|accuracy)(?: score)?"),
    KnownMetric(label="F1", direction=UP, pattern=r"f ?1(?: score)?"),
    KnownMetric(label="AUC", direction=UP, pattern=r"(?:roc )?auc(?: roc)?(?: score)?"),
    KnownMetric(label="Log loss", direction=DOWN, pattern=r"log ?loss|cross entropy"),
    KnownMetric(label="NDCG@{k}", direction=UP, pattern=r"ndcg(?: ?(?:@|at )? ?(?P<k>\d+))?"),
    KnownMetric(
        label="Latency p{k}", direction=DOWN, unit=OfflineUnit.MILLISECONDS, pattern=r"latency (?:p ?)?(?P<k>50|95|99)"
    ),
    KnownMetric(
        label="Cost per 1,000 predictions", direction=DOWN, unit=OfflineUnit.MONEY,
        pattern=r"cost(?: per)? (?:1[ ,]?000|1k|thousand)(?: predictions)?",
    ),
)  # fmt: skip
"""The list that pages offer. "{k}" is the number in the name."""

SUGGESTED = (
    "Accuracy", "F1", "AUC", "Log loss", "NDCG@10", "Latency p50", "Latency p95", "Latency p99",
    "Cost per 1,000 predictions",
)  # fmt: skip
_COMPILED = tuple((one, re.compile(one.pattern)) for one in KNOWN)
_OF_A_SET = re.compile(r"^(?:val|valid|validation|test|eval|holdout) ")
_LESS_IS_MORE = re.compile(r"\b(?:loss|error|rmse|mae|mse|mape|latency|cost|perplexity|brier|ms|seconds)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a name says: how it is written here, which way is good and how values are written."""

    label: str
    direction: Direction
    unit: OfflineUnit


def named(name: str) -> Named:
    """Return what is known of a metric by its name; of one that nobody knows, higher is better unless it is a loss."""
    words = " ".join(re.sub(r"[_\-/]+", " ", name.strip().lower()).split())
    bare = _OF_A_SET.sub("", words)
    for one, pattern in _COMPILED:
        if found := pattern.fullmatch(bare):
            k = found.groupdict().get("k")
            label = one.label.replace("{k}", k) if k else one.label.replace("@{k}", "")
            return Named(label=label, direction=one.direction, unit=one.unit)
    return Named(label=name.strip(), direction=DOWN if _LESS_IS_MORE.search(words) else UP, unit=OfflineUnit.SCORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineValue:
    """One offline metric of one version.

    ``low`` and ``high`` are its 95 % interval, ``method`` says how that was made, ``size`` how many examples are in the
    ``evaluation_set``.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""
    evaluation_set: str = ""
    size: int | None = None
    direction: Direction | None = None

    @property
    def good(self) -> Direction:
        """Return which way is good: as said, else as the name says."""
        return self.direction or named(self.name).direction


def value_problem(one: OfflineValue) -> str:
    """Say what is wrong with a value, or return nothing."""
    if not one.name.strip():
        return "Name the offline metric, for example NDCG@10."
    if not math.isfinite(one.value):
        return f"{one.name} is {one.value}; it must be a finite number."
    if (one.low is None) != (one.high is None):
        return f"{one.name}: give both ends of the interval, or neither."
    if one.low is not None and one.high is not None:
        if not (math.isfinite(one.low) and math.isfinite(one.high)):
            return f"{one.name}: the ends of the interval must be finite numbers."
        if not one.low <= one.value <= one.high:
            return f"{one.name}: the interval {one.low:g} to {one.high:g} does not hold the value {one.value:g}."
    return ""

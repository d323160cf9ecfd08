"""What was asked: metrics, roles, caps and covariates, parsed from the command line's words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import lcm
from pathlib import Path

from analysis.tables.refusal import RefusalError

_METRIC = re.compile(
    r"(?P<name>[^=]+)=(?P<body>.+?)(?::(?P<type>proportion|mean|count|ratio|quantile))?(?::(?P<level>[0-9.]+))?"
)
_SYNTAX = "NAME=COL[:proportion|mean|count], NAME=NUM/DEN:ratio or NAME=COL:quantile:0.95"
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


class MetricType(StrEnum):
    """How a metric is formed from its column."""

    PROPORTION = "proportion"
    MEAN = "mean"
    COUNT = "count"
    RATIO = "ratio"
    QUANTILE = "quantile"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """A metric as asked. ``type`` is None where the column's values decide; ``level`` is a quantile's."""

    name: str
    column: str
    type: MetricType | None = None
    denominator: str | None = None
    level: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that the metric reads."""
        return (self.column,) if self.denominator is None else (self.column, self.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that one unit may count: a value, or a percentile of all units."""

    value: float | None = None
    percentile: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One analysis as asked; names of metrics are checked, columns are not yet."""

    file: Path
    variant: str
    control: str
    metrics: tuple[MetricSpec, ...]
    unit: str | None = None
    weights: Mapping[str, Fraction] | None = None
    guardrails: Mapping[str, float] = field(default_factory=dict)
    lower_is_better: frozenset[str] = frozenset()
    caps: Mapping[str, Cap] = field(default_factory=dict)
    covariates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    time: str | None = None
    sequential: bool = False
    planned_units: int | None = None
    alpha: float = 0.05


def metrics(words: Sequence[str]) -> tuple[MetricSpec, ...]:
    """Parse every ``--metric``."""
    if not words:
        raise RefusalError(f"no --metric was given; name at least one: {_SYNTAX}")
    found = tuple(_metric(word) for word in words)
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RefusalError(f"--metric {twice[0]} was given twice; give every metric its own name")
    return found


def _metric(word: str) -> MetricSpec:
    match = _METRIC.fullmatch(word)
    if match is None:
        raise RefusalError(f"--metric {word!r} is not understood; write {_SYNTAX}")
    name, body, level = match["name"].strip(), match["body"].strip(), match["level"]
    kind = MetricType(match["type"]) if match["type"] else None
    if kind is None and re.search(r":[a-z]+$", body):
        raise RefusalError(f"--metric {word!r}: unknown type {body.rpartition(':')[2]!r}; write {_SYNTAX}")
    if (level is not None) != (kind is MetricType.QUANTILE):
        raise RefusalError(
            f"--metric {word!r}: a level goes with quantile and only there, as in {name}=COL:quantile:0.95"
        )
    if kind is MetricType.RATIO:
        top, slash, bottom = body.partition("/")
        if not (top and slash and bottom):
            raise RefusalError(f"--metric {word!r}: a ratio needs two columns, {name}=NUM/DEN:ratio")
        return MetricSpec(name=name, column=top.strip(), denominator=bottom.strip(), type=kind)
    return MetricSpec(name=name, column=body, type=kind, level=None if level is None else _level(word, level))


def _level(word: str, text: str) -> float:
    level = number(f"--metric {word!r}", text)
    if not 0 < level < 1:
        raise RefusalError(f"--metric {word!r}: a quantile's level lies between 0 and 1, such as 0.95")
    return level


def weights(text: str | None) -> dict[str, Fraction] | None:
    """Parse ``--weights a=1,b=2``; any unit, only the proportions count."""
    if text is None:
        return None
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        name, equals, share = part.rpartition("=")
        try:
            found[name.strip()] = Fraction(share.strip())
        except (ValueError, ZeroDivisionError):
            equals = ""
        if not equals or not name.strip():
            raise RefusalError(
                f"--weights {text!r} is not understood; write every variant as VALUE=SHARE, as in a=1,b=2"
            )
    if min(found.values()) < 0 or sum(value > 0 for value in found.values()) < 2:
        raise RefusalError(
            f"--weights {text!r} do not fit: at least two variants need a share above 0, none may be below 0"
        )
    return found


def whole(shares: Mapping[str, Fraction]) -> dict[str, int]:
    """Return the weights as whole numbers of the same proportions."""
    common = lcm(*(share.denominator for share in shares.values()))
    return {key: int(share * common) for key, share in shares.items()}


def guardrails(words: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Parse every ``--guardrail NAME:MARGIN``; the margin is a share of the control's value, .02 or 2%."""
    found = {}
    for word in words:
        name, _, text = word.rpartition(":")
        percent = text.endswith("%")
        margin = number(f"--guardrail {word!r} (write NAME:MARGIN, as in latency:0.02)", text.rstrip("%"))
        found[known("--guardrail", name, names)] = margin = margin / 100 if percent else margin
        if not 0 <= margin < 1:
            raise RefusalError(f"--guardrail {word!r}: the margin is a share of the control's value, from 0 to below 1")
    return found


def caps(words: Sequence[str], chosen: Sequence[MetricSpec]) -> dict[str, Cap]:
    """Parse every ``--cap NAME=VALUE|p99``."""
    found = {}
    by_name = {one.name: one for one in chosen}
    for word in words:
        name, _, text = word.rpartition("=")
        spec = by_name[known("--cap", name, list(by_name))]
        if spec.type in (MetricType.RATIO, MetricType.QUANTILE, MetricType.PROPORTION):
            raise RefusalError(f"--cap {name} is not available for a {spec.type}: only means and counts can be capped")
        if percentile := _PERCENTILE.fullmatch(text):
            found[name] = Cap(percentile=float(percentile[1]) / 100)
        else:
            found[name] = Cap(value=number(f"--cap {word!r} (write NAME=VALUE or NAME=p99)", text))
    return found


def covariates(words: Sequence[str], chosen: Sequence[MetricSpec]) -> dict[str, tuple[str, ...]]:
    """Parse every ``--covariate NAME=COL``; several for one metric are used together."""
    found: dict[str, tuple[str, ...]] = {}
    by_name = {one.name: one for one in chosen}
    for word in words:
        name, _, column = word.partition("=")
        spec = by_name[known("--covariate", name, list(by_name))]
        if spec.type is MetricType.QUANTILE:
            raise RefusalError(
                f"--covariate {name} is not available for a quantile: only means, shares and ratios adjust"
            )
        if not column:
            raise RefusalError(f"--covariate {word!r} is not understood; write NAME=COL")
        if column in spec.columns:
            raise RefusalError(f"--covariate {word!r} is the metric's own column; take one from before the experiment")
        if column not in found.get(name, ()):
            found[name] = (*found.get(name, ()), column)
    return found


def number(what: str, text: str) -> float:
    """Read a finite number, or refuse."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise RefusalError(f"{what}: {text!r} is no number")
    return value


def known(option: str, name: str, names: Sequence[str]) -> str:
    """Return a metric's name, or refuse one that no --metric has."""
    if name not in names:
        raise RefusalError(f"{option} names the metric {name!r}, but --metric gives {', '.join(names)}")
    return name

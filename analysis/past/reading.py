"""Read a file of past experiments: one row for each treatment and metric, as counts and means or as a lift."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from analysis.tables.refusal import RefusalError
from analysis.tables.source import shortened
from analysis.tables.summary import moments_of_row
from analysis.tables.summary_rows import header, rows

MOMENTS = ("n", "mean", "variance", "control_n", "control_mean", "control_variance")
LIFTS = ("lift", "standard_error")
NAMES = ("experiment", "metric")
OPTIONAL = ("variant", "date", "ended", "model")
ROLES = (*NAMES, *OPTIONAL, *MOMENTS, *LIFTS)
MOST_ROWS, MOST_TREATMENTS, LONGEST_NAME, MOST_UNITS = 200_000, 5_000, 120, 10**15
YEARS = range(1970, 2200)
NO_VARIANCE = "rows without units or a variance"
NOT_ABOVE_ZERO = "rows with a mean that is not above zero, which has no relative effect"
NO_SPREAD = "rows without any spread"
OTHER_METRIC = "rows of metrics that the project does not have"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One treatment on one metric: the log lift, its sampling variance, and the values where the file has them."""

    log_lift: float
    log_variance: float
    units: int = 0
    control: float = math.nan
    difference: float = math.nan


@dataclass(slots=True, kw_only=True)
class Treatment:
    """One treatment with its effects by the project's metric keys."""

    experiment: str
    variant: str
    family: str
    ended_at: datetime | None
    effects: dict[str, Effect]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file holds: treatments, the key taken for each of its metrics, and how many rows were left out and why."""

    treatments: list[Treatment]
    metrics: dict[str, str]
    left: dict[str, int]


def columns_of(file: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the column for each role: the one given, else the one of the role's own name.

    Raises:
        RefusalError: a role that is needed has no column; the message names what the file has.
    """
    names = header(file)
    unknown = sorted(set(given) - set(ROLES))
    if unknown:
        raise RefusalError(f"{unknown[0]!r} is no role of a column; the roles are {', '.join(ROLES)}")
    for role, column in given.items():
        if column not in names:
            raise RefusalError(f"there is no column {column!r} for {role}; the file has {shortened(names)}")
    by_name = {name.strip().lower(): name for name in names}
    found = {role: by_name[role] for role in ROLES if role in by_name} | dict(given)
    lacking = [role for role in NAMES if role not in found]
    if not lacking and not (set(LIFTS) <= set(found) or set(MOMENTS) <= set(found)):
        by_moments = [role for role in MOMENTS if role not in found]
        by_lifts = [role for role in LIFTS if role not in found]
        lacking = by_moments if len(by_moments) < len(MOMENTS) and len(by_moments) <= 3 else by_lifts
    if lacking:
        raise RefusalError(
            f"there is no column {lacking[0]}; give experiment and metric with either {', '.join(MOMENTS)} or "
            f"{' and '.join(LIFTS)}. The file has {shortened(names)}"
        )
    return found


def read(file: Path, columns: Mapping[str, str], known: Iterable[str], named: Mapping[str, str]) -> Read:
    """Return the treatments of a file; where a metric has rows of several dates, the last whole one counts.

    Args:
        file: CSV (also gzipped) or Parquet.
        columns: column by role, as ``columns_of`` returns them.
        known: the project's metric keys.
        named: the project's key for a metric's name in the file, where they differ.

    Raises:
        RefusalError: a row cannot be read, or none can be used; the message says which and why.
    """
    taken = _Taken(known=set(known), named=named)
    for number, row in rows(file, columns):
        if number > MOST_ROWS:
            raise RefusalError(f"more than {MOST_ROWS:,} rows: give the last row of each metric, or several files")
        taken.add(number, row)
    return taken.whole()


class _Taken:
    """Rows as they are read, the newest of each treatment and metric kept."""

    def __init__(self, *, known: set[str], named: Mapping[str, str]) -> None:
        self.known, self.named = known, named
        self.metrics: dict[str, str] = {}
        self.foreign: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.treatments: dict[tuple[str, str], Treatment] = {}
        self.newest: dict[tuple[str, str, str], tuple[int, float, str]] = {}

    def add(self, number: int, row: Mapping[str, str]) -> None:
        """Take one row."""
        if any("\0" in text for text in row.values()):
            raise RefusalError(f"row {number}: the character NUL stands in it, which no text may hold")
        key = self._metric(row["metric"])
        if key is None:
            return
        try:
            effect = _effect(number, row)
        except (ArithmeticError, ValueError) as problem:
            if isinstance(problem, RefusalError):
                raise
            raise RefusalError(f"row {number}: its numbers are too large or too small to be compared") from None
        if isinstance(effect, str):
            self.left[effect] += 1
            return
        own = self._treatment(number, row)
        place, date = (own.experiment, own.variant, key), _when(row.get("date", ""))
        if place in self.newest and date == self.newest[place]:
            raise RefusalError(
                f"row {number}: {own.variant!r} of {own.experiment!r} has {row['metric']!r} twice; a column date says "
                "which is newer, a column variant tells treatments apart"
            )
        if place not in self.newest or date > self.newest[place]:
            self.newest[place] = date
            own.effects[key] = effect

    def _metric(self, name: str) -> str | None:
        key = self.named.get(name, name)
        if key not in self.known:
            self.foreign[name] += 1
            return None
        if self.metrics.setdefault(name, key) and sum(other == key for other in self.metrics.values()) > 1:
            same = [other for other, its in self.metrics.items() if its == key]
            raise RefusalError(
                f"{' and '.join(map(repr, same))} are both taken for the metric {key!r}; name one of them"
            )
        return key

    def _treatment(self, number: int, row: Mapping[str, str]) -> Treatment:
        experiment, variant = row["experiment"], row.get("variant", "") or "treatment"
        if not experiment or max(len(experiment), len(variant)) > LONGEST_NAME:
            raise RefusalError(f"row {number}: experiment and variant take 1 to {LONGEST_NAME} characters")
        place = (experiment, variant)
        if place not in self.treatments:
            if len(self.treatments) == MOST_TREATMENTS:
                raise RefusalError(f"more than {MOST_TREATMENTS:,} treatments in one file; give several files")
            self.treatments[place] = Treatment(
                experiment=experiment, variant=variant, family=row.get("model", "")[:100],
                ended_at=_moment(number, row.get("ended", "")), effects={},
            )  # fmt: skip
        return self.treatments[place]

    def whole(self) -> Read:
        """Return everything; nothing at all is refused with what would help."""
        if not self.metrics:
            names, keys = shortened(sorted(self.foreign)), shortened(sorted(self.known))
            if not self.foreign:
                raise RefusalError("the file has no rows")
            raise RefusalError(
                f"none of its metrics is one of the project's: the file has {names}, the project {keys}. Say which is "
                "which, as their name = the project's key"
            )
        if not self.treatments:
            reason, count = self.left.most_common(1)[0]
            raise RefusalError(f"nothing can be used; {reason}: {count:,}")
        left = dict(self.left)
        if self.foreign:
            left[f"{OTHER_METRIC} ({shortened(sorted(self.foreign))})"] = self.foreign.total()
        return Read(treatments=list(self.treatments.values()), metrics=self.metrics, left=left)


def _effect(number: int, row: Mapping[str, str]) -> Effect | str:
    """Return the effect of a row, or why it has none."""
    if not (set(MOMENTS) <= row.keys() and row["mean"]):
        return _from_lift(number, row) if set(LIFTS) <= row.keys() else NO_VARIANCE
    treatment = moments_of_row(number, {role: row[role] for role in ("n", "mean", "variance")})
    control = moments_of_row(number, {role: row[f"control_{role}"] for role in ("n", "mean", "variance")})
    if treatment is None or control is None:
        return NO_VARIANCE
    t, c = float(treatment.mean[0]), float(control.mean[0])
    if min(t, c) <= 0:
        return NOT_ABOVE_ZERO
    if max(treatment.n, control.n) > MOST_UNITS:
        raise RefusalError(f"row {number}: more than {MOST_UNITS:,} units are no count of people")
    noise = [float(one.comoment[0, 0]) / (one.n - 1) / one.n for one in (treatment, control)]
    if min(noise) <= 0:
        return NO_SPREAD
    return _finite(Effect(
        log_lift=math.log(t / c), log_variance=noise[0] / t**2 + noise[1] / c**2, units=treatment.n + control.n,
        control=c, difference=t - c,
    ))  # fmt: skip


def _from_lift(number: int, row: Mapping[str, str]) -> Effect | str:
    lift, error = (_number(number, role, row[role]) for role in LIFTS)
    if lift is None or error is None:
        return NO_VARIANCE
    if lift <= -1:
        raise RefusalError(f"row {number}: lift is {row['lift']!r}; it is a share: 0.02 for 2 % more, always above -1")
    if error <= 0:
        return NO_SPREAD
    return _finite(Effect(log_lift=math.log1p(lift), log_variance=(error / (1 + lift)) ** 2))


def _finite(effect: Effect) -> Effect:
    if not (math.isfinite(effect.log_lift) and 0 < effect.log_variance < math.inf):
        raise OverflowError
    return effect


def _number(number: int, role: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RefusalError(f"row {number}: {role} is {text!r}, which is no number")
    return value


def _when(date: str) -> tuple[int, float, str]:
    """Return what dates sort by: as numbers where they are numbers, as text (ISO dates) elsewhere."""
    try:
        return 0, float(date), ""
    except ValueError:
        return 1, 0.0, date


def _moment(number: int, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RefusalError(f"row {number}: ended is {text!r}; write a date such as 2026-03-31") from None
    if found.year not in YEARS:
        raise RefusalError(f"row {number}: ended is {text!r}; a year from {YEARS[0]} to {YEARS[-1]} is taken")
    return found if found.tzinfo else found.replace(tzinfo=UTC)

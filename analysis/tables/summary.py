"""Aggregated rows over time: what looking at every date would have called, beside the reading that allows it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.tables.comparing import Looks, always_valid
from analysis.tables.refusal import RefusalError
from analysis.tables.source import shortened
from analysis.tables.summary_rows import rows

_FIGURES = ("n", "mean", "sum", "variance", "sumsq")
_BESIDE = "control_"
ROLES = ("date", "variant", "metric", "experiment", *_FIGURES, *(_BESIDE + one for one in _FIGURES))
_SYNTAX = "--columns date=COL,variant=COL,n=COL,mean=COL,variance=COL (or sum=, sumsq=; also metric=, experiment=)"


class Look(Struct, frozen=True, kw_only=True):
    """One date of one series. ``p_value`` is for one look, ``always_valid_p_value`` for any number of them."""

    date: str
    n: int
    control_n: int
    difference: float | None
    p_value: float | None
    difference_interval: tuple[float, float] | None
    always_valid_p_value: float | None
    always_valid_interval: tuple[float, float] | None


class Series(Struct, frozen=True, kw_only=True):
    """One treatment on one metric over time. ``peeked`` says that p was below alpha on some date."""

    experiment: str
    metric: str
    variant: str
    control: str
    peeked: bool
    first_peek: str | None
    sequential: bool
    first_sequential: str | None
    at_the_end: bool
    looks: list[Look]
    skipped: int


class SummaryHealth(Struct, frozen=True, kw_only=True):
    """What was left out, and what cannot be said: ``srm`` is None, for no planned split is in such a file."""

    srm: None = None
    skipped_rows: int
    warnings: list[str]


class Summary(Struct, frozen=True, kw_only=True):
    """All series with their counts, and the sentence about them."""

    schema: int
    alpha: float
    planned_units: int
    series_count: int
    called_by_peeking: int
    called_sequentially: int
    significant_at_the_end: int
    sentence: str
    health: SummaryHealth
    series: list[Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRequest:
    """What was asked of a file of aggregated rows. ``cumulative`` says that each row holds all units so far."""

    file: Path
    columns: Mapping[str, str]
    control: str | None
    looks: Looks
    cumulative: bool = True
    alpha: float = 0.05


def parse_columns(text: str) -> dict[str, str]:
    """Parse ``--columns ROLE=COL,…``."""
    found = {}
    for part in text.split(","):
        role, equals, column = part.partition("=")
        if not equals or role.strip() not in ROLES:
            raise RefusalError(f"--columns: {part!r} is not understood; write {_SYNTAX}")
        found[role.strip()] = column.strip()
    _complete(found, "", ("date", "variant", "n"))
    if any(role.startswith(_BESIDE) for role in found):
        _complete(found, _BESIDE, (_BESIDE + "n",))
    return found


def _complete(found: Mapping[str, str], prefix: str, needed: tuple[str, ...]) -> None:
    lacking = [role for role in needed if role not in found]
    for pair in (("mean", "sum"), ("variance", "sumsq")):
        if not {prefix + one for one in pair} & set(found):
            lacking.append(" or ".join(prefix + one for one in pair))
    if lacking:
        raise RefusalError(f"--columns does not say where {lacking[0]} stands; write {_SYNTAX}")


def summarise(request: SummaryRequest) -> Summary:
    """Read the rows and compare every treatment with the control at every date."""
    wide = _BESIDE + "n" in request.columns
    if not wide and request.control is None:
        raise RefusalError(
            "--control is needed where a row holds one variant; or name control_n= and so on in --columns"
        )
    cells, skipped = _cells(request)
    if not cells:
        raise RefusalError(f"{request.file} is empty: no row has units and a variance")
    series = [
        _series(request, key, variant, dates, skipped.get((*key, variant), 0))
        for key, by_variant in sorted(cells.items())
        for variant, dates in (_beside(request, by_variant) if wide else _treatments(request, key, by_variant))
    ]
    if not series:
        raise RefusalError(f"{request.file}: no series has both the control {request.control!r} and a treatment")
    peeked, valid = sum(one.peeked for one in series), sum(one.sequential for one in series)
    end = sum(one.at_the_end for one in series)
    return Summary(
        schema=1,
        alpha=request.alpha,
        planned_units=request.looks.planned_units,
        series_count=len(series),
        called_by_peeking=peeked,
        called_sequentially=valid,
        significant_at_the_end=end,
        sentence=f"{_untested(series)}Looking at every date for p < {request.alpha:g} would have called {peeked} of "
        f"{len(series)} series; {end} are there at the last date; the always-valid reading calls {valid}.",
        health=SummaryHealth(
            skipped_rows=sum(skipped.values()),
            warnings=["The planned split is not in the file, so nothing is said about a sample ratio mismatch."],
        ),
        series=series,
    )


def _untested(series: list[Series]) -> str:
    count = sum(not one.looks for one in series)
    return f"{count} series have no date with units and variances for both variants. " if count else ""


_Key = tuple[str, str]
_Dates = dict[str, Moments]


def _cells(request: SummaryRequest) -> tuple[dict[_Key, dict[str, _Dates]], dict[tuple[str, ...], int]]:
    """Return moments by (experiment, metric), variant and date; rows without a variance are counted and left out."""
    cells: dict[_Key, dict[str, _Dates]] = {}
    skipped: dict[tuple[str, ...], int] = {}
    for number, row in rows(request.file, request.columns):
        key = (row.get("experiment", ""), row.get("metric", ""))
        variant, date = row["variant"], row["date"]
        found = {variant: _moments(number, row, "")}
        if _BESIDE + "n" in row:
            found[_BESIDE + variant] = _moments(number, row, _BESIDE)
        for name in found:
            cells.setdefault(key, {}).setdefault(name, {})
        if None in found.values():
            skipped[(*key, variant)] = skipped.get((*key, variant), 0) + 1
            continue
        for name, moments in found.items():
            dates = cells[key][name]
            if date in dates:
                raise RefusalError(
                    f"row {number}: {variant!r} has {date!r} twice; name --columns metric= and experiment="
                )
            dates[date] = moments if moments is not None else Moments.empty()
    return cells, skipped


def _moments(number: int, row: Mapping[str, str], prefix: str) -> Moments | None:
    return moments_of_row(
        number, {role.removeprefix(prefix): text for role, text in row.items() if role.startswith(prefix)}
    )


def moments_of_row(number: int, row: Mapping[str, str]) -> Moments | None:
    """Return one variant's moments from n, mean or sum, and variance (of a unit, divisor n - 1) or sum of squares.

    None where units or variance are missing. ``number`` is the row's, for a refusal.
    """
    spread = row.get("variance", row.get("sumsq", ""))
    if not spread or not row["n"] or spread.lower() in ("nan", "na", "null"):
        return None
    n = round(_number(number, "n", row["n"]))
    if n < 2:
        return None
    mean = _number(number, "mean", row["mean"]) if "mean" in row else _number(number, "sum", row["sum"]) / n
    value = _number(number, "variance or sumsq", spread)
    comoment = value * (n - 1) if "variance" in row else value - n * mean * mean
    if comoment < -1e-9 * abs(value):
        raise RefusalError(
            f"row {number}: a variance below 0 ({comoment / (n - 1):.3g}); variance= is a unit's, sumsq= the sum"
        )
    return Moments(n=n, mean=np.array([mean]), comoment=np.array([[max(0.0, comoment)]]))


def _number(number: int, role: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RefusalError(f"row {number}: {role} is {text!r}, which is no number")
    return value


def _treatments(
    request: SummaryRequest, key: _Key, by_variant: dict[str, _Dates]
) -> Iterator[tuple[str, list[tuple[str, Moments, Moments]]]]:
    if request.control not in by_variant:
        where = f" of {' '.join(part for part in key if part)}" if any(key) else ""
        known = shortened(sorted(by_variant))
        raise RefusalError(f"--control: no row{where} has the variant {request.control!r}; it holds {known}")
    for variant in sorted(set(by_variant) - {request.control}):
        yield variant, _paired(request, by_variant[request.control], by_variant[variant])


def _beside(
    request: SummaryRequest, by_variant: dict[str, _Dates]
) -> Iterator[tuple[str, list[tuple[str, Moments, Moments]]]]:
    for variant in sorted(name for name in by_variant if _BESIDE + name in by_variant):
        yield variant, _paired(request, by_variant[_BESIDE + variant], by_variant[variant])


def _paired(request: SummaryRequest, control: _Dates, treatment: _Dates) -> list[tuple[str, Moments, Moments]]:
    both = sorted(set(control) & set(treatment), key=_when)
    arms = [_running([one[date] for date in both], request) for one in (control, treatment)]
    return list(zip(both, *arms, strict=True))


def _running(parts: list[Moments], request: SummaryRequest) -> list[Moments]:
    """Return the moments of all units so far at each date."""
    if request.cumulative:
        return parts
    found: list[Moments] = []
    for part in parts:
        found.append(found[-1] + part if found else part)
    return found


def _when(date: str) -> tuple[int, float, str]:
    try:
        return 0, float(date), ""
    except ValueError:
        return 1, 0.0, date


def _series(
    request: SummaryRequest, key: _Key, variant: str, dates: list[tuple[str, Moments, Moments]], skipped: int
) -> Series:
    found = []
    for date, control, treatment in dates:
        once = compare(Form.MEAN, control, treatment, request.alpha)
        found.append(_look(date, once, always_valid(once, 0.0, request.looks), control.n, treatment.n))
    peeks = [one.date for one in found if one.p_value is not None and one.p_value < request.alpha]
    calls = [
        one.date for one in found if one.always_valid_p_value is not None and one.always_valid_p_value < request.alpha
    ]
    last = found[-1].p_value if found else None
    return Series(
        experiment=key[0],
        metric=key[1],
        variant=variant,
        control=request.control or "control",
        peeked=bool(peeks),
        first_peek=peeks[0] if peeks else None,
        sequential=bool(calls),
        first_sequential=calls[0] if calls else None,
        at_the_end=last is not None and last < request.alpha,
        looks=found,
        skipped=skipped,
    )


def _look(date: str, once: ComparisonNumbers, often: ComparisonNumbers, control_n: int, n: int) -> Look:
    one = once.difference if isinstance(once.difference, Difference) else None
    many = often.difference if isinstance(often.difference, Difference) else None
    return Look(
        date=date,
        n=n,
        control_n=control_n,
        difference=one.value if one else None,
        p_value=one.p_value if one else None,
        difference_interval=one.interval if one else None,
        always_valid_p_value=many.p_value if many else None,
        always_valid_interval=many.interval if many else None,
    )


def to_json(found: Summary) -> str:
    """Write the summary as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()

"""What the server says, as tables for a terminal."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Return an empty table with these columns."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    numbers = set(right)
    for column in columns:
        is_number = column in numbers
        made.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    return made


def _add(to: Table, *cells: object) -> None:
    to.add_row(*(Text("–" if cell is None or cell == "" else str(cell)) for cell in cells))


add = _add


def experiments(rows: Iterable[Row]) -> Table:
    """Return experiments, one a line."""
    made = table("key", "status", "unit", "verdict")
    for row in rows:
        _add(made, row["key"], row["status"], row["unit_type"], (row["verdict"] or {}).get("headline"))
    return made


def flags(rows: Iterable[Row]) -> Table:
    """Return flags, one a line."""
    made = table("key", "type", "default", "on in", "rules", right=["rules"])
    for row in rows:
        on = ", ".join(name for name, enabled in row["environments"].items() if enabled)
        _add(made, row["key"], row["value_type"], json.dumps(row["default_value"]), on, len(row["rules"]))
    return made


def metrics(rows: Iterable[Row]) -> Table:
    """Return metrics, one a line."""
    made = table("key", "kind", "event", "good is", "name")
    for row in rows:
        _add(made, row["key"], row["kind"], row["event"], row["direction"], row["name"])
    return made


def some(rows: Iterable[Row], columns: Sequence[str]) -> Table:
    """Return rows with these of their fields; numbers stand to the right."""
    kept = list(rows)
    right = [name for name in columns if kept and all(_is_number(row[name]) for row in kept)]
    made = table(*(name.replace("_", " ") for name in columns), right=[name.replace("_", " ") for name in right])
    for row in kept:
        _add(made, *(_short(row[name]) for name in columns))
    return made


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _short(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str | int | float | None) else _plain(value)


def one(found: Row) -> Table:
    """Return every field of one thing, one a line."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in found.items():
        if name != "links":
            _add(made, name.replace("_", " "), value if isinstance(value, str) else _plain(value))
    return made


def _plain(value: Any) -> str | None:
    return None if value is None or value == [] or value == {} else json.dumps(value, ensure_ascii=False)


def results(found: Row) -> RenderableType:
    """Return the verdict, its reasons and each comparison."""
    verdict = found["verdict"]
    lines = [Text(verdict["headline"], style="bold"), Text(verdict["explanation"])]
    if found.get("looks"):
        lines.append(Text(found["looks"]["sentence"]))
    checks = [check for check in found["health"]["checks"] if check["ok"] is False]
    lines += [Text(f"! {check['name']}: {check['summary']} {check['what_to_do']}".rstrip()) for check in checks]
    made = table("metric", "role", "variant", "lift", "interval", "p-value", "reading",
                 right=["lift", "interval", "p-value"])  # fmt: skip
    for metric in found["metrics"]:
        for compared in metric["comparisons"]:
            _add(
                made,
                metric["name"],
                metric["role"],
                compared["variant"],
                percent(compared["lift"]),
                interval(compared["lift_interval"]),
                p_value(compared.get("adjusted_p_value"), compared["p_value"]),
                compared["reading"],
            )
    return Group(*lines, Text(""), made, Text(""), Text(_next(verdict, found)))


def _next(verdict: Row, found: Row) -> str:
    return f"{verdict['next_step']} Data up to {moment(found['data_up_to'])}."


def moment(at: str | None) -> str:
    """Return a moment as people write it, to the minute."""
    if at is None:
        return "nothing yet"
    told = datetime.fromisoformat(at).astimezone(UTC)
    return f"{told.day} {told:%b %Y, %H:%M} UTC"


def percent(share: float | None) -> str | None:
    """Return a change as people read it, with its sign."""
    return None if share is None else f"{share * 100:+.2f}%".replace("-", "−")


def interval(ends: Iterable[float | None] | None) -> str | None:
    """Return both ends of an interval; an open one is unbounded."""
    return None if ends is None else " to ".join(percent(end) or "unbounded" for end in ends)


def p_value(adjusted: float | None, plain: float | None) -> str | None:
    """Return the p-value that counts, short."""
    value = plain if adjusted is None else adjusted
    if value is None:
        return None
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"

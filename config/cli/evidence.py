"""What all experiments say together, on a terminal."""

import argparse
import math
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from config.cli import tables
from config.cli.client import ApiClient
from config.cli.commands import printed

Row = dict[str, Any]


def proxies(client: ApiClient, asked: argparse.Namespace, console: Console) -> None:
    """Print which proxies can be trusted."""
    found = client.get(
        "/evidence", business=asked.business, proxy=asked.proxy, family=asked.family, period=asked.period
    )
    printed(console, asked, found, lambda: _proxies(found))


def north_star(client: ApiClient, asked: argparse.Namespace, console: Console) -> None:
    """Print what moved the north star."""
    found = client.get("/evidence/north-star", quarter=asked.quarter)
    printed(console, asked, found, lambda: _north_star(found))


def interactions(client: ApiClient, asked: argparse.Namespace, console: Console) -> None:
    """Print which experiments disturb each other."""
    found = client.get("/evidence/interactions")
    printed(console, asked, found, lambda: _listed(found, found["pairs"], ("first", "second")))


def holdbacks(client: ApiClient, asked: argparse.Namespace, console: Console) -> None:
    """Print whether shipped lifts last."""
    found = client.get("/evidence/holdbacks")
    printed(console, asked, found, lambda: _listed(found, found["holdbacks"], ("parent", "state")))


def _head(found: Row) -> list[RenderableType]:
    lines: list[RenderableType] = [Text(found["headline"], style="bold")]
    if found.get("explanation"):
        lines.append(Text(found["explanation"]))
    return lines


def _proxies(found: Row) -> RenderableType:
    made = tables.table("metric", "reading", "+1% has meant", "interval", "naive", "experiments",
                        right=["+1% has meant", "naive", "experiments"])  # fmt: skip
    for one in found["findings"]:
        told = one["trust"] != "Not identified yet"
        corrected = one["corrected"] if told else {"value": None, "interval": None}
        tables.add(
            made, one["name"], one["trust"], _slope(corrected["value"]), _span(corrected["interval"]),
            _slope(one["naive"]["value"] if told else None), one["experiments"],
        )  # fmt: skip
    notes = [Text(f"! {text}") for text in found["warnings"]]
    missing = [
        Text(one["sentence"]) for one in found["findings"] if one["trust"] == "Not identified yet" and one["sentence"]
    ]
    return Group(*_head(found), *notes, Text(""), made, *missing)


def _north_star(found: Row) -> RenderableType:
    made = tables.table("launch", "measured", "believed", "adds to the holdout",
                        right=["measured", "believed", "adds to the holdout"])  # fmt: skip
    for one in found["launches"]:
        tables.add(made, one["name"], _log(one["raw"]), _log(one["believed"]), _log(one["contribution"]))
    return Group(*_head(found), *(Text(f"! {text}") for text in found["notes"]), Text(""), made)


def _listed(found: Row, rows: Iterable[Row], names: tuple[str, str]) -> RenderableType:
    made = tables.table(*names, "says")
    for one in rows:
        tables.add(made, one[names[0]], one[names[1]], one["sentence"])
    return Group(*_head(found), Text(""), made)


def _slope(value: float | None) -> str | None:
    return None if value is None else f"{value:+.2f}%".replace("-", "−")


def _span(ends: list[float | None] | None) -> str | None:
    return None if ends is None else " to ".join(_slope(end) or "unbounded" for end in ends)


def _log(value: float | None) -> str | None:
    """Return a log lift as a relative change."""
    return tables.percent(None if value is None else math.expm1(value))

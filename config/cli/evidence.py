"""What all experiments say together, on a terminal."""

import math
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from config.cli import tables
from config.cli.asking import changes, shows
from config.cli.declaring import Asked, command, why

Row = dict[str, Any]
PERIODS = ("all", "year", "half", "quarter")


def declare(words: Any) -> None:
    """Declare ``evidence``, ``north-star``, ``choose-north-star``, ``interactions`` and ``holdbacks``."""
    run = shows("/evidence", lambda found, _: _proxies(found), by=("business", "proxy", "family", "period"))
    asked = command(words, "evidence", run, "say which proxies can be trusted, over all experiments")
    asked.add_argument("--business", metavar="METRIC", help="the business metric; the north star when left out")
    asked.add_argument("--proxy", metavar="METRIC", help="the proxy to look at closely")
    asked.add_argument("--family", metavar="MODEL", help="experiments of one model alone")
    asked.add_argument("--period", choices=PERIODS, help="experiments of this time alone")
    moving = shows("/evidence/north-star", lambda found, _: _north_star(found), by=("quarter",))
    moved = command(words, "north-star", moving, "say what moved the north star")
    moved.add_argument("--quarter", metavar="YYYY-Qn", help="the present one when left out")
    chosen = changes("PUT", "/north-star", _chosen, ["metric", "why"])
    why(command(words, "choose-north-star", chosen, "choose the metric that the business goes by", "METRIC"))
    disturbing = shows("/evidence/interactions", lambda found, _: _listed(found, "pairs", ("first", "second")))
    command(words, "interactions", disturbing, "say which experiments disturb each other")
    lasting = shows("/evidence/holdbacks", lambda found, _: _listed(found, "holdbacks", ("parent", "state")))
    command(words, "holdbacks", lasting, "say whether shipped lifts last")


def _chosen(made: Row, _: Asked) -> str:
    return f"The business goes by {made['metric']}."


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


def _listed(found: Row, rows: str, names: tuple[str, str]) -> RenderableType:
    made = tables.table(*names, "says")
    for one in found[rows]:
        tables.add(made, one[names[0]], one[names[1]], one["sentence"])
    return Group(*_head(found), Text(""), made)


def _slope(value: float | None) -> str | None:
    return None if value is None else f"{value:+.2f}%".replace("-", "−")


def _span(ends: list[float | None] | None) -> str | None:
    return None if ends is None else " to ".join(_slope(end) or "unbounded" for end in ends)


def _log(value: float | None) -> str | None:
    """Return a log lift as a relative change."""
    return tables.percent(None if value is None else math.expm1(value))

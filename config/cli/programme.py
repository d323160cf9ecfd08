"""All experiments together: the programme's numbers, conflicts, what was learned, and the audit."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from config.cli import tables
from config.cli.asking import lists, shows
from config.cli.declaring import Asked, command, number
from config.cli.steps import DECISIONS, decision


def declare(words: Any) -> None:
    """Declare ``programme``, ``conflicts``, ``library`` and ``audit``."""
    counted = command(words, "programme", shows("/programme", _numbers, by=("days",)), "say how experiments go")
    counted.add_argument("--days", type=number, help="how far back")
    conflicts = shows("/conflicts", _conflicts)
    command(words, "conflicts", conflicts, "say which running experiments may disturb each other")
    looked = shows("/library", _lessons, by=("search", "tag", "metric", "decision"))
    library = command(words, "library", looked, "search what was learned")
    library.add_argument("--search", help="words of the plan, the finding or the conclusion")
    library.add_argument("--tag")
    library.add_argument("--metric", metavar="KEY")
    library.add_argument("--decision", type=decision, help=", ".join(DECISIONS))
    trail = lists("/audit", "audit", "at", "user", "action", "subject", "why", by=("subject", "action"))
    audit = command(words, "audit", trail, "print who changed what, newest first")
    audit.add_argument("--subject", help="as flag:checkout or experiment:search")
    audit.add_argument("--action", help="as flag.on")


def _numbers(found: Any, _: Asked) -> RenderableType:
    lines = [
        f"{found['ended']} experiments ended in {found['days']} days, {found['ended_per_week']:.1f} a week.",
        f"Wins: {_share(found['win_rate'])}",
    ]
    lines += [f"{one['name']}: {_share(one['share'])}" for one in found["quality"]]
    impact = found["impact"]
    told = impact["reason"] or f"{tables.percent(impact['believed'])} believed, of {tables.percent(impact['claimed'])}"
    return Group(*map(Text, [*lines, f"Impact on {impact['metric'] or 'no metric'}: {told}"]))


def _share(share: Any) -> str:
    if share["value"] is None:
        return str(share["reason"])
    low, high = share["interval"]
    return f"{share['count']} of {share['of']}, {share['value']:.0%} ({low:.0%} to {high:.0%})"


def _conflicts(found: Any, _: Asked) -> RenderableType:
    rows = found["conflicts"]
    if not rows:
        return f"None among the {found['compared']} experiments compared."
    return tables.some(rows, ("experiments", "severity", "what", "advice"))


def _lessons(found: Any, _: Asked) -> RenderableType:
    rows = found["lessons"]
    return tables.some(rows, ("experiment", "decision", "headline", "learned")) if rows else "Nothing was found."

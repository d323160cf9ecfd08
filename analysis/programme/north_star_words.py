"""The north star's reading in sentences."""

import msgspec

from analysis.decisions.wording import inside
from analysis.programme import wording
from analysis.programme.schema import NorthStar
from analysis.results.schema import Interval
from experiments.models import Project
from experiments.pages.formats import bounds, lift

WORTH_SAYING = 5e-4
"""Log points of luck below which nobody need hear of it."""


def without_metric(project: Project, quarter: str, quarters: list[str]) -> NorthStar:
    """Return the reading of a project that has not said what it goes by."""
    return NorthStar(
        metric=None,
        name="",
        display_unit="number",
        currency=project.currency,
        quarter=quarter,
        quarters=quarters,
        headline="Choose the metric that the business goes by.",
        explanation="Then this page says what each launch brought it, and whether that adds up.",
        tone="flat",
        launches=[],
        together=None,
        together_interval=None,
        claimed=None,
        yearly=None,
        yearly_interval=None,
        comparisons=0,
        lee_shen=None,
        holdout=None,
        bars=[],
        unexplained=None,
        unexplained_interval=None,
        notes=[],
    )


def told(found: NorthStar, sign: float) -> NorthStar:
    """Return the reading with its answer in words."""
    headline, tone = _headline(found, sign)
    return msgspec.structs.replace(found, headline=headline, tone=tone, explanation=_explanation(found))


def as_lift(value: float | None) -> str:
    """Write a log lift as a relative change."""
    interval = None if value is None else wording.as_lifts((value, value))
    return lift(interval[0] if interval else None, 2)


def span(interval: Interval | None) -> str:
    """Write an interval of log lifts as relative changes."""
    return bounds(wording.as_lifts(interval), 2)


def _headline(found: NorthStar, sign: float) -> tuple[str, str]:
    name, quarter = inside(found.name), found.quarter.replace("-", " ")
    if found.together is None or found.together_interval is None:
        return f"Nothing was launched in {quarter} whose effect on {name} is known.", "flat"
    count = sum(one.believed is not None for one in found.launches)
    what = "One launch" if count == 1 else f"{count} launches"
    low, high = found.together_interval
    amount = f"{as_lift(found.together)}{'' if count == 1 else ' together'} ({span((low, high))})"
    if low is not None and high is not None and low <= 0 <= high:
        return f"{what} in {quarter} did not clearly move {name}: {amount}.", "flat"
    tone = "bad" if found.together * sign <= 0 else "warn" if _faded(found) else "good"
    return f"{what} in {quarter} moved {name} by {amount}.", tone


def _faded(found: NorthStar) -> list[str]:
    """Say which launches no longer bring what they brought: their holdbacks know."""
    gone = [one.name for one in found.launches if one.faded]
    if not gone:
        return []
    if len(gone) == 1:
        return [f"The lift of {gone[0]} has gone since, says its holdback: it counts as measured at the launch."]
    return [f"The lifts of {len(gone)} of them have gone since, say their holdbacks: they count as measured then."]


def _explanation(found: NorthStar) -> str:
    return " ".join([*_luck(found), *_faded(found), *_against_holdout(found)])


def _luck(found: NorthStar) -> list[str]:
    if found.claimed is None or found.together is None or abs(found.claimed - found.together) < WORTH_SAYING:
        return []
    return [
        f"Their results added up to {as_lift(found.claimed)}; what was chosen for looking good was partly lucky, and "
        f"without that {as_lift(found.together)} is left."
    ]


def _against_holdout(found: NorthStar) -> list[str]:
    held, left = found.holdout, found.unexplained_interval
    if held is None or left is None or left[0] is None or left[1] is None:
        return []
    why = "no more than chance."
    if not left[0] <= 0 <= left[1]:
        why = (
            "more than chance. Look for lifts that faded, launches that disturb each other, or changes that were never "
            "tested."
        )
    return [
        f"{held.name} measured {as_lift(held.lift)} ({span(held.interval)}) of everything together.",
        f"{as_lift(found.unexplained)} ({span(left)}) of that is not explained by experiments: {why}",
    ]

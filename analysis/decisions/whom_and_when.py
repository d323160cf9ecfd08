"""For whom an effect is there, and whether it lasts: what the metrics' details say where a gain went no further."""

from collections.abc import Iterator, Mapping

from analysis.decisions import wording
from analysis.decisions.evidence import Judged
from analysis.decisions.way import Way
from analysis.details.schema import Breakdown, Detail, Level, Wearing
from analysis.results.chain import LookAt
from analysis.results.schema import Reading
from analysis.stats.novelty import Trend
from experiments.domain.metrics import Direction

ALPHA = 0.05
"""Risk of a false word about wearing off, over all metrics that gained; breakdowns bring their own correction."""


def segments(at: Way, details: Mapping[str, Detail]) -> Iterator[LookAt]:
    """Name the clearest property by which the effect differs: of the business metric, else of the proxy."""
    for one in _asked(at, details):
        own = [b for b in details[one.plan.key].breakdowns if b.variant == at.evidence.variant.key and b.differs]
        for broken in sorted(own, key=lambda b: b.adjusted_p_value or 0.0):
            told = [level for level in broken.levels if level.lift is not None and level.interval is not None]
            if len(told) >= 2:
                yield _segment(one, broken, told)
                return


def _segment(one: Judged, broken: Breakdown, told: list[Level]) -> LookAt:
    up = one.plan.direction is Direction.INCREASE
    ranked = sorted(told, key=lambda level: (level.lift or 0.0) * (1 if up else -1))
    worst, best = ranked[0], ranked[-1]
    tested = f"{broken.tested} breakdown{'' if broken.tested == 1 else 's'}"
    sure = f"{wording.p_value(broken.adjusted_p_value or 0.0)}, allowing for {tested}"
    return LookAt(
        key="segment",
        title="It suits some and not others",
        finding=f"The effect on {wording.inside(one.plan.name)} differs by {broken.name} ({sure}): {_level(best)}, "
        f"{_level(worst)}.",
        what_to_do=f"The model may be right for “{best.level}” and wrong for “{worst.level}”. Try it on those whom it "
        "suits, in an experiment of their own, before it goes to all.",
    )


def _level(level: Level) -> str:
    low, high = level.interval or (None, None)
    ends = " to ".join("no bound" if end is None else wording.signed_percent(end) for end in (low, high))
    return f"{wording.signed_percent(level.lift or 0.0)} for “{level.level}” ({ends})"


def wearing_off(at: Way, details: Mapping[str, Detail]) -> Iterator[LookAt]:
    """Say that a gain wears off as people get used to it: the proxy's, else the business metric's.

    Only what is better has a gain to lose: a loss that shrinks, and noise around nothing, are no novelty.
    """
    better = [one for one in _asked(at, details) if one.reading is Reading.BETTER]
    for one in reversed(better):
        for course in details[one.plan.key].wearing:
            mine = course.variant == at.evidence.variant.key and course.trend == Trend.NOVELTY
            if mine and course.slope_p_value is not None and course.slope_p_value < ALPHA / len(better):
                yield _novelty(one, course, at)
                return


def _novelty(one: Judged, course: Wearing, at: Way) -> LookAt:
    first, last = course.points[0], course.points[-1]
    early, late = (
        wording.signed_amount(point.difference, one.plan.display_unit, at.currency) for point in (first, last)
    )
    return LookAt(
        key="novelty",
        title="The gain wears off",
        finding=f"The effect on {wording.inside(one.plan.name)}, on the same {at.unit_type}s: {early} on the day of "
        f"their exposure and {late} on day {last.day} after it ({wording.p_value(course.slope_p_value or 0.0)}).",
        what_to_do="Part of the gain is curiosity. Judge by the later days, and let the next experiment run longer.",
    )


def _asked(at: Way, details: Mapping[str, Detail]) -> list[Judged]:
    """Return the business metric and the proxy, those whose details are known."""
    return [one for one in (at.business, at.proxy) if one is not None and one.plan.key in details]

"""Did the model's gain reach the business, or did it stop at clicks?"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from analysis.decisions.evidence import Evidence, Judged
from analysis.decisions.inputs import MetricPlan
from analysis.results.schema import Reading
from analysis.stats.mover import Located, difference
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole, StandsFor

_PROXY = re.compile(
    r"\b(?:(?P<clicks>clicks?|clicked|ctr|taps?|tapped)|(?P<views>views?|viewed|impressions?|plays?|dwell|scrolls?)|"
    r"(?P<opens>opens?|opened)|(?P<engagement>engagement|engaged|likes?|shares?|ratings?)|"
    r"(?P<carts>carts?|baskets?|wishlists?|product added))\b",
    re.IGNORECASE,
)
_BUSINESS = re.compile(
    r"\b(?:revenue|sales?|purchas(?:e|es|ed|ers?)|orders?|bought|buyers?|conversions?|paid|payments?|subscri(?:be|bed|bers?|ptions?)|"
    r"gmv|profit|margin|bookings?|booked|checkouts?|retention|renewals?|spend)\b",
    re.IGNORECASE,
)


_PER_UNIT = (MetricKind.PROPORTION, MetricKind.COUNT, MetricKind.SUM)
_FORMED_OF_EVENTS = (MetricKind.PROPORTION, MetricKind.COUNT, MetricKind.RATIO)


class Ending(StrEnum):
    """How the story of a proxy's gain ends."""

    REACHED = "reached the business"
    STOPPED = "stopped at the proxy"
    UNCERTAIN = "not clear whether it went on"
    REVERSED = "the business lost"
    UNMEASURED = "no business metric in the plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A proxy metric's gain and what became of it.

    ``business`` holds the metrics that the ending is about; ``stage`` is the word for where a gain can stop ("clicks").
    """

    ending: Ending
    proxy: Judged
    business: tuple[Judged, ...]
    stage: str


def is_business(plan: MetricPlan) -> bool:
    """Say whether the metric is what the business lives on: as declared, else money or a purchase by its words."""
    if plan.stands_for is not None:
        return plan.stands_for is StandsFor.BUSINESS
    return plan.display_unit is DisplayUnit.CURRENCY or bool(_BUSINESS.search(_words(plan)))


def is_proxy(plan: MetricPlan) -> bool:
    """Say whether the metric only stands in for the business: as declared, else by its name, key and event."""
    if plan.stands_for is not None:
        return plan.stands_for is StandsFor.PROXY
    return not is_business(plan) and bool(_PROXY.search(_words(plan)))


def stage(plan: MetricPlan) -> str:
    """Return the word for the stage of the funnel that a proxy metric measures."""
    found = _PROXY.search(_words(plan))
    return str(found.lastgroup) if found else plan.name.lower()


def tell(evidence: Evidence) -> Story | None:
    """Return the story of a proxy's gain, or None where no proxy gained."""
    gained = [one for one in proxies(evidence) if one.reading is Reading.BETTER]
    if not gained:
        return None
    ending, about = _ending(gained[0], evidence)
    return Story(ending=ending, proxy=gained[0], business=tuple(about), stage=stage(gained[0].plan))


def proxies(evidence: Evidence) -> list[Judged]:
    """Return the metrics that stand in for the business, declared ones first."""
    found = [one for one in evidence.judged if is_proxy(one.plan) and one.plan.role is not MetricRole.GUARDRAIL]
    return sorted(found, key=lambda one: one.plan.stands_for is None)


def north_stars(evidence: Evidence) -> list[Judged]:
    """Return the business metrics that a gain must reach.

    As declared; else the primaries that are no proxies, which share the risk; else one secondary metric, money a unit
    before purchases: the best of several would be best by luck.
    """
    judged = [one for one in evidence.judged if one.plan.role is not MetricRole.GUARDRAIL]
    if declared := [one for one in judged if one.plan.stands_for is StandsFor.BUSINESS]:
        return sorted(declared, key=lambda one: one.plan.role is not MetricRole.PRIMARY)
    if primaries := [one for one in evidence.primaries if not is_proxy(one.plan)]:
        return sorted(primaries, key=lambda one: not is_business(one.plan))
    return sorted(_secondary_business(evidence), key=lambda one: one.plan.kind is not MetricKind.SUM)[:1]


def _secondary_business(evidence: Evidence) -> list[Judged]:
    """Return money and purchases a unit. Ratios are left out: purchases per click fall when clicks rise for nothing."""
    secondary = evidence.having(MetricRole.SECONDARY)
    return [one for one in secondary if is_business(one.plan) and one.plan.kind in _PER_UNIT]


def harmed(evidence: Evidence) -> list[Judged]:
    """Return every business metric that is worse, the one that a gain must reach or another."""
    business = north_stars(evidence)
    found = [*business, *(one for one in _secondary_business(evidence) if one not in business)]
    return [one for one in found if one.reading is Reading.WORSE]


def _ending(proxy: Judged, evidence: Evidence) -> tuple[Ending, list[Judged]]:
    """Return how it ends and the metrics that say so."""
    business = north_stars(evidence)
    if not business:
        return Ending.UNMEASURED, []
    if worse := harmed(evidence):
        return Ending.REVERSED, worse
    if better := [one for one in business if one.reading is Reading.BETTER]:
        return Ending.REACHED, better
    promised = gain(proxy)
    left_behind = [one for one in business if promised is not None and falls_short(one, promised)]
    return (Ending.STOPPED, left_behind) if left_behind else (Ending.UNCERTAIN, business)


def gain(judged: Judged) -> Located | None:
    """Return a metric's gain as a log lift with its interval, in the good direction; None where there is none."""
    found, interval = judged.comparison.lift, judged.comparison.lift_interval
    if found is None or interval is None or found <= -1:
        return None
    low, high = _log(interval[0], -math.inf), _log(interval[1], math.inf)
    if judged.plan.direction is Direction.INCREASE:
        return Located(value=math.log1p(found), low=low, high=high)
    return Located(value=-math.log1p(found), low=-high, high=-low)


def falls_short(judged: Judged, promised: Located) -> bool:
    """Say whether a metric's interval rules out a gain as large as promised.

    "No clear change" alone does not show that a gain stopped: a wide interval may hold a gain as large as the clicks'.
    The promise is an estimate too, so what is tested is the difference between the two.
    """
    if judged.reading not in (Reading.NO_CLEAR_CHANGE, Reading.WORSE):
        return False
    found = gain(judged)
    return found is not None and difference(found, promised).high < 0


def _log(end: float | None, unbounded: float) -> float:
    return unbounded if end is None else math.log1p(end) if end > -1 else -math.inf


def _words(plan: MetricPlan) -> str:
    # The event names what is counted; of a property that is added up (a latency), it is only the occasion.
    event = plan.event if plan.kind in _FORMED_OF_EVENTS else ""
    return " ".join((plan.name, plan.key, event)).replace("-", " ").replace("_", " ")

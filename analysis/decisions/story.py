"""Did the model's gain reach the business, or did it stop at clicks?"""

import re
from dataclasses import dataclass
from enum import StrEnum

from analysis.decisions.evidence import Evidence, Judged
from analysis.decisions.inputs import MetricPlan
from analysis.results.schema import Reading
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole

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
    """Say whether the metric is money or a purchase."""
    return plan.display_unit is DisplayUnit.CURRENCY or bool(_BUSINESS.search(_words(plan)))


def is_proxy(plan: MetricPlan) -> bool:
    """Say whether the metric only stands in for the business: as declared, else by its name, key and event."""
    if plan.proxy is not None:
        return plan.proxy
    return not is_business(plan) and bool(_PROXY.search(_words(plan)))


def stage(plan: MetricPlan) -> str:
    """Return the word for the stage of the funnel that a proxy metric measures."""
    found = _PROXY.search(_words(plan))
    return str(found.lastgroup) if found else plan.name.lower()


def tell(evidence: Evidence) -> Story | None:
    """Return the story of a proxy's gain, or None where no proxy gained.

    The business metrics are the primaries that are no proxies; where there are none, the secondary metrics that are
    money or purchases a unit. Secondary ratios are left out: purchases per click fall when clicks rise for nothing.
    """
    proxies = [one for one in evidence.judged if one.reading is Reading.BETTER and is_proxy(one.plan)]
    proxies = [one for one in proxies if one.plan.role is not MetricRole.GUARDRAIL]
    if not proxies:
        return None
    business = [one for one in evidence.primaries if not is_proxy(one.plan)]
    if not business:
        secondary = evidence.having(MetricRole.SECONDARY)
        business = [one for one in secondary if is_business(one.plan) and one.plan.kind in _PER_UNIT]
    ending, about = _ending(proxies[0], business)
    return Story(ending=ending, proxy=proxies[0], business=tuple(about), stage=stage(proxies[0].plan))


def _ending(proxy: Judged, business: list[Judged]) -> tuple[Ending, list[Judged]]:
    """Return how it ends and the metrics that say so."""
    if not business:
        return Ending.UNMEASURED, []
    for reading, ending in ((Reading.WORSE, Ending.REVERSED), (Reading.BETTER, Ending.REACHED)):
        if about := [one for one in business if one.reading is reading]:
            return ending, about
    left_behind = [one for one in business if _ruled_out(proxy, one)]
    return (Ending.STOPPED, left_behind) if left_behind else (Ending.UNCERTAIN, business)


def _ruled_out(proxy: Judged, business: Judged) -> bool:
    """Say whether the interval rules out a business gain as large as the proxy's.

    "No clear change" alone does not show that a gain stopped: a wide interval may hold a gain as large as the clicks'.
    """
    if business.reading is not Reading.NO_CLEAR_CHANGE:
        return False
    gain, interval = proxy.comparison.lift, business.comparison.lift_interval
    if gain is None or interval is None or interval[0] is None or interval[1] is None:
        return False
    most = interval[1] if business.plan.direction is Direction.INCREASE else -interval[0]
    return most < abs(gain)


def _words(plan: MetricPlan) -> str:
    # The event names what is counted; of a property that is added up (a latency), it is only the occasion.
    event = plan.event if plan.kind in _FORMED_OF_EVENTS else ""
    return " ".join((plan.name, plan.key, event)).replace("-", " ").replace("_", " ")

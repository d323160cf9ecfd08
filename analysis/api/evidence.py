"""What all experiments of a project say together."""

from datetime import datetime
from typing import Annotated

from django.utils import timezone
from msgspec import Meta

from analysis.programme import holdbacks, interactions, north_star, quarters, readings
from analysis.programme.choice import PERIODS, Question, known_metrics
from analysis.programme.schema import Holdbacks, Interactions, NorthStar, Proxies
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.operations import Call, Operation

Word = Annotated[str, Meta(max_length=80)]


class EvidenceQuery(Taken, frozen=True, kw_only=True):
    """Which business metric and proxy (keys), which models and time; left out, whatever fits best.

    ``units``: of the next experiment, for the best mixture. ``gain``: offline gain of the next model.
    """

    business: Word = ""
    proxy: Word = ""
    family: Word = ""
    period: Word = "all"
    units: Annotated[int, Meta(ge=0, le=10**10)] = 0
    gain: Annotated[float, Meta(ge=-(10**6), le=10**6)] = 0.01


class ProxiesAnswer(Proxies, frozen=True, kw_only=True):
    """Which proxies can be trusted, when that was read, and whether newer results wait to be read."""

    made_at: datetime
    stale: bool


def proxies(call: Call) -> ProxiesAnswer:
    """Say which proxies can be trusted for the business metric."""
    query: EvidenceQuery = call.query
    known = known_metrics(call.project)
    for field in ("business", "proxy"):
        key = getattr(query, field)
        if key and key not in known:
            raise bad_value(f"Project {call.project.slug} has no metric {key!r}.", field)
    if query.period not in PERIODS:
        raise bad_value(f"period is {query.period!r}; it is one of {', '.join(PERIODS)}.", "period")
    asked = Question(
        business=query.business, proxy=query.proxy, family=query.family, period=query.period, units=query.units,
        gain=query.gain,
    )  # fmt: skip
    kept = readings.proxies_of(call.project, asked)
    fields = {name: getattr(kept.reading, name) for name in kept.reading.__struct_fields__}
    return ProxiesAnswer(**fields, made_at=kept.made_at, stale=kept.stale)


class NorthStarQuery(Taken, frozen=True, kw_only=True):
    """Which quarter, as 2026-Q4; left out, the present one."""

    quarter: Annotated[str, Meta(max_length=7)] = ""


def moved(call: Call) -> NorthStar:
    """Say what moved the north-star metric in a quarter."""
    query: NorthStarQuery = call.query
    if query.quarter and quarters.bounds(query.quarter) is None:
        raise bad_value(f"quarter is {query.quarter!r}; it looks like 2026-Q4.", "quarter")
    return north_star.read(call.project, query.quarter, timezone.now())


def disturbing(call: Call) -> Interactions:
    """Say which experiments disturb each other."""
    return interactions.read(call.project, timezone.now())


def lasting(call: Call) -> Holdbacks:
    """Say whether shipped lifts last."""
    return holdbacks.read(call.project)


OPERATIONS = [
    Operation(
        method="GET", path="/evidence", summary="Which proxies can be trusted", handle=proxies, query=EvidenceQuery,
        answers=ProxiesAnswer,
    ),
    Operation(
        method="GET", path="/evidence/north-star", summary="What moved the north star", handle=moved,
        query=NorthStarQuery, answers=NorthStar,
    ),
    Operation(
        method="GET", path="/evidence/interactions", summary="Which experiments disturb each other",
        handle=disturbing, answers=Interactions,
    ),
    Operation(
        method="GET", path="/evidence/holdbacks", summary="Whether shipped lifts last", handle=lasting,
        answers=Holdbacks,
    ),
]  # fmt: skip

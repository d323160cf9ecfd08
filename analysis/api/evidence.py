"""What all experiments of a project say together."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from analysis.programme import readings
from analysis.programme.choice import PERIODS, Question, known_metrics
from analysis.programme.schema import Proxies
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


OPERATIONS = [
    Operation(
        method="GET", path="/evidence", summary="Which proxies can be trusted", handle=proxies, query=EvidenceQuery,
        answers=ProxiesAnswer,
    ),
]  # fmt: skip

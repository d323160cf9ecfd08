"""Data quality over the API: what the page of the same name says."""

from datetime import date, datetime

from django.utils import timezone
from msgspec import Struct

from analysis import people
from analysis.alerts import arrivals, arriving, volume
from analysis.stats.volume import Departure, Volume
from experiments.api.operations import Call, Operation


class VolumeAnswer(Struct, frozen=True, kw_only=True):
    """One event's volume in the last whole hour or day; ``not_known`` says why there is nothing to compare with yet."""

    event: str
    begins: datetime
    ends: datetime
    events: int | None
    usual_low: int | None
    usual_high: int | None
    departure: Departure
    rings: bool
    not_known: str | None
    counted_by: list[str]


class StrayAnswer(Struct, frozen=True, kw_only=True):
    """Exposures that no experiment can use."""

    experiment: str
    variant: str
    reason: str
    exposures: int
    newest_at: datetime


class RefusalAnswer(Struct, frozen=True, kw_only=True):
    """Newest refused events of one reason."""

    code: str
    events: int
    example: str


class PunctualityAnswer(Struct, frozen=True, kw_only=True):
    """Of the newest ``events``: how many came over an hour late, and how many bore a wrong clock's time."""

    events: int
    late: int
    corrected: int
    farthest_seconds: float


class IdentitiesAnswer(Struct, frozen=True, kw_only=True):
    """How many ids apps have linked, for how many people these count, and how many several users claim."""

    aliases: int
    people: int
    contested: int


class ArrivedDay(Struct, frozen=True, kw_only=True):
    """Events of one name through one door on one UTC day of arrival.

    ``again`` came once more and were not kept twice; ``late`` by more than an hour; ``corrected`` by a clock that was
    put right, ``farthest_seconds`` at most; ``missing`` without a number in a property that a metric adds up.
    """

    event: str
    door: str
    day: date
    events: int
    again: int
    late: int
    corrected: int
    farthest_seconds: int
    missing: int


class DataQuality(Struct, frozen=True, kw_only=True):
    """Whether production's events arrive as they should. ``refused`` is null while the broker is out of reach."""

    volumes: list[VolumeAnswer]
    stray_exposures: list[StrayAnswer]
    refused: list[RefusalAnswer] | None
    punctuality: PunctualityAnswer
    arrivals: list[ArrivedDay]
    identities: IdentitiesAnswer


def show(call: Call) -> DataQuality:
    """Return how well events arrive."""
    now, known = timezone.now(), people.known(call.project)
    refused, punctual = arrivals.refusals(call.project, now), arrivals.punctuality(call.project, now)
    return DataQuality(
        volumes=[_volume(one) for one in volume.readings(call.project, now)],
        stray_exposures=[
            StrayAnswer(
                experiment=one.experiment, variant=one.variant, reason=one.reason, exposures=one.exposures,
                newest_at=one.newest_at,
            )
            for one in arrivals.strays(call.project, now)
        ],
        refused=None if refused is None else [
            RefusalAnswer(code=one.code, events=one.events, example=one.example) for one in refused
        ],
        punctuality=PunctualityAnswer(
            events=punctual.events, late=punctual.late, corrected=punctual.corrected,
            farthest_seconds=punctual.farthest.total_seconds(),
        ),
        arrivals=[_arrived(way, day, one) for way in arriving.ways(call.project, now) for day, one in way.days],
        identities=IdentitiesAnswer(aliases=known.aliases, people=known.people, contested=known.contested),
    )  # fmt: skip


def _arrived(way: arriving.Way, day: date, one: arriving.Arrived) -> ArrivedDay:
    return ArrivedDay(
        event=way.name,
        door=way.door.name.lower(),
        day=day,
        events=one.events,
        again=one.again,
        late=one.late,
        corrected=one.corrected,
        farthest_seconds=one.farthest,
        missing=one.missing,
    )


def _volume(one: volume.Reading) -> VolumeAnswer:
    known = one.found if isinstance(one.found, Volume) else None
    return VolumeAnswer(
        event=one.name,
        begins=one.begins,
        ends=one.ends,
        events=known.events if known else None,
        usual_low=known.low if known else None,
        usual_high=known.high if known else None,
        departure=one.departure,
        rings=one.rings,
        not_known=None if isinstance(one.found, Volume) else one.found.reason,
        counted_by=list(one.counted_by),
    )


OPERATIONS = [
    Operation(
        method="GET", path="/data-quality", summary="Read how well events arrive", handle=show, answers=DataQuality
    ),
]

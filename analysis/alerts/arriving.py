"""How events arrive, by door, name and day: again, late, from wrong clocks, without their numbers."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from events.models import ArrivalDay, DuplicateDay
from events.row import Door
from experiments.models import Project

DAYS = 7
MOST_ROWS = 100
DOORS = {
    Door.SEGMENT: "Segment",
    Door.SDK: "SDK plugins",
    Door.POSTHOG: "PostHog",
    Door.CLOUDEVENTS: "CloudEvents",
    Door.EVALUATION: "Evaluation",
    Door.IMPORT: "Import",
}
"""What a door is called on pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Events of one name through one door, on one day or over several.

    Attributes:
        events: new ones.
        again: repeated ones, which were not kept twice.
        late, corrected: more than an hour late, and by a clock that was put right.
        farthest: seconds by which the worst clock was off.
        missing: without a number in a property that a metric adds up.
    """

    events: int = 0
    again: int = 0
    late: int = 0
    corrected: int = 0
    farthest: int = 0
    missing: int = 0

    def __add__(self, other: "Arrived") -> "Arrived":
        """Put two days together."""
        return Arrived(
            events=self.events + other.events,
            again=self.again + other.again,
            late=self.late + other.late,
            corrected=self.corrected + other.corrected,
            farthest=max(self.farthest, other.farthest),
            missing=self.missing + other.missing,
        )

    @property
    def again_share(self) -> float:
        """Return the repeated ones as a share of all that came."""
        return self.again / (self.events + self.again) if self.again else 0.0

    @property
    def shares(self) -> tuple[float, float, float]:
        """Return late, corrected and missing as shares of the events kept."""
        of = max(1, self.events)
        return self.late / of, self.corrected / of, self.missing / of


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An event's way in: its name and door, day by day, newest first, and all days together."""

    name: str
    door: Door
    days: tuple[tuple[date, Arrived], ...]
    total: Arrived

    @property
    def door_name(self) -> str:
        """Return the door's name on pages."""
        return DOORS[self.door]


def ways(project: Project, now: datetime) -> list[Way]:
    """Return how each event came in over the last days, the most frequent first."""
    since = (now - timedelta(days=DAYS - 1)).date()
    found: dict[tuple[str, int], dict[date, Arrived]] = defaultdict(dict)
    rows = ArrivalDay.objects.filter(event__project=project, day__gte=since)
    for name, door, day, *numbers in rows.values_list(
        "event__name", "door", "day", "events", "late", "corrected", "farthest", "missing"
    ):
        events, late, corrected, farthest, missing = numbers
        found[name, door][day] = Arrived(
            events=events, late=late, corrected=corrected, farthest=farthest, missing=missing
        )
    again = DuplicateDay.objects.filter(event__project=project, day__gte=since)
    for name, door, day, events in again.values_list("event__name", "door", "day", "events"):
        found[name, door][day] = found[name, door].get(day, Arrived()) + Arrived(again=events)
    made = [
        Way(
            name=name,
            door=Door(door),
            days=tuple(sorted(days.items(), reverse=True)),
            total=sum(days.values(), Arrived()),
        )
        for (name, door), days in found.items()
    ]
    return sorted(made, key=lambda way: (-way.total.events, way.name, way.door))[:MOST_ROWS]

"""Notice that much fewer or many more events of one name arrive than usual at that time of the week.

An hour of many events says something; two in a row of the same departure ring. A name with few events an hour is judged
by its days. What is usual, and how seldom that is wrong: analysis/stats/volume.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Sum

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_alert, raise_alert
from analysis.models import Alert
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable
from analysis.stats.volume import Departure, Volume, volume
from events.catalogue import HOURS_KEPT
from events.intake.fields import EXPOSURE
from events.models import SeenEvent, SeenHour
from experiments.domain.lifecycle import Status
from experiments.models import ExperimentMetric, Metric, MetricVersion, Project
from experiments.models.metric import Defined

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTLES = timedelta(minutes=15)
"""Events arrive late, and are counted some half a minute after that: an hour is judged this long after its end."""
WEEKDAYS = 7
MOST_NAMES = 200
"""The most frequent names that are watched; an app that makes names up must not keep a worker busy."""

PREFIX = "volume/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One event name's volume in the last whole hour or day.

    Attributes:
        name: the event's.
        begins: of the time judged.
        length: an hour or a day.
        found: what came against what is usual, or why that cannot be said yet.
        rings: whether it asks for somebody: a departure that has lasted.
        counted_by: running experiments with a metric of this event, by key.
    """

    name: str
    begins: datetime
    length: timedelta
    found: Volume | NotComputable
    rings: bool
    counted_by: tuple[str, ...]

    @property
    def ends(self) -> datetime:
        """Return when the time judged was over."""
        return self.begins + self.length

    @property
    def departure(self) -> Departure:
        """Return how it lies against what is usual; none where that is not known."""
        return self.found.departure if isinstance(self.found, Volume) else Departure.NONE

    @property
    def when(self) -> str:
        """Say which hour or day it is of, in few words."""
        begins = f"{self.begins.day} {self.begins:%b}"
        return begins if self.length.days else f"{begins} {self.begins:%H:%M}–{self.ends:%H:%M}"

    @property
    def sentence(self) -> str:
        """Say it, for an alert."""
        if isinstance(self.found, NotComputable):
            return f"{self.name}: {self.found.reason}."
        when = (
            f"on {self.begins:%-d %B}" if self.length == DAY else f"between {self.begins:%H:%M} and {self.ends:%H:%M}"
        )
        events = "1 event" if self.found.events == 1 else f"{self.found.events:,} events"
        usual = f"{self.found.low:,} to {self.found.high:,} are usual at this time of the week"
        return f"{self.name}: {events} {when} UTC; {usual}."


def watch(now: datetime) -> int:
    """Look at every project's events. Return how many names ring."""
    recent = SeenEvent.objects.filter(last_at__gte=now - 2 * DAY).values("project")
    return sum(_look(project, now) for project in Project.objects.filter(pk__in=recent))


def readings(project: Project, now: datetime) -> list[Reading]:
    """Return the volume of each name that is watched, what rings first, then departures, then by name."""
    hour = _floor(now - SETTLES, HOUR) - HOUR
    day = _floor(now - SETTLES, DAY) - DAY
    counts, users = _counts(project, now), _counted_by(project)
    found = [_read(name, hours, hour, day, users.get(name, ())) for name, hours in counts.items()]
    return sorted(found, key=lambda one: (not one.rings, one.departure is Departure.NONE, one.name.lower()))


def _look(project: Project, now: datetime) -> int:
    ringing = [one for one in readings(project, now) if one.rings]
    opened = Alert.objects.filter(project=project, kind=AlertKind.DATA_QUALITY, key__startswith=PREFIX, closed_at=None)
    for key in set(opened.values_list("key", flat=True)) - {_key(one) for one in ringing}:
        close_alert(project, AlertKind.DATA_QUALITY, key, because="As many events arrive as usual again.", now=now)
    # Where nothing arrives at all, one alarm has been given: not another for each name.
    if Alert.objects.filter(project=project, kind=AlertKind.DATA_STOPPED, key="events", closed_at=None).exists():
        return 0
    for one in ringing:
        raise_alert(
            project, AlertKind.DATA_QUALITY, _key(one), one.sentence, what_to_do=_what_to_do(one),
            severity=_severity(one), now=now,
        )  # fmt: skip
    return len(ringing)


def _key(one: Reading) -> str:
    return f"{PREFIX}{one.name}"[:200]


def _severity(one: Reading) -> Severity:
    matters = bool(one.counted_by) or one.name == EXPOSURE
    return Severity.WARNING if matters and one.departure is Departure.DROP else Severity.NOTE


def _what_to_do(one: Reading) -> str:
    if one.departure is Departure.DROP:
        first = "See under Events whether any are refused, and whether the app was released or its tracking changed."
    else:
        first = "See under Events who sends them: a campaign, a bot, or an app that sends everything twice."
    if not one.counted_by:
        return first
    named = ", ".join(one.counted_by[:3]) + (f" and {len(one.counted_by) - 3} more" if len(one.counted_by) > 3 else "")
    return f"{first} Results that count it rest on what arrives: {named}."


def _read(name: str, hours: Mapping[int, int], hour: datetime, day: datetime, users: tuple[str, ...]) -> Reading:
    slot = _slot(hour, HOUR)
    last, before = (volume(hours, one) for one in (slot, slot - 1))
    if _is_judged(last):
        lasted = _is_judged(before) and _same(last, before)
        return Reading(name=name, begins=hour, length=HOUR, found=last, rings=lasted, counted_by=users)
    days: dict[int, int] = {}
    for one, count in hours.items():
        days[one // 24] = days.get(one // 24, 0) + count
    # The first day is there in part alone: what is usual must not come from it.
    days.pop(min(days, default=0), None)
    found = volume(days, _slot(day, DAY), period=WEEKDAYS)
    rings = isinstance(found, Volume) and found.departure is not Departure.NONE
    return Reading(name=name, begins=day, length=DAY, found=found, rings=rings, counted_by=users)


def _is_judged(found: Volume | NotComputable) -> bool:
    return isinstance(found, Volume) and max(found.events, found.usual) >= DEFAULTS.volume_least


def _same(one: Volume | NotComputable, other: Volume | NotComputable) -> bool:
    both = [each.departure for each in (one, other) if isinstance(each, Volume)]
    return len(both) == 2 and both[0] is both[1] is not Departure.NONE


def _counts(project: Project, now: datetime) -> dict[str, dict[int, int]]:
    """Return events by name and hour, of the names that came most often."""
    rows = SeenHour.objects.filter(event__project=project, hour__gte=now - HOURS_KEPT)
    most = rows.values("event").annotate(all=Sum("events")).order_by("-all", "event")[:MOST_NAMES]
    chosen = [row["event"] for row in most]
    found: dict[str, dict[int, int]] = {}
    for name, hour, events in rows.filter(event__in=chosen).values_list("event__name", "hour", "events"):
        found.setdefault(name, {})[_slot(hour, HOUR)] = events
    return found


def _counted_by(project: Project) -> dict[str, tuple[str, ...]]:
    """Return the keys of the running experiments that count each event; a definition is read once for all of them."""
    running = ExperimentMetric.objects.filter(
        experiment__project=project, experiment__status=Status.RUNNING.value
    ).order_by()
    read = ("event", "denominator_event", "refund_event", "steps")
    metrics = {one.pk: _names(one) for one in Metric.objects.filter(project=project).only(*read)}
    versions = {one.pk: _names(one) for one in MetricVersion.objects.filter(metric__project=project).only(*read)}
    found: dict[str, set[str]] = {}
    for key, metric, version in running.values_list("experiment__key", "metric", "version"):
        for name in versions[version] if version else metrics[metric]:
            found.setdefault(name, set()).add(key)
    return {name: tuple(sorted(keys)) for name, keys in found.items()}


def _names(definition: Defined) -> list[str]:
    steps = [step["event"] for step in definition.steps]
    return [*filter(None, (definition.event, definition.denominator_event, definition.refund_event, *steps))]


def _floor(at: datetime, length: timedelta) -> datetime:
    return datetime.fromtimestamp(_slot(at, length) * length.total_seconds(), UTC)


def _slot(at: datetime, length: timedelta) -> int:
    return int(at.timestamp() // length.total_seconds())

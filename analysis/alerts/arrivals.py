"""How well a project's newest events arrive: late, from wrong clocks, refused, or naming what does not exist."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from analysis.models import StrayExposure
from events.catalogue import LATE, WRONG_CLOCK
from events.partitions import DAYS_BEHIND
from events.stream import arrivals
from experiments.models import Project

NEWEST = 20_000
"""Events that are looked at: the newest of the log, so that the page costs the same for every project."""
STRAYS_SHOWN = timedelta(days=7)

PUNCTUAL = f"""
SELECT count(*),
       count(*) FILTER (WHERE received_at - at > %(late)s),
       count(*) FILTER (WHERE greatest(at - ts, ts - at) > %(wrong)s),
       max(greatest(at - ts, ts - at))
FROM (SELECT * FROM events_log WHERE ts >= %(since)s ORDER BY xid DESC LIMIT {NEWEST}) newest
WHERE project_id = %(project)s AND environment = 0
"""  # noqa: S608  (a constant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Punctuality:
    """Of the newest events: how many there are, came late, and were sent by a clock that was put right.

    ``farthest`` is by how much the worst clock was off.
    """

    events: int
    late: int
    corrected: int
    farthest: timedelta

    @property
    def late_share(self) -> float:
        """Return the share that came late, 0 to 1."""
        return self.late / self.events if self.events else 0.0

    @property
    def corrected_share(self) -> float:
        """Return the share whose clock was wrong, 0 to 1."""
        return self.corrected / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Events refused lately for one reason, with its words as the app got them."""

    code: str
    events: int
    example: str


def punctuality(project: Project, now: datetime) -> Punctuality:
    """Return how punctual production's newest events are."""
    asked: dict[str, Any] = {
        "project": project.pk,
        "late": LATE,
        "wrong": WRONG_CLOCK,
        "since": now - timedelta(days=DAYS_BEHIND),
    }
    with connection.cursor() as cursor:
        cursor.execute(PUNCTUAL, asked)
        events, late, corrected, farthest = cursor.fetchone()
    return Punctuality(events=events, late=late, corrected=corrected, farthest=farthest or timedelta(0))


def refusals(project: Project, now: datetime) -> list[Refusals] | None:
    """Return the newest refused events by reason, most frequent first; None while the broker is out of reach."""
    found = arrivals(project.pk, now)
    if found is None:
        return None
    counts = Counter(one.code for one in found.refused)
    words = {one.code: one.message for one in reversed(found.refused)}
    return [Refusals(code=code, events=events, example=words[code]) for code, events in counts.most_common()]


def strays(project: Project, now: datetime) -> list[StrayExposure]:
    """Return the exposures of the last days that no experiment could use, most frequent first."""
    recent = StrayExposure.objects.filter(project=project, newest_at__gte=now - STRAYS_SHOWN)
    return list(recent.order_by("-exposures", "experiment", "variant")[:50])

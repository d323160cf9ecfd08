"""Notice that no events arrive where they usually do: of a whole project, or exposures of one experiment.

A shop that sleeps at night must not ring every night, so silence is compared with the same hours of the days before:
only where every one of them brought clearly more than chance can take away does silence mean that something stopped.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_alert, raise_alert
from analysis.models import FoldedProject
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project

WINDOWS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""A busy shop's hour says something, a small one's only a day."""
DAYS_BEFORE = 7
LEAST_DAYS = 2
LEAST_EVENTS = 20
"""Arrivals at random with a mean of 20 leave a window empty once in 500 million: e to the power of minus 20."""
LOOK_BACK = timedelta(days=2)
"""An app that sent nothing for so long has been switched off; its silence was told when it began."""
ENOUGH = 10_000
"""Nobody needs to know more exactly how many are usual."""

ARRIVED = """
SELECT count(*) FROM (
    SELECT 1 FROM events_log
    WHERE ts >= %(since)s AND ts < %(until)s AND project_id = %(project)s AND environment = 0
      AND (%(experiment)s::text IS NULL OR experiment = %(experiment)s::text)
    LIMIT %(enough)s
) arrived
"""
HEARD = """
SELECT experiment, max(ts) FROM events_log
WHERE ts >= %(since)s AND project_id = %(project)s AND environment = 0 AND experiment IS NOT NULL
GROUP BY experiment
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """For how long nothing came at least, and the least that came in the same hours of a day before."""

    window: timedelta
    usual: int

    @property
    def words(self) -> str:
        """Say it."""
        hours = round(self.window / timedelta(hours=1))
        same = "hour" if hours == 1 else f"{hours} hours"
        usual = f"{ENOUGH:,} or more" if self.usual >= ENOUGH else f"at least {self.usual:,}"
        return f"for {'an hour' if hours == 1 else same} or more; in the same {same} of the days before {usual} came"


def watch(now: datetime) -> int:
    """Look at each project with a running experiment. Return how many silences there are."""
    running = Q(experiments__status=Status.RUNNING.value)
    projects = Project.objects.filter(running).distinct().select_related("folded")
    return sum(_look(project, now) for project in projects)


def silence_of(project: Project, now: datetime, last: datetime, experiment: str | None = None) -> Silence | None:
    """Return the silence since ``last``, or None where it is none, or no more than usual."""
    for window in WINDOWS:
        if not window <= now - last <= LOOK_BACK:
            continue
        days = [timedelta(days=day) for day in range(1, DAYS_BEFORE + 1)]
        before = [_arrived(project, now - window - day, now - day, experiment) for day in days]
        # Days without anything lie before the first event, or were outages of their own: they say nothing of today.
        usual = [events for events in before if events > 0]
        if len(usual) >= LEAST_DAYS and min(usual) >= LEAST_EVENTS:
            return Silence(window=window, usual=min(usual))
    return None


def _look(project: Project, now: datetime) -> int:
    folded: FoldedProject | None = getattr(project, "folded", None)
    if folded is None:
        return 0
    # What has arrived and is not folded yet has arrived all the same.
    quiet = now - folded.data_up_to >= WINDOWS[0] and not _arrived(project, now - WINDOWS[0], now + LOOK_BACK)
    found = silence_of(project, now, folded.data_up_to) if quiet else None
    if found is not None:
        raise_alert(
            project,
            AlertKind.DATA_STOPPED,
            "events",
            f"No event of {project.name} {found.words}.",
            what_to_do="See under Events what arrived last and what was refused, and whether the app was released.",
            severity=Severity.URGENT,
            now=now,
        )
        return 1
    if not quiet:
        close_alert(project, AlertKind.DATA_STOPPED, "events", because="Events arrive again.", now=now)
        return _look_at_exposures(project, now)
    return 0


def _look_at_exposures(project: Project, now: datetime) -> int:
    heard = _heard(project, now - WINDOWS[1])
    silent = 0
    for experiment in Experiment.objects.filter(project=project, status=Status.RUNNING.value):
        last = heard.get(experiment.key)
        key = f"{experiment.key}/exposures"
        if last is not None and now - last < WINDOWS[0]:
            close_alert(project, AlertKind.DATA_STOPPED, key, because="Exposures arrive again.", now=now)
            continue
        found = silence_of(project, now, last or now - WINDOWS[1], experiment.key)
        if found is not None:
            _ring(project, experiment, key, found, now)
            silent += 1
    return silent


def _ring(project: Project, experiment: Experiment, key: str, found: Silence, now: datetime) -> None:
    raise_alert(
        project,
        AlertKind.DATA_STOPPED,
        key,
        f"No exposure of {experiment.name} {found.words}.",
        what_to_do="Other events arrive. See whether the app still asks for it and sends Experiment Viewed.",
        severity=Severity.WARNING,
        experiment=experiment,
        now=now,
    )


def _arrived(project: Project, since: datetime, until: datetime, experiment: str | None = None) -> int:
    asked: dict[str, Any] = {
        "since": since,
        "until": until,
        "project": project.pk,
        "experiment": experiment,
        "enough": ENOUGH,
    }
    with connection.cursor() as cursor:
        cursor.execute(ARRIVED, {**asked, "experiment": experiment})
        return int(cursor.fetchone()[0])


def _heard(project: Project, since: datetime) -> dict[str, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(HEARD, {"since": since, "project": project.pk})
        return dict(cursor.fetchall())

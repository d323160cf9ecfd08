"""Put stored occurrences into the words of a message."""

from collections.abc import Sequence
from datetime import datetime

from analysis.alerts.kinds import SEVERITY_RANK, Severity
from analysis.mail import links
from analysis.models import Occurrence
from analysis.notices.kinds import ALARMS, OccurrenceKind
from analysis.notices.told import Gathered, Message, Told
from experiments.models import Project


def tell(occurrence: Occurrence) -> Told:
    """Return one occurrence in words."""
    experiment = occurrence.experiment
    url, link = _way(occurrence)
    return Told(
        kind=occurrence.kind,
        title=occurrence.get_kind_display(),
        sentence=occurrence.sentence,
        explanation=occurrence.explanation,
        next_step=occurrence.next_step,
        severity=occurrence.severity,
        tone=occurrence.tone,
        facts=tuple((label, text) for label, text in occurrence.facts),
        url=url,
        link=link,
        project=occurrence.project.name,
        experiment=experiment.name if experiment else "",
        experiment_key=experiment.key if experiment else "",
        happened_at=occurrence.happened_at,
        occurrence=occurrence.pk,
    )


def gather(occurrences: Sequence[Occurrence], why: str) -> Message:
    """Return one occurrence as it is, and several as one message, the most urgent first."""
    ordered = sorted(occurrences, key=_rank)
    if len(ordered) == 1:
        return tell(ordered[0])
    project = ordered[0].project
    return Gathered(
        title=f"{len(ordered)} things happened in {project.name}",
        why=why,
        project=project.name,
        url=links.alerts_url(project) if any(o.kind in ALARMS for o in ordered) else links.project_url(project),
        entries=tuple(tell(one) for one in ordered),
    )


def sample(project: Project, now: datetime) -> Told:
    """Return what a test says."""
    return Told(
        kind="test",
        title="Test",
        sentence="This is a test: messages from Truelift arrive here.",
        explanation="Somebody asked for it on the notifications page. Nothing has happened.",
        next_step="Nothing.",
        tone="good",
        facts=(("Project", project.name),),
        url=links.project_url(project),
        link=f"Open {project.name}",
        project=project.name,
        happened_at=now,
    )


def _way(occurrence: Occurrence) -> tuple[str, str]:
    if occurrence.experiment is None:
        alarm = OccurrenceKind(occurrence.kind) in ALARMS
        return (
            (links.alerts_url(occurrence.project), "Open the alerts")
            if alarm
            else (
                links.project_url(occurrence.project),
                f"Open {occurrence.project.name}",
            )
        )
    occurrence.experiment.project = occurrence.project
    if occurrence.kind == OccurrenceKind.AGREEMENT:
        return f"{links.experiment_url(occurrence.experiment)}#awaited-title", "Agree or disagree"
    if occurrence.kind == OccurrenceKind.STARTED:
        return links.experiment_url(occurrence.experiment), "Open the experiment"
    if occurrence.snapshot_id is not None:
        return links.snapshot_url(occurrence.experiment, occurrence.snapshot_id), "Open this result"
    return links.results_url(occurrence.experiment), "Open the results"


def _rank(occurrence: Occurrence) -> tuple[int, float]:
    return -SEVERITY_RANK[Severity(occurrence.severity)], -occurrence.happened_at.timestamp()

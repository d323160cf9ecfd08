"""Tell those who may agree that somebody wants to decide against the rule."""

from datetime import datetime

from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat

from analysis.alerts.kinds import Severity
from analysis.models import Occurrence
from analysis.notices.kinds import OccurrenceKind
from analysis.notices.occurring import occurred
from experiments import concluding
from experiments.domain.conclusions import ConclusionState
from experiments.models import Conclusion, User

KEY = "conclusion:"


def notice(since: datetime, now: datetime) -> int:
    """Write down each decision that waits for a second person and that nobody was told of. Return how many."""
    key = Concat(Value(KEY), Cast(OuterRef("pk"), CharField()))
    told = Occurrence.objects.filter(kind=OccurrenceKind.AGREEMENT.value, key=key)
    waiting = Conclusion.objects.filter(~Exists(told), state=ConclusionState.REQUESTED.value, decided_at__gt=since)
    found = list(waiting.select_related("experiment__project", "decided_by"))
    for one in found:
        _write(one, now)
    return len(found)


def reviewers(occurrence: Occurrence) -> list[User]:
    """Return who may agree; nobody once the decision has its answer."""
    one = _conclusion(occurrence)
    waits = one is not None and one.state == ConclusionState.REQUESTED
    return concluding.reviewers(occurrence.project, one.decided_by) if one and waits else []


def asked_by(occurrence: Occurrence) -> str:
    """Return the address of who asked, in small letters; nothing where a program did."""
    one = _conclusion(occurrence)
    return one.decided_by.email.lower() if one and one.decided_by else ""


def _conclusion(occurrence: Occurrence) -> Conclusion | None:
    found = Conclusion.objects.select_related("decided_by")
    return found.filter(pk=int(occurrence.key.removeprefix(KEY))).first()


def _write(one: Conclusion, now: datetime) -> None:
    who = str(one.decided_by or "A program")
    occurred(
        one.experiment.project,
        OccurrenceKind.AGREEMENT,
        f"{KEY}{one.pk}",
        f"{who} wants to {one.decision} {one.experiment.name}; the rule says: {one.recommendation}.",
        happened_at=one.decided_at,
        experiment=one.experiment,
        severity=Severity.WARNING,
        tone="warn",
        explanation=f"The reason given: “{one.reason}”",
        next_step="Agree or disagree on the experiment’s page. Until somebody does, nothing is decided.",
        now=now,
    )

"""Conclude an experiment: the decision, what the rule said, why, and what was learned. Against it, it takes two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Func, QuerySet, TextField
from django.utils import timezone

from experiments import audit, lifecycle
from experiments.domain.access import ROLE_RANK, Role
from experiments.domain.conclusions import Choice, ConclusionState, is_against, tags_problem
from experiments.domain.lifecycle import LIVE, Status
from experiments.models import Conclusion, Experiment, Membership, Project, Standing, User
from experiments.refusals import RefusedError

LONGEST_REASON, LONGEST_LEARNED = 2000, 5000


class ConclusionError(RefusedError):
    """An experiment cannot be concluded as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody wants to decide. ``learned`` is for those who come later."""

    choice: Choice
    reason: str
    learned: str
    tags: tuple[str, ...] = ()


def in_force(experiment: Experiment) -> Conclusion | None:
    """Return the decision that holds, or None."""
    return _with_people(experiment).filter(state=ConclusionState.MADE.value).first()


def asked_for(experiment: Experiment) -> Conclusion | None:
    """Return the decision that waits for a second person, or None."""
    return _with_people(experiment).filter(state=ConclusionState.REQUESTED.value).first()


def decision_log(experiment: Experiment) -> list[Conclusion]:
    """Return every decision about the experiment, newest first."""
    return list(_with_people(experiment))


def reviewers(project: Project, besides: User | None) -> list[User]:
    """Return the members who may agree to what ``besides`` decides: editors and admins other than that person."""
    strong = [role.value for role, rank in ROLE_RANK.items() if rank >= ROLE_RANK[Role.EDITOR]]
    members = Membership.objects.filter(project=project, role__in=strong, user__is_active=True).select_related("user")
    return [one.user for one in members.order_by("user__email") if besides is None or one.user_id != besides.pk]


@transaction.atomic
def conclude(
    experiment: Experiment, user: User | None, decision: Decision, *, at: datetime | None = None
) -> Conclusion:
    """Decide. What follows the rule is in force at once; what contradicts it waits for a second person.

    A decision in force to keep the control also stops an experiment that still runs. The same decision sent twice by
    the same person is made once.

    Raises
    ------
    ConclusionError
        When the experiment is a draft, a text is missing, or another decision waits for an answer.
    """
    now = at or timezone.now()
    mine = _locked(experiment)
    _check(mine, decision)
    if (found := sent_before(mine, user, decision)) is not None:
        return found
    if asked_for(mine) is not None:
        raise ConclusionError(f"Another decision about {mine.name} waits for an answer. Take it back first.")
    made = _written(mine, user, decision, now)
    if made.state == ConclusionState.MADE:
        _carry_out(experiment, made, user)
    return made


@transaction.atomic
def approve(conclusion: Conclusion, user: User, words: str = "", *, at: datetime | None = None) -> bool:
    """Agree to a decision against the rule, which is in force from then on; return whether this call did it."""
    mine = _answerable(conclusion, user)
    if mine is None:
        return False
    _replace_former(mine)
    _answer(mine, user, ConclusionState.MADE, words, at)
    _carry_out(mine.experiment, mine, user)
    return True


@transaction.atomic
def decline(conclusion: Conclusion, user: User, words: str, *, at: datetime | None = None) -> bool:
    """Disagree; nothing is decided. Return whether this call did it."""
    if not words.strip():
        raise ConclusionError("Say why you disagree, so that whoever asked can answer.")
    mine = _answerable(conclusion, user)
    if mine is None:
        return False
    _answer(mine, user, ConclusionState.DECLINED, words, at)
    return True


@transaction.atomic
def take_back(conclusion: Conclusion, user: User | None) -> bool:
    """Take one's own request back before anybody has answered; return whether this call did it."""
    mine = (
        Conclusion.objects.select_for_update(of=("self",)).select_related("experiment__project").get(pk=conclusion.pk)
    )
    if mine.state != ConclusionState.REQUESTED:
        return False
    if mine.decided_by_id is not None and (user is None or user.pk != mine.decided_by_id):
        raise ConclusionError(f"Only {mine.decided_by} can take this request back; you can decline it.")
    mine.state = ConclusionState.TAKEN_BACK.value
    mine.save(update_fields=["state"])
    _record(mine, user, "experiment.conclusion-take-back")
    return True


def _with_people(experiment: Experiment) -> "QuerySet[Conclusion]":
    return Conclusion.objects.filter(experiment=experiment).select_related("decided_by", "reviewed_by")


def _locked(experiment: Experiment) -> Experiment:
    return Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)


def _check(experiment: Experiment, decision: Decision) -> None:
    if experiment.status == Status.DRAFT:
        raise ConclusionError(f"{experiment.name} is a draft: nothing is known yet. Start it first.")
    if not decision.reason.strip():
        raise ConclusionError("Say why you decide so; the result alone does not say it.")
    if not decision.learned.strip():
        raise ConclusionError("Say what was learned, for those who come later; “nothing new” is an answer too.")
    for text, most in ((decision.reason, LONGEST_REASON), (decision.learned, LONGEST_LEARNED)):
        if len(text) > most:
            raise ConclusionError(f"A text has {len(text):,} characters; {most:,} are allowed.")
    if problem := tags_problem(list(decision.tags)):
        raise ConclusionError(problem)


def newest(experiment: Experiment) -> Conclusion | None:
    """Return the newest decision that is in force or waits for an answer."""
    standing = [ConclusionState.MADE.value, ConclusionState.REQUESTED.value]
    return _with_people(experiment).filter(state__in=standing).first()


def sent_before(experiment: Experiment, user: User | None, decision: Decision) -> Conclusion | None:
    """Return the newest decision, if it is this one, made by the same person."""
    found = newest(experiment)
    if found is None:
        return None
    kept = (found.decided_by_id, found.decision, found.reason, found.learned, tuple(found.tags))
    sent = (user.pk if user else None, decision.choice, decision.reason, decision.learned, decision.tags)
    return found if kept == sent else None


def _written(experiment: Experiment, user: User | None, decision: Decision, now: datetime) -> Conclusion:
    standing = Standing.objects.filter(experiment=experiment).first()
    said = standing.recommendation if standing else ""
    against = is_against(said, decision.choice)
    waits = against and bool(reviewers(experiment.project, user))
    made = Conclusion(
        experiment=experiment,
        decision=decision.choice.value,
        recommendation=said,
        snapshot=standing.snapshot if standing else None,
        reason=decision.reason.strip(),
        learned=decision.learned.strip(),
        tags=list(decision.tags),
        state=(ConclusionState.REQUESTED if waits else ConclusionState.MADE).value,
        against=against,
        alone=against and not waits,
        decided_by=user,
        decided_at=now,
    )
    if not waits:
        _replace_former(made)
    made.save()
    _record(made, user, "experiment.conclusion-request" if waits else "experiment.conclude")
    return made


def _replace_former(conclusion: Conclusion) -> None:
    former = Conclusion.objects.filter(experiment=conclusion.experiment, state=ConclusionState.MADE.value)
    former.update(state=ConclusionState.REPLACED.value)


def _carry_out(experiment: Experiment, conclusion: Conclusion, user: User | None) -> None:
    """Stop what still runs, where the control stays; shipping is a step of its own, with its holdback and its ramp."""
    if conclusion.decision != Choice.SHIP and experiment.status in LIVE:
        lifecycle.stop(experiment, user, conclusion.reason[: audit.LONGEST_WHY])


def _answerable(conclusion: Conclusion, user: User) -> Conclusion | None:
    mine = (
        Conclusion.objects.select_for_update(of=("self",)).select_related("experiment__project").get(pk=conclusion.pk)
    )
    if mine.state != ConclusionState.REQUESTED:
        return None
    if mine.decided_by_id == user.pk:
        raise ConclusionError("A decision against the rule takes two: somebody else has to agree.")
    return mine


def _answer(mine: Conclusion, user: User, state: ConclusionState, words: str, at: datetime | None) -> None:
    mine.state, mine.reviewed_by, mine.reviewed_at, mine.review = state.value, user, at or timezone.now(), words.strip()
    mine.save(update_fields=["state", "reviewed_by", "reviewed_at", "review"])
    action = "approve" if state is ConclusionState.MADE else "decline"
    _record(mine, user, f"experiment.conclusion-{action}", words)


def _record(conclusion: Conclusion, user: User | None, action: str, why: str = "") -> None:
    after: dict[str, object] = {
        "decision": conclusion.decision,
        "recommendation": conclusion.recommendation,
        "snapshot": conclusion.snapshot,
        "against": conclusion.against,
    }
    experiment = conclusion.experiment
    why = (why or conclusion.reason)[: audit.LONGEST_WHY]
    audit.record(experiment.project, user, action, f"experiment:{experiment.key}", after=after, why=why)


def tags_in_use(project: Project) -> Sequence[str]:
    """Return the tags of the project's conclusions, for suggestions."""
    made = Conclusion.objects.filter(experiment__project=project, state=ConclusionState.MADE.value)
    tag = Func(F("tags"), function="unnest", output_field=TextField())
    return sorted(made.order_by().annotate(tag=tag).values_list("tag", flat=True).distinct())

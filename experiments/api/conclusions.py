"""Decisions about experiments: concluded by the rule at once, against it only with a person who agrees."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct

from experiments import concluding
from experiments.api.fields import Taken
from experiments.api.filing import Tag
from experiments.api.finding import experiment_of
from experiments.api.operations import Call, Operation
from experiments.concluding import LONGEST_LEARNED, LONGEST_REASON, Decision
from experiments.domain.conclusions import MOST_TAGS, Choice, ConclusionState, clean_tags
from experiments.models import Conclusion


class ConclusionAnswer(Struct, frozen=True, kw_only=True):
    """A decision. ``recommendation`` is what the rule said in the result ``snapshot``, null where there was none.

    ``against`` says that they contradict each other: then a person reviews it, or ``alone`` says that nobody could.
    """

    id: int
    decision: Choice
    state: ConclusionState
    recommendation: str | None
    snapshot: int | None
    reason: str
    learned: str
    tags: list[str]
    against: bool
    alone: bool
    decided_by: str | None
    decided_at: datetime
    reviewed_by: str | None
    review: str


class ConclusionList(Struct, frozen=True, kw_only=True):
    """Every decision about an experiment, newest first; the one in force has the state "made"."""

    conclusions: list[ConclusionAnswer]


class NewConclusion(Taken, frozen=True, kw_only=True):
    """A decision with its reason and what was learned."""

    decision: Choice
    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON, pattern=r"\S")]
    learned: Annotated[str, Meta(min_length=1, max_length=LONGEST_LEARNED, pattern=r"\S")]
    tags: Annotated[list[Tag], Meta(max_length=MOST_TAGS)] = []


def _answer(row: Conclusion) -> ConclusionAnswer:
    return ConclusionAnswer(
        id=row.pk,
        decision=Choice(row.decision),
        state=ConclusionState(row.state),
        recommendation=row.recommendation or None,
        snapshot=row.snapshot,
        reason=row.reason,
        learned=row.learned,
        tags=row.tags,
        against=row.against,
        alone=row.alone,
        decided_by=row.decided_by.email if row.decided_by else None,
        decided_at=row.decided_at,
        reviewed_by=row.reviewed_by.email if row.reviewed_by else None,
        review=row.review,
    )


def index(call: Call) -> ConclusionList:
    """List an experiment's decisions."""
    return ConclusionList(conclusions=[_answer(row) for row in concluding.decision_log(experiment_of(call))])


def conclude(call: Call, body: NewConclusion) -> ConclusionAnswer:
    """Decide; against the rule it is asked for, and a person answers on the page."""
    decision = Decision(
        choice=body.decision,
        reason=body.reason.strip(),
        learned=body.learned.strip(),
        tags=tuple(clean_tags(",".join(body.tags))),
    )
    return _answer(concluding.conclude(experiment_of(call), None, decision))


MANY = "/experiments/{key}/conclusions"
OPERATIONS = [
    Operation(method="GET", path=MANY, summary="List decisions", handle=index, answers=ConclusionList),
    Operation(
        method="POST", path=MANY, summary="Conclude", handle=conclude, takes=NewConclusion, answers=ConclusionAnswer,
        status=HTTPStatus.CREATED, current=index,
    ),
]  # fmt: skip

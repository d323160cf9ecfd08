"""All experiments together: programme numbers, conflicts, the library, and saved views."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.models import SavedView
from analysis.overview import saving
from analysis.overview.library import Asked, lessons
from analysis.overview.numbers import USUAL, numbers
from analysis.stats.track_record import Impact, Share
from analysis.stats.unavailable import NotComputable
from experiments import conflicts
from experiments.api.fields import Taken
from experiments.api.finding import experiment_of, missing
from experiments.api.operations import Call, Operation, link
from experiments.conflicts import Conflict, Neighbours
from experiments.domain.conclusions import Choice

MOST_LESSONS = 100


class ShareAnswer(Struct, frozen=True, kw_only=True):
    """``count`` of ``of`` with a 95 % interval; all but the reason are null where there is nothing to count."""

    count: int | None
    of: int | None
    value: float | None
    interval: tuple[float, float] | None
    reason: str = ""


class ImpactAnswer(Struct, frozen=True, kw_only=True):
    """What shipped changes add up to on the primary metric of most experiments, with and without their luck."""

    metric: str
    shipped: int | None
    of: int | None
    claimed: float | None
    believed: float | None
    interval: tuple[float, float] | None
    left_out: int
    reason: str = ""


class QualityAnswer(Struct, frozen=True, kw_only=True):
    """One share that says how well experiments are made."""

    name: str
    meaning: str
    more_is_better: bool
    share: ShareAnswer


class WeekAnswer(Struct, frozen=True, kw_only=True):
    """How many experiments started and ended in the week from ``week``, a Monday."""

    week: date
    started: int
    ended: int


class ProgrammeAnswer(Struct, frozen=True, kw_only=True):
    """The numbers of what ended within ``days``. Lifts and shares are fractions."""

    days: int
    ended: int
    win_rate: ShareAnswer
    decisions: dict[str, int]
    undecided: int
    ended_per_week: float
    cycle_days: float | None
    decision_days: float | None
    quality: list[QualityAnswer]
    impact: ImpactAnswer
    weeks: list[WeekAnswer]


class ProgrammeQuery(Taken, frozen=True, kw_only=True):
    """How far back to look."""

    days: Annotated[int, Meta(ge=1, le=3650)] = USUAL


class ConflictAnswer(Struct, frozen=True, kw_only=True):
    """Two experiments that may disturb each other; ``shared`` is the share of all units in both, at most."""

    experiments: list[str]
    severity: str
    what: list[str]
    shared: float
    advice: str


class ApartAnswer(Struct, frozen=True, kw_only=True):
    """Two experiments with something in common and no unit, and why."""

    experiments: list[str]
    reason: str


class ConflictList(Struct, frozen=True, kw_only=True):
    """The pairs found, the likeliest first, of so many experiments compared."""

    conflicts: list[ConflictAnswer]
    kept_apart: list[ApartAnswer]
    compared: int
    left_out: int


class LessonAnswer(Struct, frozen=True, kw_only=True):
    """A concluded experiment with what was learned."""

    experiment: str
    name: str
    headline: str
    decision: Choice | None
    against_the_rule: bool | None
    reason: str
    learned: str
    tags: list[str]
    decided_at: datetime | None
    links: dict[str, str]


class LessonList(Struct, frozen=True, kw_only=True):
    """Lessons, best matches first where words were searched, else newest first; at most 100."""

    lessons: list[LessonAnswer]
    total: int


class LessonQuery(Taken, frozen=True, kw_only=True):
    """What to look for: words of plan, headline or conclusion; a tag; a metric's key; a decision."""

    search: Annotated[str, Meta(max_length=200)] = ""
    tag: Annotated[str, Meta(max_length=40)] = ""
    metric: Annotated[str, Meta(max_length=60)] = ""
    decision: Choice | None = None


class ViewAnswer(Struct, frozen=True, kw_only=True):
    """A list of experiments that all members see; ``query`` is that of its page's address."""

    id: int
    name: str
    query: str
    owner: str | None


class ViewList(Struct, frozen=True, kw_only=True):
    """The views that are shared in the project."""

    views: list[ViewAnswer]


class NewView(Taken, frozen=True, kw_only=True):
    """A view for all members; the same name again replaces it."""

    name: Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
    query: Annotated[str, Meta(max_length=2000)] = ""


def programme(call: Call) -> ProgrammeAnswer:
    """Return the programme's numbers."""
    found = numbers(call.project, timezone.now(), call.query.days)
    brought = found.impact
    known = brought if isinstance(brought, Impact) else None
    return ProgrammeAnswer(
        days=found.days,
        ended=found.ended,
        win_rate=_share(found.wins),
        decisions=found.decisions,
        undecided=found.undecided,
        ended_per_week=found.per_week,
        cycle_days=found.cycle_days,
        decision_days=found.waiting_days,
        quality=[
            QualityAnswer(
                name=one.name, meaning=one.meaning, more_is_better=one.more_is_better, share=_share(one.share)
            )
            for one in found.quality
        ],
        impact=ImpactAnswer(
            metric=found.metric_name,
            shipped=known.shipped if known else None,
            of=known.of if known else None,
            claimed=known.claimed if known else None,
            believed=known.believed if known else None,
            interval=known.interval if known else None,
            left_out=found.left_out,
            reason="" if isinstance(brought, Impact) else brought.reason,
        ),
        weeks=[WeekAnswer(week=week.day, started=week.started, ended=week.ended) for week in found.weeks],
    )


def _share(found: Share | NotComputable) -> ShareAnswer:
    if isinstance(found, NotComputable):
        return ShareAnswer(count=None, of=None, value=None, interval=None, reason=found.reason)
    return ShareAnswer(count=found.count, of=found.of, value=found.value, interval=found.interval)


def conflicts_of_all(call: Call) -> ConflictList:
    """Return the pairs of running experiments that may disturb each other."""
    return _conflicts(conflicts.of_project(call.project, timezone.now()))


def conflicts_of_one(call: Call) -> ConflictList:
    """Return what one experiment may disturb; it may be a draft."""
    return _conflicts(conflicts.of_experiment(experiment_of(call), timezone.now()))


def _conflicts(found: Neighbours) -> ConflictList:
    return ConflictList(
        conflicts=[_conflict(one) for one in found.conflicts],
        kept_apart=[
            ApartAnswer(experiments=[one.key, other.key], reason=reason) for one, other, reason in found.kept_apart
        ],
        compared=found.compared,
        left_out=found.left_out,
    )


def _conflict(one: Conflict) -> ConflictAnswer:
    return ConflictAnswer(
        experiments=[one.one.key, one.other.key],
        severity=one.severity.value,
        what=list(one.what),
        shared=one.shared,
        advice=one.advice,
    )


def library(call: Call) -> LessonList:
    """Return what concluded experiments taught."""
    query: LessonQuery = call.query
    decision = query.decision.value if query.decision else ""
    asked = Asked(q=query.search, tag=query.tag, metric=query.metric, decision=decision)
    cards, total = lessons(call.project, asked, MOST_LESSONS, timezone.now())
    return LessonList(
        lessons=[
            LessonAnswer(
                experiment=card.row.experiment.key,
                name=card.row.experiment.name,
                headline=card.row.standing.headline if card.row.standing else "",
                decision=Choice(card.conclusion.decision) if card.conclusion else None,
                against_the_rule=card.conclusion.against if card.conclusion else None,
                reason=card.conclusion.reason if card.conclusion else "",
                learned=card.conclusion.learned if card.conclusion else "",
                tags=card.tags,
                decided_at=card.conclusion.decided_at if card.conclusion else None,
                links={"experiment": link("/experiments/{key}", key=card.row.experiment.key)},
            )
            for card in cards
        ],
        total=total,
    )


def views(call: Call) -> ViewList:
    """List the shared views."""
    shared = SavedView.objects.filter(project=call.project, is_shared=True).select_related("owner")
    return ViewList(views=[_view(view) for view in shared])


def save_view(call: Call, body: NewView) -> ViewAnswer:
    """Save a view for all members."""
    wanted = saving.wanted_of(SavedView(query=body.query))
    return _view(saving.save(call.project, None, body.name, wanted, shared=True))


def delete_view(call: Call) -> None:
    """Delete a shared view."""
    view = SavedView.objects.filter(project=call.project, is_shared=True, pk=call.args["id"]).first()
    if view is None:
        raise missing(call.project, "shared view", call.args["id"])
    view.project = call.project
    saving.delete(view, None, may_clear=True)


def _view(view: SavedView) -> ViewAnswer:
    return ViewAnswer(id=view.pk, name=view.name, query=view.query, owner=str(view.owner) if view.owner else None)


OPERATIONS = [
    Operation(
        method="GET", path="/programme", summary="Win rate, velocity, quality and impact", handle=programme,
        query=ProgrammeQuery, answers=ProgrammeAnswer,
    ),
    Operation(
        method="GET", path="/conflicts", summary="Running experiments that may disturb each other",
        handle=conflicts_of_all, answers=ConflictList,
    ),
    Operation(
        method="GET", path="/experiments/{key}/conflicts", summary="What it may disturb", handle=conflicts_of_one,
        answers=ConflictList,
    ),
    Operation(
        method="GET", path="/library", summary="What was learned", handle=library, query=LessonQuery,
        answers=LessonList,
    ),
    Operation(method="GET", path="/views", summary="List shared views", handle=views, answers=ViewList),
    Operation(
        method="POST", path="/views", summary="Save a view for all members", handle=save_view, takes=NewView,
        answers=ViewAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="DELETE", path="/views/{id}", summary="Delete a shared view", handle=delete_view, answers=None,
        status=HTTPStatus.NO_CONTENT,
    ),
]  # fmt: skip

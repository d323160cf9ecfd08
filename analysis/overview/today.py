"""What needs somebody today: alerts, decisions to make or to agree to, and drafts that lie unfinished."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, F, Q
from django.urls import reverse

from analysis.alerts.kinds import SEVERITY_RANK, TITLES, AlertKind, Severity
from analysis.alerts.listing import asking
from analysis.models import Alert
from analysis.overview.finding import (
    Found,
    counted,
    of_known_stages,
    ordered,
    planned_end,
    with_results,
    with_stages,
)
from analysis.overview.rows import Row, plain, unmarked
from analysis.overview.wanted import Sort
from experiments.domain.conclusions import ConclusionState
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.stages import Stage
from experiments.models import Conclusion, Experiment, Project, User
from experiments.staging import staged

SHOWN = 5
"""Of each kind; more than a handful is a list and no to-do."""

MOST_WRONG = 100
MONTH = timedelta(days=30)
_OF_EXPERIMENT = ("experiment__key", "experiment__name")
_WAITING = (Stage.READY, Stage.WRAP_UP)
_LIVE = [status.value for status in LIVE]
_OF_CHECK = {
    "traffic-split": AlertKind.BROKEN_SPLIT,
    "two-variants": AlertKind.BROKEN_SPLIT,
    "exposure-data": AlertKind.DATA_STOPPED,
}
_WORDS = {
    AlertKind.BROKEN_SPLIT: "The variants have other shares of units than designed: its numbers cannot be believed.",
    AlertKind.DATA_STOPPED: "Exposures are missing, or none arrive any more.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to do: about what, why, and where."""

    name: str
    href: str
    sentence: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Things of one kind; ``more`` are not shown, and ``all_href`` leads to all of them."""

    title: str
    tone: str
    action: str
    items: list[Item]
    more: int = 0
    all_href: str = ""
    term: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The few numbers that somebody without time wants."""

    running: int
    to_decide: int
    decided: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Everything on the first page."""

    needs: list[Need]
    totals: Totals
    running: list[Row]
    decided: list[Conclusion]
    any_at_all: bool
    mine: bool
    of_mine: int = 0
    counts: dict[Stage, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The stage of each experiment by its pk, newest first, and which of them the person owns."""

    stages: dict[int, str]
    own: frozenset[int]


def today(project: Project, user: User, now: datetime, *, mine: bool | None, may_review: bool) -> Today:
    """Return what needs somebody; ``mine`` keeps what the person owns, None does so where they own anything."""
    everything = Experiment.objects.filter(project=project, archived_at__isnull=True)
    placed = _placed(everything, user, now)
    only_mine = bool(placed.own) if mine is None else mine
    of_whom = everything.filter(owner=user) if only_mine else everything
    stages = {pk: stage for pk, stage in placed.stages.items() if not only_mine or pk in placed.own}
    needs = _needs(project, user, of_whom, stages, now, mine=only_mine, reviews=may_review)
    counts = counted(placed.stages.items())
    return Today(
        needs=[need for need in needs if need.items],
        totals=_totals(project, counts, now),
        running=_running(project, stages, now),
        decided=_decided(project),
        any_at_all=bool(placed.stages),
        mine=only_mine,
        of_mine=len(placed.own),
        counts=counts,
    )


def _placed(everything: Found, user: User, now: datetime) -> Placed:
    """Tell all stages once: the database would tell them anew for each part of the page."""
    rows = ordered(staged(everything, now), Sort.NEWEST).values_list("pk", F("stage"), "owner")
    stages, own = {}, set()
    for pk, stage, owner in rows:
        stages[pk] = stage
        if owner == user.pk:
            own.add(pk)
    return Placed(stages=stages, own=frozenset(own))


def _decided(project: Project) -> list[Conclusion]:
    made = Conclusion.objects.filter(experiment__project=project, state=ConclusionState.MADE.value)
    said = made.select_related("experiment", "decided_by").only(
        "decision", "decided_at", "learned", *_OF_EXPERIMENT, "decided_by__name", "decided_by__email"
    )
    return list(said[:SHOWN])


def _totals(project: Project, counted: dict[Stage, int], now: datetime) -> Totals:
    lately = Conclusion.objects.filter(
        experiment__project=project, state=ConclusionState.MADE.value, decided_at__gte=now - MONTH
    )
    shipped = Count("pk", filter=Q(decision="ship"))
    numbers = lately.order_by().aggregate(decided=Count("pk"), shipped=shipped)
    return Totals(running=counted[Stage.RUNNING], to_decide=counted[Stage.READY] + counted[Stage.WRAP_UP], **numbers)


def _needs(
    project: Project,
    user: User,
    found: Found,
    stages: Mapping[int, str],
    now: datetime,
    *,
    mine: bool,
    reviews: bool,
) -> Iterator[Need]:
    yield from _wrong(project, _alerts(project, user, now, mine=mine), _failing(project, found, stages, now))
    if reviews:
        yield _reviews(project, user)
    decide, waiting = _to_decide(stages), counted(stages.items())
    for stage, title, tone, action in (
        (Stage.READY, "Ready to decide", "good", "Read and decide"),
        (Stage.WRAP_UP, "To wrap up", "warn", "See why"),
    ):
        rows = plain(project, [one for one in decide if one.stage == stage], now)  # type: ignore[attr-defined]
        yield _at(project, rows, waiting[stage], stage, title, tone, action, mine=mine)
    yield _drafts(project, user)


def _to_decide(stages: Mapping[int, str]) -> list[Experiment]:
    """Return the newest that wait for a decision, a handful of each stage."""
    shown: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for pk, stage in stages.items():
        seen[stage] += 1
        if stage in _WAITING and seen[stage] <= SHOWN:
            shown[pk] = stage
    return of_known_stages(shown)


def _failing(project: Project, found: Found, stages: Mapping[int, str], now: datetime) -> list[Row]:
    """Return what runs although its newest result says that something is wrong."""
    wrong = Q(standing__glance__failed__overlap=[*_OF_CHECK]) | ~Q(standing__glance__crossed=[])
    live = found.filter(status__in=_LIVE, standing__glance__isnull=False).filter(wrong)
    newest = with_results(live.order_by("-started_at", "-pk"))[:MOST_WRONG]
    return plain(project, with_stages(newest, stages), now)


def _alerts(project: Project, user: User, now: datetime, *, mine: bool) -> list[Alert]:
    said = ("project", "kind", "severity", "sentence", "what_to_do", "opened_at", *_OF_EXPERIMENT)
    found = asking(project, now).select_related(None).select_related("experiment").only(*said)
    if mine:
        found = found.filter(Q(experiment__isnull=True) | Q(experiment__owner=user))
    return sorted(
        found[:MOST_WRONG], key=lambda one: (-SEVERITY_RANK[Severity(one.severity)], -one.opened_at.timestamp())
    )


def _wrong(project: Project, alerts: list[Alert], rows: Iterable[Row]) -> Iterator[Need]:
    """Yield what is wrong by kind: open alerts, and what a newest result says and no alert does."""
    by_kind: dict[AlertKind, list[Item]] = {}
    told = {(alert.experiment_id, alert.kind) for alert in alerts}
    for alert in alerts:
        by_kind.setdefault(AlertKind(alert.kind), []).append(_of_alert(project, alert))
    for one in rows:
        for kind, sentence in _problems(one):
            if (one.experiment.pk, kind.value) not in told:
                item = Item(name=one.experiment.name, href=one.href, sentence=sentence, detail=one.when)
                by_kind.setdefault(kind, []).append(item)
    for kind in AlertKind:
        items = by_kind.get(kind, [])
        term = {AlertKind.BROKEN_SPLIT: "srm", AlertKind.GUARDRAIL_CROSSED: "guardrail"}.get(kind, "")
        yield Need(
            title=TITLES[kind],
            tone="bad",
            action="See what to do",
            items=items[:SHOWN],
            more=max(0, len(items) - SHOWN),
            all_href=reverse("alert_list", args=[project.slug]),
            term=term,
        )


def _problems(one: Row) -> Iterator[tuple[AlertKind, str]]:
    if one.glance is None or one.experiment.status not in LIVE:
        return
    for kind in dict.fromkeys(_OF_CHECK[check] for check in one.glance.failed if check in _OF_CHECK):
        yield kind, _WORDS[kind]
    if one.glance.crossed:
        yield AlertKind.GUARDRAIL_CROSSED, f"Beyond its limit: {', '.join(one.glance.crossed)}."


def _of_alert(project: Project, alert: Alert) -> Item:
    if alert.experiment is None:
        where, name = reverse("alert_list", args=[project.slug]), project.name
    elif alert.kind == AlertKind.HOLDBACK_DECAYED:
        where, name = reverse("evidence_holdbacks", args=[project.slug]), alert.experiment.name
    else:
        where, name = reverse("experiment_results", args=[project.slug, alert.experiment.key]), alert.experiment.name
    return Item(name=name, href=where, sentence=alert.sentence, detail=alert.what_to_do)


def _reviews(project: Project, user: User) -> Need:
    asked = Conclusion.objects.filter(experiment__project=project, state=ConclusionState.REQUESTED.value)
    said = ("decision", "recommendation", "reason", *_OF_EXPERIMENT, "decided_by__name", "decided_by__email")
    others = asked.exclude(decided_by=user).select_related("experiment", "decided_by").only(*said)
    waiting = list(others.order_by("decided_at"))
    items = [
        Item(
            name=one.experiment.name,
            href=reverse("experiment_detail", args=[project.slug, one.experiment.key]) + "#awaited-title",
            sentence=f"{one.decided_by or 'A program'} wants to {one.decision}; the rule says: {one.recommendation}.",
            detail=one.reason,
        )
        for one in waiting[:SHOWN]
    ]
    more = max(0, len(waiting) - SHOWN)
    return Need(title="Waiting for your review", tone="warn", action="Agree or disagree", items=items, more=more)


def _at(
    project: Project, rows: list[Row], count: int, stage: Stage, title: str, tone: str, action: str, *, mine: bool
) -> Need:
    query = {"stage": stage.value, **({"owner": "me"} if mine else {})}
    return Need(
        title=title,
        tone=tone,
        action=action,
        items=[
            Item(
                name=one.experiment.name,
                href=one.href,
                sentence=one.standing.headline if one.standing else "It has no result.",
                detail=" · ".join(filter(None, [one.when, str(one.experiment.owner or "")])),
            )
            for one in rows
        ],
        more=max(0, count - len(rows)),
        all_href=f"{reverse('experiment_list', args=[project.slug])}?{urlencode(query)}",
    )


def _drafts(project: Project, user: User) -> Need:
    drafts = (
        Experiment.objects.filter(project=project, owner=user, status=Status.DRAFT.value, archived_at__isnull=True)
        .order_by("-created_at")
        .only("key", "name", "hypothesis")
    )
    found = list(drafts[: SHOWN + 1])
    return Need(
        title="Your drafts",
        tone="flat",
        action="Go on",
        items=[
            Item(
                name=one.name,
                href=reverse("experiment_detail", args=[project.slug, one.key]),
                sentence=one.hypothesis or "No hypothesis yet.",
            )
            for one in found[:SHOWN]
        ],
        more=1 if len(found) > SHOWN else 0,
        all_href=f"{reverse('experiment_list', args=[project.slug])}?stage=draft&owner=me",
    )


def _running(project: Project, stages: Mapping[int, str], now: datetime) -> list[Row]:
    live = Experiment.objects.filter(pk__in=[pk for pk, stage in stages.items() if stage == Stage.RUNNING])
    standard = live.exclude(kind=ExperimentKind.HOLDOUT.value).order_by(planned_end(), "pk")
    return unmarked(project, with_stages(with_results(standard)[:8], stages), now)

"""Segments: create and change saved audiences, without moving units of what is running."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from experiments import audit
from experiments.changes import announce
from experiments.domain.kinds import SegmentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.names import key_problem
from experiments.domain.targeting import TargetingError, check, negates, segment_cycle, segments_in
from experiments.domain.values import same
from experiments.models import Experiment, FlagRule, Project, Segment, User
from experiments.names import lock_names
from experiments.refusals import ChangedMeanwhileError, RefusedError

MOST_VALUES = 50_000
LONGEST_VALUE = 256


class SegmentError(RefusedError):
    """A segment cannot be made or changed as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPlan:
    """A list of values of ``unit_attribute``, or targeting; the key stays, because conditions name it."""

    key: str
    name: str
    kind: SegmentKind
    description: str = ""
    unit_attribute: str = ""
    values: tuple[str, ...] = ()
    targeting: dict[str, Any] = field(default_factory=dict)


def usable_keys(project: Project) -> set[str]:
    """Return the keys of the segments that conditions may name."""
    return set(Segment.objects.filter(project=project, archived_at__isnull=True).values_list("key", flat=True))


@transaction.atomic
def create_segment(project: Project, user: User | None, plan: SegmentPlan) -> Segment:
    """Create a segment. The same plan sent twice (a double click) is created once."""
    lock_names(project)
    columns = _columns(project, plan)
    found = Segment.objects.filter(project=project, key=plan.key).first()
    if found is not None:
        if found.created_by == user and found.archived_at is None and _holds(found, columns):
            return found
        raise SegmentError(f"The key {plan.key!r} is already used by a segment of this project; choose another.")
    segment = Segment.objects.create(project=project, created_by=user, key=plan.key, **columns)
    audit.record(project, user, "segment.create", subject_of(segment), after=_described(segment))
    announce()
    return segment


@transaction.atomic
def edit_segment(
    segment: Segment, user: User | None, plan: SegmentPlan, *, revision: int | None = None, why: str = ""
) -> bool:
    """Change a segment; return whether anything was different.

    Raises
    ------
    SegmentError
        When units of a started experiment would leave it.
    """
    lock_names(segment.project)
    mine = Segment.objects.select_for_update(of=("self",)).select_related("project").get(pk=segment.pk)
    if mine.archived_at is not None:
        raise SegmentError(f"{mine.name} is archived. Create a new segment.")
    columns = _columns(mine.project, plan)
    if plan.key != mine.key:
        raise SegmentError(f"The key {mine.key!r} stays, because conditions name it.")
    if _holds(mine, columns):
        return False
    if revision is not None and mine.revision != revision:
        raise ChangedMeanwhileError(mine.name)
    _refuse_loss(mine, columns)
    before = _described(mine)
    for name, value in columns.items():
        setattr(mine, name, value)
    mine.revision += 1
    mine.save()
    audit.record(mine.project, user, "segment.edit", subject_of(mine), before=before, after=_described(mine), why=why)
    announce()
    segment.refresh_from_db()
    return True


@transaction.atomic
def archive_segment(segment: Segment, user: User | None, why: str = "") -> bool:
    """Take a segment out of the lists; return whether this call did it. One that is in use is refused."""
    lock_names(segment.project)
    mine = Segment.objects.select_for_update(of=("self",)).select_related("project").get(pk=segment.pk)
    if mine.archived_at is not None:
        return False
    if users := list(uses(mine)):
        raise SegmentError(f"{mine.name} is used by {', '.join(users[:5])}. Change the targeting there first.")
    mine.archived_at = timezone.now()
    mine.save(update_fields=["archived_at"])
    audit.record(mine.project, user, "segment.archive", subject_of(mine), before=_described(mine), why=why)
    announce()
    segment.archived_at = mine.archived_at
    return True


def uses(segment: Segment) -> Iterator[str]:
    """Yield the names of the experiments, flags and segments whose targeting names the segment.

    A stopped experiment counts while its shipped variant is served.
    """
    project = segment.project
    # The database leaves out what does not have the key in its text at all, which is nearly everything.
    named = Q(as_text__contains=segment.key)
    text = Cast("targeting", TextField())
    served = Experiment.objects.filter(project=project).exclude(
        status=Status.STOPPED.value, shipped_variant__isnull=True
    )
    for name, targeting in served.annotate(as_text=text).filter(named).values_list("name", "targeting"):
        if segment.key in segments_in(targeting):
            yield name
    rules = FlagRule.objects.filter(flag__project=project, flag__archived_at__isnull=True).select_related("flag")
    for rule in rules.annotate(as_text=text).filter(named):
        if segment.key in segments_in(rule.targeting):
            yield f"{rule.flag.name} ({rule})"
    others = Segment.objects.filter(project=project, archived_at__isnull=True).exclude(pk=segment.pk)
    for name, targeting in others.annotate(as_text=text).filter(named).values_list("name", "targeting"):
        if segment.key in segments_in(targeting):
            yield name


def subject_of(segment: Segment) -> str:
    """Return the name under which the audit keeps a segment."""
    return f"segment:{segment.key}"


def _columns(project: Project, plan: SegmentPlan) -> dict[str, Any]:
    if problem := key_problem(plan.key):
        raise SegmentError(problem)
    if not plan.name.strip():
        raise SegmentError("Give the segment a name.")
    is_list = plan.kind is SegmentKind.LIST
    if is_list:
        _check_list(plan)
    else:
        _check_condition(project, plan)
    return {
        "name": plan.name,
        "description": plan.description,
        "kind": plan.kind.value,
        "unit_attribute": plan.unit_attribute if is_list else "",
        "values": list(dict.fromkeys(plan.values)) if is_list else [],
        "targeting": {} if is_list else plan.targeting,
    }


def _check_list(plan: SegmentPlan) -> None:
    if not plan.unit_attribute:
        raise SegmentError("Name the attribute whose values the segment lists, for example id.")
    if len(plan.values) > MOST_VALUES:
        raise SegmentError(
            f"The segment lists {len(plan.values):,} values; {MOST_VALUES:,} are allowed, because every client loads "
            "them. Send the membership as an attribute instead and target that."
        )
    if any(not 0 < len(value) <= LONGEST_VALUE for value in plan.values):
        raise SegmentError(f"Each value of a segment has 1 to {LONGEST_VALUE} characters.")


def _check_condition(project: Project, plan: SegmentPlan) -> None:
    if not plan.targeting:
        raise SegmentError("Say who is in the segment: an empty condition would hold for everyone.")
    try:
        check(plan.targeting, usable_keys(project))
    except TargetingError as error:
        raise SegmentError(str(error)) from error
    others = Segment.objects.filter(project=project).values_list("key", "targeting")
    if way := segment_cycle(plan.key, {**dict(others), plan.key: plan.targeting}):
        raise SegmentError(f"{' → '.join(way)}: the segment would refer to itself. Leave out one of these.")


def _refuse_loss(segment: Segment, columns: dict[str, Any]) -> None:
    """Refuse a change by which units of a live experiment could leave it; adding values to a list is none."""
    meaning = ("kind", "unit_attribute", "values", "targeting")
    if same([getattr(segment, name) for name in meaning], [columns[name] for name in meaning]):
        return
    concerned, conditions = _live_through(segment)
    only_adds = (
        columns["kind"] == segment.kind == SegmentKind.LIST.value
        and columns["unit_attribute"] == segment.unit_attribute
        and set(segment.values) <= set(columns["values"])
        and not any(map(negates, conditions))
    )
    if concerned and not only_adds:
        raise SegmentError(
            f"{concerned[0].name} has started and targets this segment: units could leave it. "
            "Only values can be added to a list meanwhile. Make another segment, or wait until it has stopped."
        )


def _live_through(segment: Segment) -> tuple[list[Experiment], list[Any]]:
    """Return live experiments that depend on the segment, and every condition on the way to it."""
    others = dict(Segment.objects.filter(project=segment.project).values_list("key", "targeting"))
    reached = {segment.key}
    conditions: list[Any] = []
    while True:
        more = {key for key, condition in others.items() if key not in reached and segments_in(condition) & reached}
        if not more:
            break
        reached |= more
        conditions += [others[key] for key in more]
    live = Experiment.objects.filter(project=segment.project, status__in=[status.value for status in LIVE])
    concerned = [one for one in live if segments_in(one.targeting) & reached]
    return concerned, [*conditions, *(one.targeting for one in concerned)]


def _holds(segment: Segment, columns: dict[str, Any]) -> bool:
    return same({name: getattr(segment, name) for name in columns}, columns)


def _described(segment: Segment) -> dict[str, object]:
    # A long list would make each audit row as long; how many values there were is kept of it.
    values = segment.values if len(segment.values) <= 200 else f"{len(segment.values)} values"
    return {
        "name": segment.name,
        "description": segment.description,
        "kind": segment.kind,
        "unit_attribute": segment.unit_attribute,
        "values": values,
        "targeting": segment.targeting,
    }

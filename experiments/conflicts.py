"""Experiments that may disturb each other: the same people at the same time, and the same part of the product."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations
from typing import Any

from experiments.domain import layers as places
from experiments.domain.audiences import Alternative, Apart, SegmentFacts, alternatives, excluding, facts_of_segments
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.metrics import MetricRole
from experiments.domain.shares import WHOLE
from experiments.domain.targeting import SEGMENT
from experiments.domain.units import UnitType
from experiments.models import Experiment, ExperimentMetric, FlagRule, Project, Segment

MOST_COMPARED = 300
"""Pairs grow with the square; the newest of more than this many are compared, and the page says so."""
_READ = (
    "key", "name", "status", "unit_type", "targeting", "environments", "allocation", "starts_at", "started_at",
    "ends_at", "phase_started_at", "planned_days", "layer__name", "layer_ranges", "tags",
)  # fmt: skip
Audience = list[Alternative]
"""An experiment's targeting, written out once for all the pairs that it is in."""


class Severity(StrEnum):
    """How likely it is that one changes what the other measures."""

    SAME_PART = "same part of the product"
    SAME_METRIC = "same primary metric"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What decides whether one experiment meets another. ``ends`` is its planned end, None where it has none."""

    key: str
    name: str
    unit_type: UnitType
    targeting: dict[str, Any]
    environments: frozenset[str]
    allocation: int
    begins: datetime | None
    ends: datetime | None
    layer: str = ""
    ranges: tuple[places.Range, ...] = ()
    tags: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    is_draft: bool = False

    @property
    def share(self) -> float:
        """Return the share of all units that it reaches, before targeting."""
        held = places.size(self.ranges) / WHOLE if self.layer else 1.0
        return held * self.allocation / WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two experiments that share units and a part of the product. ``shared`` is how many of all units, at most."""

    one: Running
    other: Running
    severity: Severity
    what: tuple[str, ...]
    shared: float

    @property
    def advice(self) -> str:
        """Say what to do about it."""
        if self.one.is_draft or self.other.is_draft:
            draft = self.one if self.one.is_draft else self.other
            rest = self.other if draft is self.one else self.one
            when = (
                f"start {draft.name} after {rest.name} has ended"
                if rest.ends is None
                else (f"start {draft.name} after {rest.ends:%-d %b %Y}")
            )
            return f"Put both into one layer, or {when}."
        if self.severity is Severity.SAME_PART:
            return (
                "Both run: see whether they change each other’s effect before you ship either. "
                "Next time put them into one layer."
            )
        return "Usually harmless: chance deals both. Look closer if the two change the same moment of a visit."


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The conflicts found, worst first; ``kept_apart`` pairs share no unit, and why. ``left_out`` were not compared."""

    conflicts: list[Conflict] = field(default_factory=list)
    kept_apart: list[tuple[Running, Running, str]] = field(default_factory=list)
    compared: int = 0
    left_out: int = 0

    @property
    def likely(self) -> list[Conflict]:
        """Return the pairs that change the same part of the product."""
        return [one for one in self.conflicts if one.severity is Severity.SAME_PART]

    @property
    def possible(self) -> list[Conflict]:
        """Return the pairs that only share a primary metric."""
        return [one for one in self.conflicts if one.severity is Severity.SAME_METRIC]


def of_project(project: Project, now: datetime) -> Neighbours:
    """Return the conflicts among all experiments that run."""
    rows = _rows(project).filter(status__in=[status.value for status in LIVE])
    total = rows.count()
    running = _running(list(rows[:MOST_COMPARED]), now)
    segments = _segments(project, running)
    return _compared(combinations(running, 2), segments, len(running), total - len(running))


def of_experiment(experiment: Experiment, now: datetime) -> Neighbours:
    """Return the conflicts of one experiment, a draft among them, with what runs."""
    rows = _rows(experiment.project).filter(status__in=[status.value for status in LIVE]).exclude(pk=experiment.pk)
    others = list(rows[:MOST_COMPARED])
    mine, *running = _running([experiment, *others], now)
    pairs = ((mine, other) for other in running)
    return _compared(pairs, _segments(experiment.project, [mine, *running]), len(running), 0)


def _rows(project: Project) -> Any:
    standard = Experiment.objects.filter(project=project, archived_at__isnull=True).only(*_READ)
    return standard.exclude(kind=ExperimentKind.HOLDOUT.value).select_related("layer").order_by("-started_at", "-pk")


def _compared(
    pairs: Iterable[tuple[Running, Running]], segments: dict[str, SegmentFacts], compared: int, left_out: int
) -> Neighbours:
    conflicts, separate = [], []
    written: dict[str, Audience] = {}
    shares: dict[str, float] = {}

    def audience(one: Running) -> Audience:
        if one.key not in written:
            written[one.key] = alternatives(one.targeting, segments)
        return written[one.key]

    def share(one: Running) -> float:
        if one.key not in shares:
            shares[one.key] = one.share
        return shares[one.key]

    for one, other in pairs:
        what = _in_common(one, other)
        if what is None:
            continue
        if reason := why_apart(one, other, audience):
            separate.append((one, other, reason))
        else:
            shared = share(one) * share(other)
            conflicts.append(Conflict(one=one, other=other, severity=what[0], what=what[1], shared=shared))
    order = {severity: rank for rank, severity in enumerate(Severity)}
    conflicts.sort(key=lambda found: (order[found.severity], -found.shared, found.one.name, found.other.name))
    return Neighbours(conflicts=conflicts, kept_apart=separate, compared=compared, left_out=left_out)


def _in_common(one: Running, other: Running) -> tuple[Severity, tuple[str, ...]] | None:
    """Return what both change or measure, or None: then nothing of the one can show in the other."""
    if not (one.flags.isdisjoint(other.flags) and one.tags.isdisjoint(other.tags)):
        flags, tags = one.flags & other.flags, one.tags & other.tags
        named = [*(f"the flag {name}" for name in sorted(flags)), *(f"“{name}”" for name in sorted(tags))]
        return Severity.SAME_PART, tuple(named)
    if one.metrics.isdisjoint(other.metrics):
        return None
    return Severity.SAME_METRIC, tuple(sorted(one.metrics & other.metrics))


def why_apart(one: Running, other: Running, audience: Callable[[Running], Audience]) -> str:
    """Return why no unit is in both at the same time, in words; empty where one might be."""
    if one.unit_type is not other.unit_type:
        return ""  # a person is a user and has a device
    if one.environments.isdisjoint(other.environments):
        return "They run in different environments."
    if one.layer and one.layer == other.layer and not places.overlap(one.ranges, other.ranges):
        return f"They are in one layer, {one.layer}, and share no unit."
    if _before(one, other) or _before(other, one):
        return "By their plans they do not run at the same time."
    attribute = "id" if one.unit_type is UnitType.USER else f"{one.unit_type}_id"
    proof = excluding(audience(one), audience(other), attribute)
    return "" if proof is None else _said(proof)


def _before(one: Running, other: Running) -> bool:
    return one.ends is not None and other.begins is not None and one.ends <= other.begins


def _said(proof: Apart) -> str:
    name = proof.attribute.removeprefix("$segment ")
    what = f"the segment {name}" if name != proof.attribute else proof.attribute
    provided = f", as long as {what} holds a single value" if proof.single else ""
    return f"Their targeting excludes each other by {what}{provided}."


def _running(rows: Sequence[Experiment], now: datetime) -> list[Running]:
    ids = [row.pk for row in rows]
    metrics = _by_experiment(
        ExperimentMetric.objects.filter(experiment__in=ids, role=MetricRole.PRIMARY.value).values_list(
            "experiment", "metric__name"
        )
    )
    flags = _by_experiment(
        FlagRule.objects.filter(experiment__in=ids, flag__archived_at__isnull=True).values_list(
            "experiment", "flag__name"
        )
    )
    return [_one(row, metrics.get(row.pk, frozenset()), flags.get(row.pk, frozenset()), now) for row in rows]


def _by_experiment(pairs: Iterable[tuple[int, str]]) -> dict[int, frozenset[str]]:
    found: dict[int, set[str]] = {}
    for experiment, name in pairs:
        found.setdefault(experiment, set()).add(name)
    return {experiment: frozenset(names) for experiment, names in found.items()}


def _one(row: Experiment, metrics: frozenset[str], flags: frozenset[str], now: datetime) -> Running:
    is_draft = row.status == Status.DRAFT
    begins = row.starts_at if is_draft else row.started_at
    return Running(
        key=row.key,
        name=row.name,
        unit_type=UnitType(row.unit_type),
        targeting=row.targeting or {},
        environments=frozenset(row.environments),
        allocation=row.allocation,
        begins=begins or (now if is_draft else None),
        ends=_end(row, now),
        layer=row.layer.name if row.layer else "",
        ranges=places.read_ranges(row.layer_ranges),
        tags=frozenset(row.tags),
        flags=flags,
        metrics=metrics,
        is_draft=is_draft,
    )


def _end(row: Experiment, now: datetime) -> datetime | None:
    """Return when it ends by a set time, or by its plan while that lies ahead; a plan that is over says nothing."""
    if row.ends_at is not None:
        return row.ends_at
    if row.counts_from is None:
        return None
    planned = row.counts_from + timedelta(days=row.planned_days)
    return planned if planned > now else None


def _segments(project: Project, running: Iterable[Running]) -> dict[str, SegmentFacts]:
    """Return what is known of the segments, where one is spoken of: their lists of units may be long."""
    if not any(SEGMENT in str(one.targeting) for one in running):
        return {}
    columns = ("key", "kind", "unit_attribute", "values", "targeting")
    return facts_of_segments(Segment.objects.filter(project=project).values_list(*columns))

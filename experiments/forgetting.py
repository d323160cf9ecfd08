"""Forget one unit: overrides and lists that name it, and what the audit and kept answers say of it.

Nothing here asks whether a running experiment would lose the unit: that a person's data go is not the experiment's
choice.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from experiments import audit
from experiments.changes import announce
from experiments.domain.units import UnitType
from experiments.models import AuditEntry, Experiment, FlagRule, IdempotentAnswer, Override, Project, Segment

SHORTEST_IN_TEXT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit, and ``digest``, which stands for it where its id must not."""

    type: UnitType
    id: str
    digest: str

    @property
    def attribute(self) -> str:
        """Return the attribute by which conditions and lists know it."""
        return "id" if self.type is UnitType.USER else f"{self.type.value}_id"

    @property
    def pattern(self) -> re.Pattern[str]:
        """Return what finds the id in a text, as it is or as JSON writes it, and not inside a longer word."""
        forms = {self.id, json.dumps(self.id)[1:-1], json.dumps(self.id, ensure_ascii=False)[1:-1]}
        return re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, forms)))})(?![\w-])")

    def is_in(self, text: str) -> bool:
        """Say whether a text of people or apps holds the id; a short one would be found in any sentence."""
        return len(self.id) >= SHORTEST_IN_TEXT and self.pattern.search(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentions:
    """How often a project's own records name a unit. ``targeting`` names what targets it: people must change that."""

    overrides: int
    segments: int
    audit_rows: int
    answers: int
    targeting: tuple[str, ...]

    @property
    def total(self) -> int:
        """Return how many records would change."""
        return self.overrides + self.segments + self.audit_rows + self.answers


def mentions(project: Project, unit: Unit) -> Mentions:
    """Count what names the unit."""
    return Mentions(
        overrides=_overrides(project, unit).count(),
        segments=_segments(project, unit).count(),
        audit_rows=len(_audit_rows(project, unit)),
        answers=len(_answers(project, unit)),
        targeting=tuple(_targeting(project, unit)),
    )


@transaction.atomic
def forget(project: Project, unit: Unit) -> Mentions:
    """Remove what names the unit; return what there was."""
    found = mentions(project, unit)
    _overrides(project, unit).delete()
    for segment in _segments(project, unit).select_for_update():
        segment.values = [value for value in segment.values if value != unit.id]
        segment.revision += 1
        segment.save(update_fields=["values", "revision"])
    for entry in _audit_rows(project, unit):
        entry.before, entry.after = _masked(entry.before, unit), _masked(entry.after, unit)
        if unit.is_in(entry.why):
            entry.why = unit.pattern.sub(unit.digest, entry.why)[: audit.LONGEST_WHY]
        entry.save(update_fields=["before", "after", "why"])
    IdempotentAnswer.objects.filter(pk__in=[answer.pk for answer in _answers(project, unit)]).delete()
    if found.overrides or found.segments:
        announce()
    return found


def _overrides(project: Project, unit: Unit) -> QuerySet[Override]:
    return Override.objects.filter(experiment__project=project, experiment__unit_type=unit.type.value, unit_id=unit.id)


def _segments(project: Project, unit: Unit) -> QuerySet[Segment]:
    return Segment.objects.filter(project=project, unit_attribute=unit.attribute, values__contains=[unit.id])


def _audit_rows(project: Project, unit: Unit) -> list[AuditEntry]:
    """Return the rows that name it under its experiment's or list's subject, or in somebody's reason."""
    return [
        entry
        for entry in AuditEntry.objects.filter(project=project).iterator()
        if _names(entry.before, unit) or _names(entry.after, unit) or unit.is_in(entry.why)
    ]


def _answers(project: Project, unit: Unit) -> list[IdempotentAnswer]:
    kept = IdempotentAnswer.objects.filter(api_key__project=project).iterator()
    return [answer for answer in kept if unit.is_in(answer.body)]


def _targeting(project: Project, unit: Unit) -> list[str]:
    experiments = Experiment.objects.filter(project=project)
    rules = FlagRule.objects.filter(flag__project=project).select_related("flag")
    segments = Segment.objects.filter(project=project)
    return [
        *(f"experiment {one.key}" for one in experiments if _names(one.targeting, unit)),
        *(f"flag {one.flag.key}" for one in rules if _names(one.targeting, unit)),
        *(f"segment {one.key}" for one in segments if _names(one.targeting, unit)),
    ]


def _names(value: Any, unit: Unit) -> bool:
    """Say whether a text anywhere in a JSON value is the id; part of a text would find "1" everywhere."""
    if isinstance(value, str):
        return value == unit.id
    if isinstance(value, dict):
        return any(_names(inner, unit) for inner in value.values())
    return isinstance(value, list) and any(_names(inner, unit) for inner in value)


def _masked(value: Any, unit: Unit) -> Any:
    if isinstance(value, str):
        return unit.digest if value == unit.id else value
    if isinstance(value, dict):
        return {key: _masked(inner, unit) for key, inner in value.items()}
    return [_masked(inner, unit) for inner in value] if isinstance(value, list) else value

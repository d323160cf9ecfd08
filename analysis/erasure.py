"""Erase one unit: its events, what was folded from them, and everything else that holds its id.

A user's events are also those of the ids that are linked to it, as those of its devices from before the sign-in.

Snapshots of results and moments are sums over many units and hold no ids, so they stay. What is folded follows from
the log: an experiment that loses rows which other units share with the erased one is rebuilt by the next fold.
"""

import hashlib
import hmac
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Coalesce

from analysis import people
from analysis.models import (
    BotDay,
    Enrolment,
    FoldedExperiment,
    UnitBefore,
    UnitDay,
    UnitFunnel,
    UnitScore,
    UnitValue,
    Watermark,
)
from analysis.rollup import crosses, sums, watermark
from analysis.rollup.retention import HORIZON
from events import forgetting as events
from events.forgetting import Named
from experiments import audit
from experiments import forgetting as experiments
from experiments.domain.units import UnitType
from experiments.forgetting import Mentions, Unit
from experiments.models import Experiment, Project

ERASED = "erased"
"""A plan that no experiment has, so that the next fold rebuilds what is marked with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What there is of a unit, or was until now. ``rebuilt``: keys of the experiments that the next fold rebuilds.

    ``linked`` are the other ids that count for a user.
    """

    unit: Unit
    linked: frozenset[str]
    named: Named
    mentions: Mentions
    enrolments: int
    totals: int
    refusals: int
    rebuilt: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether nothing of the unit is left."""
        counted = self.named.events + self.named.examples + self.enrolments + self.totals + self.refusals
        return counted + self.mentions.total == 0


def unit_of(project: Project, unit_type: UnitType, unit_id: str) -> Unit:
    """Return a unit with a digest that only this installation's secret key could tie to its id."""
    message = f"{project.pk}\x00{unit_type.value}\x00{unit_id}".encode()
    digest = hmac.new(settings.SECRET_KEY.encode(), message, hashlib.sha256).hexdigest()[:32]
    return Unit(type=unit_type, id=unit_id, digest=f"erased:{digest}")


def find(project: Project, unit: Unit) -> Erasure:
    """Say what there is of a unit, and change nothing.

    Raises:
        events.forgetting.RefusalsError: Valkey is away.
    """
    return _found(project, unit, events.count_refusals(project, unit))


def erase(project: Project, unit: Unit) -> Erasure:
    """Erase a unit, and return what there was. Doing it again finds nothing, and records nothing.

    Raises:
        events.forgetting.RefusalsError: Valkey is away; the database is as it was.
    """
    refusals = events.count_refusals(project, unit)
    watermark.make()
    with transaction.atomic():
        watermark.lock()  # no fold may bring back what goes
        found = _found(project, unit, refusals)
        if found.is_empty:
            return found
        events.forget(project, unit, found.linked)
        people.forget(project, {unit.id, *found.linked})
        _forget_sums(project, unit, found.linked)
        for table in (UnitDay, UnitBefore, UnitValue, UnitFunnel, UnitScore, Enrolment):
            _rows(table, project, unit, found.linked).delete()
        BotDay.objects.filter(project=project, unit_type=unit.type.value, unit__in={unit.id, *found.linked}).delete()
        experiments.forget(project, unit)
        _mark(project, found.rebuilt)
        audit.record(project, None, "unit.erase", f"unit:{unit.digest}", after=_recorded(found))
    events.forget_refusals(project, unit)
    return found


def _found(project: Project, unit: Unit, refusals: int) -> Erasure:
    linked = frozenset(people.leading_to(project, unit.id) - {unit.id} if unit.type is UnitType.USER else ())
    named = events.named(project, unit, linked)
    return Erasure(
        unit=unit,
        linked=linked,
        named=named,
        mentions=experiments.mentions(project, unit),
        enrolments=_rows(Enrolment, project, unit, linked).count(),
        totals=_rows(UnitDay, project, unit, linked).count(),
        refusals=refusals,
        rebuilt=_touched(project, unit, linked, named),
    )


def _rows(table: type[Model], project: Project, unit: Unit, linked: frozenset[str]) -> QuerySet[Model]:
    """Return what is folded of the unit: in experiments over such units, or that fall back to them."""
    kind = unit.type.value
    over = Experiment.objects.filter(Q(unit_type=kind) | Q(fallback_unit_type=kind), project=project)
    chosen = list(over.values_list("pk", flat=True))
    return table._default_manager.filter(experiment__in=chosen, unit__in={unit.id, *linked})


def _forget_sums(project: Project, unit: Unit, linked: frozenset[str]) -> None:
    """Keep no sums of experiments that had the unit: their next refresh adds them up from the units that are left."""
    enrolled = _rows(Enrolment, project, unit, linked).values_list("experiment", flat=True)
    had = list(enrolled.distinct())
    sums.forget(had)
    crosses.forget(had)


def _touched(project: Project, unit: Unit, linked: frozenset[str], named: Named) -> tuple[str, ...]:
    """Return the keys of the folded experiments that the unit, or another unit named beside it, takes part in.

    Those whose days of the log are dropped stay as they are, without the unit: nothing could rebuild them.
    """
    units = {kind: set(ids) for kind, ids in named.others.items()}
    units.setdefault(unit.type, set()).update({unit.id, *linked})
    if unit.type in (UnitType.USER, UnitType.DEVICE):
        units.setdefault(UnitType.USER, set()).update({unit.id, people.person_of(project, unit.id), *linked})
    started = Experiment.objects.filter(project=project, folded__isnull=False)
    horizon = Watermark.objects.filter(name=HORIZON, data_up_to__isnull=False).first()
    if horizon is not None:
        phase = Coalesce("folded__reads_from", "phase_started_at", "started_at")
        started = started.annotate(began=phase).filter(began__gte=horizon.data_up_to)
    keys: set[str] = set()
    for kind, ids in units.items():
        concerned = started.filter(Q(unit_type=kind.value) | Q(fallback_unit_type=kind.value))
        of_type = dict(concerned.values_list("pk", "key"))
        enrolled = Enrolment.objects.filter(Q(experiment__in=list(of_type)) & Q(unit__in=ids))
        keys |= {of_type[pk] for pk in enrolled.values_list("experiment_id", flat=True).distinct()}
    return tuple(sorted(keys))


def _mark(project: Project, keys: tuple[str, ...]) -> None:
    FoldedExperiment.objects.filter(experiment__project=project, experiment__key__in=keys).update(
        plan=ERASED, changes=F("changes") + 1
    )


def _recorded(found: Erasure) -> dict[str, object]:
    return {
        "unit_type": found.unit.type.value,
        "linked_ids": len(found.linked),
        "events": found.named.events,
        "enrolments": found.enrolments,
        "unit_totals": found.totals,
        "examples": found.named.examples,
        "refusals": found.refusals,
        "overrides": found.mentions.overrides,
        "segments": found.mentions.segments,
        "audit_rows": found.mentions.audit_rows,
    }

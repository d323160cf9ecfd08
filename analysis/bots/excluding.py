"""The rule by which a project leaves bots out of its results: preview it, switch it on, change it, switch it off.

It is applied to all variants alike, in the fold (analysis/rollup/bots.py). Every change is audited and can be undone:
nothing is deleted from the log, and an experiment without the rule is rebuilt to what it was.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import Count, DateTimeField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, TruncDate

from analysis import people
from analysis.models import BotDay, BotRule, Enrolment
from analysis.rollup import bots, sql, units, watermark
from experiments import audit
from experiments.domain.lifecycle import LIVE
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project, User

EVIDENCE_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most events in a day and in a minute that are believed of one unit."""

    most_a_day: int
    most_a_minute: int

    def __str__(self) -> str:
        return f"more than {self.most_a_day:,} events in a day or {self.most_a_minute:,} in a minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfExperiment:
    """How many enrolled units of a running experiment a rule would leave out, by variant, and of how many."""

    experiment: Experiment
    variants: tuple[tuple[str, int, int], ...]

    @property
    def left_out(self) -> int:
        """Return the units over all variants."""
        return sum(out for _, out, _ in self.variants)


def rule_of(project: Project) -> BotRule | None:
    """Return the project's rule, if it is switched on."""
    return BotRule.objects.select_related("changed_by", "project").filter(project=project).first()


def limits_of(rule: BotRule) -> Limits:
    """Return a rule's limits."""
    return Limits(most_a_day=rule.most_a_day, most_a_minute=rule.most_a_minute)


def beyond(limits: Limits) -> Q:
    """Return the condition under which a day breaks the limits."""
    return Q(events__gt=limits.most_a_day) | Q(busiest__gt=limits.most_a_minute)


def breaking(rule: BotRule) -> QuerySet[BotDay]:
    """Return the days that break a project's rule."""
    return BotDay.objects.filter(beyond(limits_of(rule)), project=rule.project_id)


def breaks(rule: BotRule, one: BotDay) -> bool:
    """Say whether a day breaks a rule."""
    return one.events > rule.most_a_day or one.busiest > rule.most_a_minute


def evidence(project: Project, today: date) -> list[BotDay]:
    """Return the implausible days of the last two weeks, the busiest first."""
    recent = BotDay.objects.filter(project=project, day__gte=today - timedelta(days=EVIDENCE_DAYS))
    return list(recent.order_by("-events", "unit", "-day")[:50])


def preview(project: Project, limits: Limits) -> list[OfExperiment]:
    """Return what a rule would leave out of each running experiment, and change nothing."""
    running = Experiment.objects.filter(
        project=project, status__in=[status.value for status in LIVE], started_at__isnull=False
    )
    found = list(running.only("key", "name").prefetch_related("variants").order_by("name", "pk"))
    enrolled = Enrolment.objects.filter(experiment__in=[one.pk for one in found])
    units, out = _by_variant(enrolled), _by_variant(enrolled.filter(Exists(_broken_by(project, limits))))
    return [
        OfExperiment(
            experiment=one,
            variants=tuple((arm.name, out.get(arm.pk, 0), units.get(arm.pk, 0)) for arm in one.variants.all()),
        )
        for one in found
    ]


def _by_variant(enrolled: QuerySet[Enrolment]) -> dict[int, int]:
    return dict(enrolled.values_list("variant").annotate(units=Count("unit")))


def _broken_by(project: Project, limits: Limits) -> QuerySet[BotDay]:
    """Return the days beyond the limits of an enrolled unit since its experiment began."""
    moments = OuterRef("experiment__phase_started_at"), OuterRef("experiment__started_at")
    began = Coalesce(*moments, output_field=DateTimeField())
    return BotDay.objects.filter(
        beyond(limits), project=project, unit=OuterRef("unit"), unit_type=OuterRef("experiment__unit_type"),
        day__gte=TruncDate(began, tzinfo=UTC),
    )  # fmt: skip


@transaction.atomic
def switch_on(project: Project, user: User | None, limits: Limits, now: datetime, why: str = "") -> BotRule:
    """Leave units beyond the limits out of results from now on; the same limits again change nothing."""
    _keep_folds_out()
    before = BotRule.objects.filter(project=project).first()
    if before is not None and limits_of(before) == limits:
        return before
    since = before.switched_on_at if before is not None else now
    rule, _ = BotRule.objects.update_or_create(
        project=project,
        defaults={
            "most_a_day": limits.most_a_day, "most_a_minute": limits.most_a_minute, "switched_on_at": since,
            "changed_by": user,
        },
    )  # fmt: skip
    for one in filter(None, (before, rule)):
        _mark_all(one)
    audit.record(project, user, "bots.leave_out", "bots", before=_facts(before), after=_facts(rule), why=why)
    return rule


@transaction.atomic
def switch_off(project: Project, user: User | None, why: str = "") -> bool:
    """Let all units count again. Return whether there was a rule."""
    _keep_folds_out()
    rule = BotRule.objects.filter(project=project).first()
    if rule is None:
        return False
    _mark_all(rule)
    audit.record(project, user, "bots.let_in", "bots", before=_facts(rule), why=why)
    rule.delete()
    return True


def mark(rule: BotRule, unit_type: UnitType, flagged: list[str]) -> None:
    """Have the next fold rebuild the experiments that these units were exposed to, by whichever of their ids."""
    if not flagged:
        return
    ids, named_by = flagged, [unit_type]
    if unit_type is UnitType.USER:
        ids, named_by = people.together(rule.project_id, flagged), [UnitType.USER, UnitType.DEVICE]
    asked: dict[str, sql.Parameter] = {
        "plan": bots.PLAN, "project": rule.project_id, "unit_type": unit_type.value, "units": ids,
        "switched_on_at": rule.switched_on_at.isoformat(),
    }  # fmt: skip
    for one in named_by:
        sql.run(bots.MARK.format(unit=units.unit_of(one), indexed=units.indexed(one)), asked)


def _mark_all(rule: BotRule) -> None:
    for unit_type in UnitType:
        flagged = breaking(rule).filter(unit_type=unit_type.value).values_list("unit", flat=True).distinct()
        mark(rule, unit_type, sorted(flagged))


def _keep_folds_out() -> None:
    watermark.make()
    watermark.lock()


def _facts(rule: BotRule | None) -> dict[str, object] | None:
    return None if rule is None else {"most_a_day": rule.most_a_day, "most_a_minute": rule.most_a_minute}

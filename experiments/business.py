"""What an experiment's metrics stand for, and what a gain must earn: stated before the start, or openly after it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole, StandsFor
from experiments.models import Experiment, User
from experiments.refusals import RefusedError

MOST_MONEY = 10**15
MOST_UNITS = 10**12


class BusinessError(RefusedError):
    """A statement about an experiment's business that does not fit its plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a gain is weighed against; money in hundredths of the project's currency.

    Attributes:
        monthly_cost: what the treatment costs more to run a month than the control; below zero where it costs less.
        monthly_units: units a month once everyone gets it; None reads them from the experiment.
        value_of_one: what one of the business metric is worth, where that is no money.
    """

    monthly_cost: int | None = None
    monthly_units: int | None = None
    value_of_one: int | None = None


@transaction.atomic
def state(experiment: Experiment, user: User | None, stands_for: Mapping[str, StandsFor | None], terms: Terms) -> bool:
    """Say what metrics (by key) stand for, and what a gain is weighed against; return whether anything changed.

    Neither changes a number, only how numbers are read, so both may be said at any time. What is declared after the
    start is marked with its time: a metric that becomes the business once its result is known proves less.

    Raises:
        BusinessError: a metric that is not in the plan, or a guardrail.
    """
    locked = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)
    before = described(locked)
    _declare(locked, stands_for)
    for name in ("monthly_cost", "monthly_units", "value_of_one"):
        setattr(locked, name, getattr(terms, name))
    after = described(locked)
    if after == before:
        return False
    locked.save(update_fields=["monthly_cost", "monthly_units", "value_of_one"])
    audit.record(locked.project, user, "experiment.business", f"experiment:{locked.key}", before=before, after=after)
    return True


def described(experiment: Experiment) -> dict[str, object]:
    """Return what is stated, as the audit keeps it."""
    return {
        **{use.metric.key: use.stands_for or None for use in experiment.plan.select_related("metric")},
        "monthly cost": experiment.monthly_cost,
        "monthly units": experiment.monthly_units,
        "value of one": experiment.value_of_one,
    }


def _declare(experiment: Experiment, stands_for: Mapping[str, StandsFor | None]) -> None:
    uses = {use.metric.key: use for use in experiment.plan.select_related("metric")}
    if unknown := sorted(set(stands_for) - set(uses)):
        raise BusinessError(f"{experiment.name} has no metric {unknown[0]!r} in its plan; it has {', '.join(uses)}.")
    now = None if experiment.status == Status.DRAFT else timezone.now()
    for key, said in stands_for.items():
        use = uses[key]
        if use.stands_for == (said or ""):
            continue
        if use.role == MetricRole.GUARDRAIL and said is not None and said is not StandsFor.NEITHER:
            raise BusinessError(
                f"{use.metric.name} is a guardrail: it must not get worse, and stands for nothing else."
            )
        use.stands_for, use.declared_at = said or "", now
        use.save(update_fields=["stands_for", "declared_at"])

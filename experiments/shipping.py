"""Ship a variant to everyone, with a holdback that keeps measuring, and take it back."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from experiments import audit, standing
from experiments.changes import announce
from experiments.domain import layers as places
from experiments.domain import ramps
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, TRANSITIONS, Status, Step
from experiments.domain.ramps import Ramp, RampError, RampStep
from experiments.domain.shares import WHOLE, percent
from experiments.layers import holders, locked_layer
from experiments.models import Experiment, ExperimentMetric, Override, User, Variant
from experiments.names import free_key, lock_names
from experiments.refusals import RefusedError

LEAST_HOLDBACK, MOST_HOLDBACK = 100, 2_000
ENDING = "-holdback"
SHIPPED_FIELDS = (
    "status", "stopped_at", "shipped_variant", "shipped_at", "shipped_share", "holdback_share", "ramp",
)  # fmt: skip


class ShipError(RefusedError):
    """A variant cannot be shipped as asked."""


@transaction.atomic
def ship(
    experiment: Experiment,
    variant: Variant,
    holdback_share: int,
    user: User | None,
    why: str,
    ramp: Sequence[RampStep] | None = None,
    *,
    at: datetime | None = None,
) -> bool:
    """Stop the experiment and give everyone ``variant``, but for a held-back share; return whether this call did it.

    Parameters
    ----------
    experiment
        Running, paused or stopped.
    variant
        One of its variants, and not the control.
    holdback_share
        Ten-thousandths that keep the control, as ``<key>-holdback``, a running experiment with the same salt; 0 for
        nobody. At most the control's weight, so that nobody who had a treatment loses it.
    user, why
        For the record.
    ramp
        Steps by which the rest gets the variant; by default everyone at once.

    Raises
    ------
    ShipError
        When the variant or a share does not fit; the message says what does.
    """
    now = at or timezone.now()
    lock_names(experiment.project)
    if experiment.layer_id is not None:
        locked_layer(experiment.layer_id)  # before the experiment, as whoever enlarges its part does
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project", "layer").get(pk=experiment.pk)
    if mine.shipped_variant_id is not None:
        return _shipped_already(experiment, mine, variant)
    control = _check(mine, variant, holdback_share, why)
    steps = _ramp(mine, variant, ramp, now)
    before: dict[str, object] = {"status": mine.status}
    if holdback_share:
        _hold_back(mine, control, variant, holdback_share, user, now)
    mine.stopped_at = mine.stopped_at or now
    mine.status = TRANSITIONS[Step.SHIP][1].value
    mine.shipped_variant, mine.shipped_at, mine.holdback_share = variant, now, holdback_share
    mine.ramp, mine.shipped_share = ramps.stored(steps), steps.share if steps else WHOLE
    mine.save(update_fields=SHIPPED_FIELDS)
    after = {"status": mine.status, "shipped": variant.key, "holdback": holdback_share, "share": mine.shipped_share}
    audit.record(mine.project, user, "experiment.ship", f"experiment:{mine.key}", before=before, after=after, why=why)
    announce()
    experiment.refresh_from_db(fields=SHIPPED_FIELDS)
    return True


def _shipped_already(experiment: Experiment, mine: Experiment, variant: Variant) -> bool:
    if mine.shipped_variant_id != variant.pk:
        raise ShipError(
            f"{mine.name} has shipped another variant. Take that back first, or start a new experiment against it."
        )
    experiment.refresh_from_db(fields=SHIPPED_FIELDS)
    return False


def _check(experiment: Experiment, variant: Variant, holdback: int, why: str) -> Variant:
    """Return the control, or say why the variant cannot be shipped."""
    if experiment.kind != ExperimentKind.STANDARD:
        raise ShipError(f"{experiment.name} is a {experiment.kind}; only an experiment's variant is shipped.")
    if experiment.status not in TRANSITIONS[Step.SHIP][0]:
        raise ShipError(f"{experiment.name} is a draft. Start it first: nothing is known of its variants.")
    if variant.experiment_id != experiment.pk:
        raise ShipError(f"{variant.name} is no variant of {experiment.name}.")
    if variant.is_control:
        raise ShipError(f"{variant.name} is the control. Stop the experiment: then everyone has it.")
    if not why.strip():
        raise ShipError("Say why you ship it, for the record.")
    if problem := standing.against_shipping(experiment):
        raise ShipError(problem)
    control = experiment.variants.get(position=0)
    most = min(MOST_HOLDBACK, control.weight)
    if holdback and not LEAST_HOLDBACK <= holdback <= most:
        raise ShipError(
            f"{percent(holdback)} cannot be held back: choose 0 %, or {percent(LEAST_HOLDBACK)} to {percent(most)}. "
            "More than the control had would take the variant away from those who have it."
        )
    return control


def _ramp(experiment: Experiment, variant: Variant, steps: Sequence[RampStep] | None, now: datetime) -> Ramp | None:
    if not steps:
        return None
    ramp = Ramp(steps=tuple(steps))
    try:
        ramps.check(ramp)
    except RampError as error:
        raise ShipError(str(error)) from error
    has_it = variant.weight * experiment.allocation // WHOLE if experiment.status == Status.RUNNING else 0
    if ramp.steps[0].share < has_it:
        raise ShipError(
            f"{percent(has_it)} have {variant.name} already, and the ramp begins with {percent(ramp.steps[0].share)}. "
            f"Begin it with {percent(has_it)} or more."
        )
    return ramps.begun(ramp, now)


def _hold_back(
    shipped: Experiment, control: Variant, variant: Variant, share: int, user: User | None, now: datetime
) -> Experiment:
    """Create the follow-up experiment; its salt is the shipped one's, so that those held back had the control."""
    _refuse_lost_places(shipped)
    key = free_key(shipped.project, shipped.key[: 80 - len(ENDING)] + ENDING)
    held = Experiment.objects.create(
        project=shipped.project,
        key=key,
        name=f"{shipped.name[:109]}: holdback",
        hypothesis=f"What {variant.name} gained in {shipped.name} lasts.",
        kind=ExperimentKind.HOLDBACK.value,
        unit_type=shipped.unit_type,
        fallback_unit_type=shipped.fallback_unit_type,
        status=Status.RUNNING.value,
        salt=shipped.salt,
        targeting=shipped.targeting,
        environments=shipped.environments,
        respects_holdout=shipped.respects_holdout,
        layer=shipped.layer,
        layer_ranges=shipped.layer_ranges,
        phase=shipped.phase,
        bucket_version=shipped.bucket_version,
        min_bucket_version=shipped.min_bucket_version,
        planned_days=shipped.planned_days,
        parent=shipped,
        created_by=user,
        owner=shipped.owner,
        created_at=now,
        started_at=now,
    )
    _copy_parts(shipped, held, control, variant, share)
    after: dict[str, object] = {"parent": shipped.key, "share": share, "shipped": variant.key}
    audit.record(shipped.project, user, "experiment.hold-back", f"experiment:{key}", after=after)
    return held


def _copy_parts(shipped: Experiment, held: Experiment, control: Variant, variant: Variant, share: int) -> None:
    copies = {
        original.key: Variant.objects.create(
            experiment=held,
            key=original.key,
            name=original.name,
            position=position,
            weight=weight,
            value=original.value,
            model_version_id=original.model_version_id,
        )
        for position, (original, weight) in enumerate([(control, share), (variant, WHOLE - share)])
    }
    ExperimentMetric.objects.bulk_create(
        ExperimentMetric(
            experiment=held,
            metric_id=use.metric_id,
            version_id=use.version_id,
            role=use.role,
            margin=use.margin,
            position=use.position,
        )
        for use in shipped.plan.all()
    )
    # Who saw a variant by hand is counted here no more than there.
    Override.objects.bulk_create(
        Override(
            experiment=held,
            unit_id=one.unit_id,
            variant=copies[one.variant.key],
            note=one.note,
            created_by_id=one.created_by_id,
        )
        for one in shipped.overrides.select_related("variant")
        if one.variant.key in copies
    )


def _refuse_lost_places(shipped: Experiment) -> None:
    """A stopped experiment has given its places back: those held back must not be another's units meanwhile."""
    if shipped.layer_id is None:
        return
    layer = locked_layer(shipped.layer_id)
    own = places.read_ranges(shipped.layer_ranges)
    for other in holders(layer):
        if other.pk != shipped.pk and places.overlap(own, places.read_ranges(other.layer_ranges)):
            raise ShipError(
                f"{other.name} has taken the places of {shipped.name} in the layer {layer.name}. "
                "Ship without a holdback, or wait until it has stopped."
            )


@transaction.atomic
def withdraw(experiment: Experiment, user: User | None, why: str, *, at: datetime | None = None) -> bool:
    """Take a shipped variant back: everyone gets the control, the holdback stops. Return whether this call did it."""
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)
    if mine.shipped_variant is None:
        return False
    if not why.strip():
        raise ShipError("Say why you take it back, for the record.")
    before: dict[str, object] = {"shipped": mine.shipped_variant.key, "holdback": mine.holdback_share}
    mine.shipped_variant, mine.shipped_at, mine.shipped_share, mine.holdback_share, mine.ramp = None, None, 0, 0, {}
    mine.save(update_fields=SHIPPED_FIELDS)
    mine.follow_ups.filter(status__in=[status.value for status in LIVE]).update(
        status=Status.STOPPED.value, stopped_at=at or timezone.now()
    )
    audit.record(mine.project, user, "experiment.withdraw", f"experiment:{mine.key}", before=before, why=why)
    announce()
    experiment.refresh_from_db(fields=SHIPPED_FIELDS)
    return True

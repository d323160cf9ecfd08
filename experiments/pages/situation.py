"""An experiment's situation, read from the database for the table that says who sees what."""

from collections.abc import Sequence

from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Variant
from experiments.pages.consequences import Situation


def situation_of(experiment: Experiment, variants: Sequence[Variant]) -> Situation:
    """Return what decides who sees what of this experiment now."""
    shipped = next((one.name for one in variants if one.pk == experiment.shipped_variant_id), None)
    return Situation(
        status=Status(experiment.status),
        kind=ExperimentKind(experiment.kind),
        variants=tuple((one.name, one.weight) for one in variants),
        units=f"{experiment.unit_type}s",
        allocation=experiment.allocation,
        is_targeted=bool(experiment.targeting),
        in_layer=experiment.layer_id is not None,
        held_out=_held_out(experiment),
        overrides=experiment.overrides.count(),
        shipped=shipped,
        shipped_share=experiment.shipped_share,
        holdback=experiment.holdback_share,
    )


def _held_out(experiment: Experiment) -> int:
    """Return the share of units that a running holdout keeps away: half of what takes part in it."""
    if not experiment.respects_holdout or experiment.kind != ExperimentKind.STANDARD:
        return 0
    holdout = Experiment.objects.filter(
        project=experiment.project_id,
        kind=ExperimentKind.HOLDOUT.value,
        status=Status.RUNNING.value,
        unit_type=experiment.unit_type,
    ).first()
    return holdout.allocation // 2 if holdout else 0

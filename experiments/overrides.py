"""Overrides: units that see a chosen variant, so that people can try it; no analysis counts them."""

from django.db import transaction

from experiments import audit
from experiments.changes import announce
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Override, User, Variant
from experiments.refusals import RefusedError, refuse_follow_up

MOST_OVERRIDES = 500
LONGEST_UNIT = 256


class OverrideError(RefusedError):
    """An override cannot be made as asked."""


@transaction.atomic
def add(experiment: Experiment, unit_id: str, variant: Variant, user: User | None, note: str = "") -> Override:
    """Have ``unit_id`` see ``variant``, instead of another that it was given before; the same again changes nothing."""
    unit_id = unit_id.strip()
    status = Experiment.objects.select_for_update().values_list("status", flat=True).get(pk=experiment.pk)
    _check(experiment, Status(status), unit_id, variant)
    found = Override.objects.filter(experiment=experiment, unit_id=unit_id).select_related("variant").first()
    if found is not None and (found.variant, found.note) == (variant, note):
        return found
    if found is None and experiment.overrides.count() >= MOST_OVERRIDES:
        raise OverrideError(
            f"{experiment.name} has {MOST_OVERRIDES} overrides, which is the most: each is sent to every client. "
            "Remove some, or target a segment with a flag."
        )
    before = {"variant": found.variant.key, "note": found.note} if found else None
    override, _ = Override.objects.update_or_create(
        experiment=experiment,
        unit_id=unit_id,
        defaults={"variant": variant, "note": note},
        create_defaults={"variant": variant, "note": note, "created_by": user},
    )
    _record(override, user, "override.add", before=before, after={"variant": variant.key, "note": note})
    return override


def _check(experiment: Experiment, status: Status, unit_id: str, variant: Variant) -> None:
    refuse_follow_up(experiment, OverrideError)
    if status is Status.STOPPED:
        raise OverrideError(f"{experiment.name} has stopped, so that nobody gets its variants.")
    if variant.experiment_id != experiment.pk:
        raise OverrideError(f"{variant.name} is no variant of {experiment.name}.")
    if not unit_id:
        raise OverrideError(f"Give the id of a {experiment.unit_type}.")
    if len(unit_id) > LONGEST_UNIT or "\x00" in unit_id:
        raise OverrideError(f"The id has {len(unit_id)} characters; {LONGEST_UNIT} are allowed, and none is NUL.")


@transaction.atomic
def remove(override: Override, user: User | None, why: str = "") -> bool:
    """Let the unit get what its hash says again; return whether this call did it."""
    deleted, _ = Override.objects.filter(pk=override.pk).delete()
    if not deleted:
        return False
    before = {"variant": override.variant.key, "note": override.note}
    _record(override, user, "override.remove", before=before, why=why)
    return True


def _record(
    override: Override, user: User | None, action: str, *, before: object, after: object = None, why: str = ""
) -> None:
    experiment = override.experiment
    unit = {"unit": override.unit_id}
    audit.record(
        experiment.project,
        user,
        action,
        f"experiment:{experiment.key}",
        before={**unit, **before} if isinstance(before, dict) else None,
        after={**unit, **after} if isinstance(after, dict) else None,
        why=why,
    )
    announce()

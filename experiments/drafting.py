"""Change one part of a draft and leave the rest as it is now, whoever changed that meanwhile."""

from collections.abc import Callable

from django.db import transaction

from experiments import audit
from experiments.domain.lifecycle import Status
from experiments.domain.values import same
from experiments.models import Experiment, User
from experiments.names import lock_names
from experiments.refusals import RefusedError
from experiments.setup import ExperimentPlan, describe, plan_of, revise_experiment

Change = Callable[[ExperimentPlan], ExperimentPlan]
LONGEST_ADDRESS = 500


class DraftError(RefusedError):
    """A part of a draft cannot be changed as asked."""


@transaction.atomic
def change_plan(experiment: Experiment, user: User | None, change: Change) -> Experiment:
    """Apply ``change`` to the plan as it is now; what makes no difference is not recorded.

    Raises
    ------
    PlanError
        When the plan would be wrong; that a primary metric is still missing is not.
    """
    lock_names(experiment.project)
    mine = Experiment.objects.select_related("project", "layer").get(pk=experiment.pk)
    before = plan_of(mine)
    wanted = change(before)
    if same(describe(wanted), describe(before)):
        return mine
    return revise_experiment(mine, user, wanted, unfinished=True)


@transaction.atomic
def set_page_address(experiment: Experiment, user: User | None, address: str) -> bool:
    """Keep where people can see the experiment, for QA links; return whether it was another. It may change any time."""
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)
    address = address.strip()
    if address and not address.startswith(("https://", "http://")):
        raise DraftError(f"The address is {address[:80]!r}; it begins with https:// or http://.")
    if len(address) > LONGEST_ADDRESS:
        raise DraftError(f"The address has {len(address)} characters; {LONGEST_ADDRESS} are allowed.")
    if mine.page_address == address:
        return False
    before: dict[str, object] = {"page_address": mine.page_address}
    after: dict[str, object] = {"page_address": address}
    mine.page_address = address
    mine.save(update_fields=["page_address"])
    audit.record(mine.project, user, "experiment.page-address", f"experiment:{mine.key}", before=before, after=after)
    experiment.refresh_from_db(fields=["page_address"])
    return True


@transaction.atomic
def set_owner(experiment: Experiment, user: User | None, owner: User) -> bool:
    """Say who answers for the experiment: a member of its project. Return whether it was somebody else."""
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project", "owner").get(pk=experiment.pk)
    if not mine.project.memberships.filter(user=owner).exists():
        raise DraftError(f"{owner} is no member of {mine.project}; invite them first.")
    if mine.owner_id == owner.pk:
        return False
    before: dict[str, object] = {"owner": str(mine.owner) if mine.owner else None}
    mine.owner = owner
    mine.save(update_fields=["owner"])
    audit.record(
        mine.project,
        user,
        "experiment.owner",
        f"experiment:{mine.key}",
        before=before,
        after={"owner": str(owner)},
    )
    experiment.refresh_from_db(fields=["owner"])
    return True


def is_draft(experiment: Experiment) -> bool:
    """Say whether the plan can still be changed."""
    return experiment.status == Status.DRAFT

"""Deal a bandit's new units by other shares. Who was dealt before keeps what they have."""

from collections.abc import Mapping

from django.db import transaction

from experiments import audit
from experiments.changes import announce
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.shares import WHOLE
from experiments.models import Experiment
from experiments.refusals import RefusedError


class SharesError(RefusedError):
    """The shares cannot be set."""


@transaction.atomic
def deal_by(experiment: Experiment, shares: Mapping[int, int], why: str) -> bool:
    """Set each variant's share, by its id, in ten-thousandths; return whether this call changed any.

    Units of a bandit are sessions or impressions: each asks once, so that shares which change move nobody. The salt
    stays, so that of those who ask twice only the few between two boundaries would get another answer; whoever is seen
    in two variants is left out of the results.

    Raises
    ------
    SharesError
        When it is no running bandit, or the shares are no shares of its variants.
    """
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)
    if mine.kind != ExperimentKind.BANDIT or mine.status != Status.RUNNING:
        raise SharesError(f"{mine.name} is a {mine.kind} and {mine.status}; shares move while a bandit runs.")
    variants = {variant.pk: variant for variant in mine.variants.all()}
    if shares.keys() != variants.keys() or sum(shares.values()) != WHOLE or min(shares.values()) <= 0:
        raise SharesError(f"{dict(shares)} are no shares of {mine.name}: one above 0 for each variant, 10,000 in all.")
    before = {variant.key: variant.weight for variant in variants.values()}
    after = {variant.key: shares[pk] for pk, variant in variants.items()}
    if before == after:
        return False
    for pk, variant in variants.items():
        variant.weight = shares[pk]
        variant.save(update_fields=["weight"])
    audit.record(
        mine.project, None, "experiment.shares", f"experiment:{mine.key}",
        before={"shares": before}, after={"shares": after}, why=why,
    )  # fmt: skip
    announce()
    return True

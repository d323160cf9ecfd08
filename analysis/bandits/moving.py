"""Move shares when a batch is over: once, by whichever worker looks first, with batch and audit in one piece."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from analysis.bandits.rewards import batches, stretches
from analysis.bandits.sharing import NextShares, next_shares
from analysis.models import BanditBatch
from analysis.stats.batched_bandits import BatchedMeans, batched_means
from experiments.bandits import deal_by
from experiments.domain.designs.bandit import BanditDesign
from experiments.domain.designs.stored import read as read_design
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import Direction, MetricRole
from experiments.domain.shares import percent
from experiments.models import Experiment, ExperimentMetric

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a bandit was set up with."""

    design: BanditDesign
    use: ExperimentMetric

    @property
    def higher_is_better(self) -> bool:
        """Say which way the reward is good."""
        return self.use.metric.direction == Direction.INCREASE


def plan_of(experiment: Experiment) -> Plan:
    """Return a bandit's design and reward.

    Raises:
        TypeError: the experiment is of another kind.
    """
    design = read_design(ExperimentKind(experiment.kind), experiment.design)
    if not isinstance(design, BanditDesign):
        raise TypeError(f"{experiment.key} is a {experiment.kind} and no bandit.")
    use = experiment.plan.select_related("metric", "version").get(role=MetricRole.PRIMARY.value)
    return Plan(design=design, use=use)


def history(experiment: Experiment) -> list[BanditBatch]:
    """Return the batches of the current phase, oldest first."""
    return list(BanditBatch.objects.filter(experiment=experiment, phase=experiment.phase).order_by("number"))


def any_due(now: datetime) -> bool:
    """Say whether a running bandit's batch may be over: without one, nothing has to be read."""
    running = Experiment.objects.filter(kind=ExperimentKind.BANDIT.value, status=Status.RUNNING.value)
    return any(_is_due(experiment, now) for experiment in running)


def _is_due(experiment: Experiment, now: datetime) -> bool:
    rows = history(experiment)
    return not rows or now >= rows[-1].began_at + timedelta(hours=plan_of(experiment).design.batch_hours)


def move_due(now: datetime | None = None) -> int:
    """Look at every running bandit; return how many began another batch. One that fails does not stop the others."""
    moved = 0
    for experiment in Experiment.objects.filter(kind=ExperimentKind.BANDIT.value, status=Status.RUNNING.value):
        try:
            moved += move(experiment, now or timezone.now())
        except Exception:
            logger.exception("the shares of bandit %s could not be moved", experiment.pk)
    return moved


@transaction.atomic
def move(experiment: Experiment, now: datetime) -> bool:
    """Begin the first batch, or the next one if its time has come and enough is known; return whether one began."""
    mine = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)
    if mine.status != Status.RUNNING or mine.counts_from is None:
        return False
    rows = history(mine)
    if not rows:
        _begin(mine, 0, mine.counts_from, list(mine.variants.values_list("weight", flat=True)))
        return True
    plan = plan_of(mine)
    if now < rows[-1].began_at + timedelta(hours=plan.design.batch_hours):
        return False
    found = batches(mine, plan.use.counted, plan.design, stretches(rows, plan.design, now), now)
    known = batched_means(found)
    if not isinstance(known, BatchedMeans):
        return False
    units = [int(sum(batch.units[place] for batch in found)) for place in range(len(known.means))]
    if min(units) < plan.design.first_units:
        return False
    following = next_shares(known, plan.design, higher_is_better=plan.higher_is_better)
    _begin(mine, rows[-1].number + 1, now, list(following.shares), known, following, sum(units))
    variants = list(mine.variants.values_list("pk", "name"))
    best = max(range(len(variants)), key=following.best.__getitem__)
    why = f"{variants[best][1]} is the best with a probability of {percent(round(following.best[best] * 10_000))}."
    deal_by(mine, {pk: share for (pk, _), share in zip(variants, following.shares, strict=True)}, why)
    return True


def _begin(
    experiment: Experiment,
    number: int,
    at: datetime,
    shares: list[int],
    known: BatchedMeans | None = None,
    following: NextShares | None = None,
    units: int = 0,
) -> None:
    BanditBatch.objects.create(
        experiment=experiment,
        phase=experiment.phase,
        number=number,
        began_at=at,
        shares=shares,
        best=list(following.best) if following else [],
        means=known.means.tolist() if known else [],
        errors=known.errors.tolist() if known else [],
        units=units,
    )

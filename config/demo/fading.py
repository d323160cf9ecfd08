"""The demo's launch that did not last: an experiment, its shipping, and what those held back have shown since."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from analysis.programme import holdbacks
from config.demo import drive
from config.demo.catalogue import FADED, HELD_BACK, SHIPPED, After
from config.demo.project import TREATMENT_KEY
from config.demo.traffic import Names
from experiments import shipping
from experiments.domain.kinds import ExperimentKind
from experiments.models import Experiment, User

WHY = "Click-through rose by a fifth, and no guardrail moved."


def ship(experiment: Experiment, user: User) -> Experiment:
    """Ship the story's treatment at its end, unless it is, and return the holdback."""
    if experiment.shipped_variant_id is None:
        assert experiment.stopped_at is not None  # noqa: S101  (its story has been told to the end)
        treatment = experiment.variants.get(key=TREATMENT_KEY)
        shipping.ship(experiment, treatment, HELD_BACK, user, WHY, at=experiment.stopped_at)
    return Experiment.objects.get(parent=experiment, kind=ExperimentKind.HOLDBACK.value)


def drives(experiment: Experiment, holdback: Experiment) -> list[drive.Drive]:
    """Return what came after the launch, part by part: apps ask for the experiment and report its holdback."""
    assert holdback.started_at is not None  # noqa: S101  (a holdback runs from its first moment)
    start, found = holdback.started_at, []
    for number, part in enumerate(FADED, start=1):
        found.append(_drive(experiment, holdback, part, number, start))
        start += timedelta(days=part.days)
    return found


def _drive(experiment: Experiment, holdback: Experiment, part: After, number: int, start: datetime) -> drive.Drive:
    told = replace(SHIPPED, shoppers=part.shoppers, days=part.days, seed=part.seed, own_effects=part.effects)
    names = Names(
        experiment=holdback.key,
        experiment_name=holdback.name,
        variants=tuple(holdback.variants.values_list("key", "name")),
        prefix=f"{drive.short(experiment.key)}-after-{number}",
    )
    return drive.Drive(story=told, names=names, start=start, until=timezone.now())


def watch(holdback: Experiment) -> None:
    """Hold what was held back to what its launch promised, as the schedule does every day."""
    holdbacks.watch(holdback.project, timezone.now())

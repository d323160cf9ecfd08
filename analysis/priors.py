"""What a project's past says of how large changes of a metric are before an experiment has spoken."""

import math

from analysis.models import EffectVector
from analysis.stats.bayes import LearnedPrior, learn_prior
from analysis.stats.unavailable import NotComputable
from experiments.domain.lifecycle import Status
from experiments.models import Experiment

MOST = 200
"""Past treatments that are read, the newest first: more would say the same and cost a page its time."""


def learned(experiment: Experiment, metric: str) -> LearnedPrior | NotComputable:
    """Learn from the log lifts of the project's other experiments that have ended and whose split held."""
    rows = (
        EffectVector.objects.filter(
            project=experiment.project_id,
            trustworthy=True,
            metrics__contains=[metric],
            experiment__status=Status.STOPPED,
        )
        .exclude(experiment=experiment)
        .order_by("-as_of")
        .values_list("variant", "metrics", "log_lifts", "log_covariance")
    )
    effects: dict[int, tuple[float, float]] = {}
    for variant, metrics, lifts, covariance in rows[:MOST]:
        place = metrics.index(metric)
        variance = covariance[_diagonal(place, len(metrics))]
        if variant not in effects and math.isfinite(lifts[place]) and math.isfinite(variance) and variance > 0:
            effects[variant] = (lifts[place], math.sqrt(variance))
    return learn_prior([effect for effect, _ in effects.values()], [error for _, error in effects.values()])


def _diagonal(place: int, size: int) -> int:
    """Return where a row's own variance lies in an upper triangle that is kept row by row."""
    return place * size - place * (place - 1) // 2

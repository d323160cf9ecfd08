"""What an experiment counts, as the readers of folded units need it: one value a metric of its plan."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from analysis.decisions.reading import FORMS
from analysis.models import DaySum, FoldedProject
from analysis.stats.estimates import Form
from experiments.domain.definitions import UNADJUSTED, Definition
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment, ExperimentMetric, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A metric as an experiment counts it. ``adjusted``: what units did before their exposure is kept beside it."""

    metric: int
    key: str
    definition: Definition
    adjusted: bool = False
    cap: float | None = None

    @property
    def form(self) -> Form:
        """Return how its value is formed from moments over units."""
        return FORMS[self.definition.kind]

    @property
    def is_quantile(self) -> bool:
        """Say whether it is over events and not over units, so that no moments give it."""
        return self.definition.kind is MetricKind.QUANTILE

    @property
    def limit(self) -> float | None:
        """Return the most that a unit's total can be: 1 of a share, or its cap (``cap`` is one that was found)."""
        if self.definition.is_bounded:
            return 1.0
        if self.cap is not None:
            return self.cap
        return None if self.definition.cap_value is None else float(self.definition.cap_value)

    @property
    def matures(self) -> int:
        """Return how many hours after its first exposure a unit counts."""
        return self.definition.matures_hours


def of_use(use: ExperimentMetric, experiment: Experiment) -> Counted:
    """Return a metric of an experiment's plan by the version that counts there."""
    definition = use.counted.definition()
    adjusted = experiment.adjusted and definition.covariate_days > 0 and definition.kind not in UNADJUSTED
    return Counted(metric=use.metric_id, key=use.metric.key, definition=definition, adjusted=adjusted)


def of_plan(experiment: Experiment) -> list[Counted]:
    """Return every metric of an experiment's plan, in its order."""
    return [of_use(use, experiment) for use in experiment.plan.select_related("metric", "version")]


def in_experiment(experiment: Experiment, metric: Metric) -> Counted:
    """Return one metric as an experiment counts it; by its newest version where it is not in the plan."""
    use = experiment.plan.filter(metric=metric).select_related("metric", "version").first()
    if use is None:
        return Counted(metric=metric.pk, key=metric.key, definition=metric.definition())
    return of_use(use, experiment)


def data_up_to(experiment: Experiment, as_of: datetime) -> datetime | None:
    """Return how far the experiment's events are folded: never after its stop, never in the future."""
    folded = FoldedProject.objects.filter(project=experiment.project_id).first()
    if folded is None:
        return None
    return min(time for time in (folded.data_up_to, experiment.stopped_at, as_of) if time is not None)


def kept_units(experiment: Experiment) -> int:
    """Return how many units there are, where the fold keeps their number; else 0."""
    return int(DaySum.objects.filter(experiment=experiment, slot=0).aggregate(n=Sum("units"))["n"] or 0)

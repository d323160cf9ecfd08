"""A/A certificates: how often each metric of a project would be called different where nothing differs."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from analysis import history
from analysis.decisions.reading import FORMS
from analysis.history import Source
from analysis.models import MetricCertificate
from analysis.stats import replay as replaying
from analysis.stats.replay import Replay
from experiments.domain.metrics import MetricKind
from experiments.models import Metric, Project


def certify(
    project: Project, chosen: Sequence[Metric], draws: int = 1000, seed: int = 0
) -> tuple[list[MetricCertificate], list[Metric]]:
    """Replay each metric on the units of the folded experiment that has most of them, and store what came out.

    Its units are split in two halves ``draws`` times, whatever variant they really had: such a split has no effect,
    even where the variants had one.

    Returns
    -------
    The certificates in the order of ``chosen``, and the metrics that no folded experiment has units for.
    """
    sources = history.sources(project, chosen)
    made: dict[int, MetricCertificate] = {}
    by_experiment: dict[int, list[Metric]] = {}
    for metric in chosen:
        if metric.pk in sources:
            by_experiment.setdefault(sources[metric.pk].experiment.pk, []).append(metric)
    for together in by_experiment.values():
        source = sources[together[0].pk]
        for metric, found in zip(together, _replays(source, together, draws, seed), strict=True):
            made[metric.pk] = _stored(metric, source, found)
    kept = [made[metric.pk] for metric in chosen if metric.pk in made]
    return kept, [metric for metric in chosen if metric.pk not in made]


def newest(project: Project) -> dict[int, MetricCertificate]:
    """Return each metric's newest certificate by the metric's id: what a page shows."""
    found = MetricCertificate.objects.filter(metric__project=project).order_by("metric_id", "-id").distinct("metric_id")
    return {one.metric_id: one for one in found}


def _replays(source: Source, metrics: Sequence[Metric], draws: int, seed: int) -> list[Replay]:
    tables = [history.totals(source.experiment, metric) for metric in metrics]
    widths = [table.shape[1] for table in tables]
    ends = list(accumulate(widths))
    asked = [
        replaying.Metric(form=FORMS[MetricKind(metric.kind)], columns=tuple(range(end - width, end)))
        for metric, width, end in zip(metrics, widths, ends, strict=True)
    ]
    values = np.column_stack(tables)
    return replaying.replay(values, asked, replaying.rehashed(np.arange(len(values)), seed=seed), draws)


def _stored(metric: Metric, source: Source, found: Replay) -> MetricCertificate:
    low, high = found.interval
    return MetricCertificate.objects.create(
        metric=metric,
        experiment=source.experiment,
        units=source.units,
        draws=found.draws,
        alpha=found.alpha,
        false_positives=found.false_positives,
        low=low,
        high=high,
        uniformity=found.uniformity,
        variance_ratio=found.variance_ratio,
        verdict=found.verdict.value,
        sentence=found.sentence,
    )

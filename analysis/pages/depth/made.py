"""How a metric's numbers were made: the versions of everything, and the SQL that gives its raw sums from the log."""

from dataclasses import dataclass

from analysis import caps
from analysis.counted import of_use
from analysis.explaining import statement
from analysis.results.schema import MetricResult, Results
from experiments.models import Experiment

ESTIMATES = {
    "quantile": "The quantile’s standard error comes from order statistics that know whose events they are "
    "(Deng, Knoblich, Lu 2018).",
    "mean": "Total over total; its variance by the delta method over {unit}s (Deng, Knoblich, Lu 2018).",
    "ratio": "Total over total; its variance by the delta method over {unit}s (Deng, Knoblich, Lu 2018).",
    "share": "A share of {unit}s with the unpooled variance p(1 − p)/n (Wald).",
    "plain": "A mean over {unit}s, compared by Welch’s test.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a reader needs to make the numbers again. ``sql`` is empty where the metric has left the plan."""

    estimate: str
    versions: list[tuple[str, str]]
    sql: str
    waits: bool


def made_of(experiment: Experiment, results: Results, metric: MetricResult) -> Made | None:
    """Return how a metric of an ordinary result was made; None of what no arms are kept of."""
    if not metric.arms:
        return None
    use = experiment.plan.select_related("metric", "version").filter(metric__key=metric.key).first()
    text = ""
    if use is not None and results.data_up_to is not None and experiment.started_at is not None:
        one = caps.as_kept(experiment, of_use(use, experiment))
        text = statement(experiment, one, results.as_of, results.data_up_to)
    how = metric.kind if metric.kind in ESTIMATES else "share" if _is_share(metric) else "plain"
    return Made(
        estimate=ESTIMATES[how].format(unit=results.experiment.unit_type),
        versions=[
            ("Metric", f"version {metric.version}"),
            ("Plan", f"phase {experiment.phase}, {results.looks.plan if results.looks else 'fixed'}".replace("_", " ")),
            ("Statistics", f"engine {results.engine_version}"),
            ("Risk", f"{results.alpha:g}"),
        ],
        sql=text,
        waits=use is not None and use.number != metric.version,
    )


def _is_share(metric: MetricResult) -> bool:
    return metric.kind in ("proportion", "retention", "funnel")

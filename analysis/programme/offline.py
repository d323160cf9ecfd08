"""From offline gains to online ones: what a point of an offline metric has meant, and what the next model may do."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.decisions.wording import inside
from analysis.programme import wording
from analysis.programme.choice import Known
from analysis.programme.facts import ends
from analysis.programme.schema import Offline
from analysis.programme.vectors import Vector
from analysis.stats.programme.calibration import OfflineOnline, offline_online, predict
from analysis.stats.programme.effects import FEWEST, Programme
from analysis.stats.programme.quality import Prediction
from analysis.stats.unavailable import NotComputable
from experiments.models import OfflineMetric

NORMAL_95 = 1.959963984540054  # standard errors from the middle to an end of a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An offline value with its sampling variance (0 where no interval was given), and the set it was measured on."""

    value: float
    variance: float
    on: str = ""


def readings(
    vectors: Sequence[Vector], programme: Programme, proxy: Known, business: Known, gain: float
) -> list[Offline]:
    """Return, for each offline metric that enough models have, what it has meant for the proxy and the business metric.

    Args:
        vectors: the treatments, in the order of ``programme``.
        programme: their effects on proxy and business metric.
        proxy, business: what they are called.
        gain: of the next model, in the offline metric's own unit.
    """
    found = []
    for metric, gains in _gains(vectors).items():
        if len(gains) < FEWEST:
            continue
        rows = np.array(sorted(gains))
        values = [gains[row] for row in rows]
        for column, online in ((0, proxy), (1, business)):
            calibrated = offline_online(
                [one.value for one in values],
                [one.variance for one in values],
                programme.effects[rows, column],
                programme.covariances[rows, column, column],
            )
            found.append(_reading(metric, online, len(rows), calibrated, gain))
    return found


def _gains(vectors: Sequence[Vector]) -> Mapping[str, dict[int, Measured]]:
    """Return each treatment's offline gain over its control, by offline metric and place in ``vectors``."""
    ids = {pk for one in vectors for pk in (one.model, one.control_model) if pk is not None}
    values = _values(ids)
    gains: dict[str, dict[int, Measured]] = defaultdict(dict)
    for place, one in enumerate(vectors):
        if one.model is None or one.control_model is None or one.model == one.control_model:
            continue
        new, old = values.get(one.model, {}), values.get(one.control_model, {})
        for metric in [metric for metric in new.keys() & old.keys() if new[metric].on == old[metric].on]:
            gains[metric][place] = Measured(
                value=new[metric].value - old[metric].value, variance=new[metric].variance + old[metric].variance
            )
    return gains


def _values(ids: set[int]) -> dict[int, dict[str, Measured]]:
    """Return the offline values of model versions, by metric; of several evaluation sets the first that was given."""
    found: dict[int, dict[str, Measured]] = defaultdict(dict)
    for row in OfflineMetric.objects.filter(model_version__in=ids).order_by("position", "pk"):
        half = 0.0 if row.low is None or row.high is None else (row.high - row.low) / 2
        measured = Measured(value=row.value, variance=(half / NORMAL_95) ** 2, on=row.evaluation_set)
        found[row.model_version_id].setdefault(row.known.label, measured)
    return found


def _reading(metric: str, online: Known, models: int, found: OfflineOnline | NotComputable, gain: float) -> Offline:
    if isinstance(found, NotComputable):
        return _without(metric, online, models, gain, f"{metric} and {inside(online.name)}: {found.reason}.")
    if not found.identified.identified:
        more = wording.missing(models, found.identified.missing)
        said = f"{metric} and {inside(online.name)}: {more[:1].lower()}{more[1:]}"
        return _without(metric, online, models, gain, said, found.identified.missing)
    predicted = predict(found, gain)
    told = isinstance(predicted, Prediction)
    span = predicted.interval if isinstance(predicted, Prediction) else None
    region = found.slope.region
    interval = None if region is None else ends(region)
    return Offline(
        offline_metric=metric,
        metric=online.key,
        name=online.name,
        models=models,
        sentence=_sentence(metric, online, found, predicted, gain),
        identified=True,
        missing=0,
        slope=found.slope.value,
        interval=interval,
        gain=gain,
        prediction=predicted.value if told and isinstance(predicted, Prediction) else None,
        prediction_interval=span,
        rank_correlation=found.rank_correlation,
    )


def _sentence(
    metric: str, online: Known, found: OfflineOnline, predicted: Prediction | NotComputable, gain: float
) -> str:
    if isinstance(predicted, NotComputable):
        return f"{metric} and {inside(online.name)}: {predicted.reason}."
    span = wording.lifts(predicted.interval)
    return (
        f"{wording.points(gain)} of {metric} may be expected to mean {span} {inside(online.name)} for the next model, "
        f"from {found.count} models."
    )


def _without(metric: str, online: Known, models: int, gain: float, said: str, missing: int | None = None) -> Offline:
    return Offline(
        offline_metric=metric,
        metric=online.key,
        name=online.name,
        models=models,
        sentence=said,
        identified=False,
        missing=missing,
        slope=None,
        interval=None,
        gain=gain,
        prediction=None,
        prediction_interval=None,
        rank_correlation=None,
    )

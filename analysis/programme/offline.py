"""From offline gains to online ones: what a point of an offline metric has meant, and what the next model may do."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from analysis.decisions.wording import inside
from analysis.examples.storing import ComparedVersions
from analysis.models import VersionComparison
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
    """An offline gain with its sampling variance (0 where none is known)."""

    value: float
    variance: float


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


Pair = tuple[int, int]
"""Ids of two model versions: the control's and the treatment's."""


def _gains(vectors: Sequence[Vector]) -> Mapping[str, dict[int, Measured]]:
    """Return each treatment's offline gain over its control, by offline metric and place in ``vectors``.

    Where both versions' scores of single examples are known, the gain has the error of their paired comparison.
    Otherwise it counts as exact: two versions on the same examples share most of their error, and taking both for
    independent would correct for noise that is not there. Values on different evaluation sets are not compared.
    """
    pairs = {
        (one.control_model, one.model)
        for one in vectors
        if one.model is not None and one.control_model is not None and one.model != one.control_model
    }
    values, paired = _values({pk for pair in pairs for pk in pair}), _paired(pairs)
    gains: dict[str, dict[int, Measured]] = defaultdict(dict)
    for place, one in enumerate(vectors):
        pair = (one.control_model, one.model)
        if pair not in pairs or one.control_model is None or one.model is None:
            continue
        old, new = values.get(one.control_model, {}), values.get(one.model, {})
        for metric, evaluation_set in sorted(old.keys() & new.keys(), reverse=True):
            exact = Measured(value=new[metric, evaluation_set] - old[metric, evaluation_set], variance=0.0)
            gains[metric][place] = paired.get((one.control_model, one.model), {}).get(metric, exact)
    return gains


def _values(ids: set[int]) -> dict[int, dict[tuple[str, str], float]]:
    """Return the offline values of model versions, by metric and evaluation set."""
    found: dict[int, dict[tuple[str, str], float]] = defaultdict(dict)
    rows = OfflineMetric.objects.filter(model_version__in=ids)
    for pk, metric, evaluation_set, value in rows.values_list("model_version", "name", "evaluation_set", "value"):
        found[pk][metric, evaluation_set] = value
    return found


def _paired(pairs: set[Pair]) -> dict[Pair, dict[str, Measured]]:
    """Return the gains that were compared example by example, with their variances."""
    found: dict[Pair, dict[str, Measured]] = defaultdict(dict)
    chosen = VersionComparison.objects.filter(old__in={one for one, _ in pairs}, new__in={new for _, new in pairs})
    for kept in chosen:
        if (kept.old_id, kept.new_id) in pairs:
            for one in msgspec.convert(kept.payload, ComparedVersions).metrics:
                variance = ((one.high - one.low) / (2 * NORMAL_95)) ** 2
                found[kept.old_id, kept.new_id][one.name] = Measured(value=one.value, variance=variance)
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

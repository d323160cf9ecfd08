"""Programmes in the database whose truth is known: experiments with effect vectors and no events behind them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from analysis.models import EffectVector
from analysis.programme.vectors import FOLDS
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import DisplayUnit, MetricKind
from experiments.models import Experiment, Metric, ModelVersion, OfflineMetric, Project, Variant
from tests import builders
from tests.builders import T0

PROXY, BUSINESS = "click-through", "revenue"


def metrics(home: Project, *others: str) -> list[Metric]:
    """Clicks, revenue and whatever else is named."""
    made = [
        builders.metric(home, PROXY, name="Click-through", kind=MetricKind.RATIO, denominator_event="List Viewed"),
        builders.metric(
            home, BUSINESS, name="Revenue per user", kind=MetricKind.SUM, property="revenue",
            display_unit=DisplayUnit.CURRENCY,
        ),
    ]  # fmt: skip
    return [*made, *(builders.metric(home, key, kind=MetricKind.COUNT) for key in others)]


def programme(
    home: Project,
    count: int,
    *,
    slope: float = 0.5,
    signal: float = 2.0,
    seed: int = 1,
    others: Sequence[str] = (),
    ended: datetime = T0,
    family: bool = False,
    **fields: object,
) -> list[Experiment]:
    """K stopped experiments: clicks N(0, 5 %²), revenue = slope x clicks + N(0, 1.5 %²), noise correlated by .5.

    Other metrics have effects and noise of their own. With ``family`` each treatment is a model version that gained
    about a point of NDCG for each per cent of clicks.
    """
    rng = np.random.default_rng(seed)
    keys = [PROXY, BUSINESS, *others]
    width = len(keys)
    base = np.eye(width) / 2 + 0.5
    made = Experiment.objects.bulk_create(
        Experiment(
            project=home, key=f"e{seed}-{k}", name=f"Idea {seed}-{k}", status=Status.STOPPED, planned_days=14,
            started_at=ended - timedelta(days=14), stopped_at=ended, **fields,
        )
        for k in range(count)
    )  # fmt: skip
    models = _models(home, count, seed) if family else [None] * (count + 1)
    controls = [
        Variant(experiment=e, key="control", name="Control", position=0, weight=5000, model_version=models[0])
        for e in made
    ]
    treatments = [
        Variant(experiment=e, key="treatment", name="Treatment", position=1, weight=5000, model_version=models[k + 1])
        for k, e in enumerate(made)
    ]
    Variant.objects.bulk_create([*controls, *treatments])
    rows = []
    offline = [OfflineMetric(model_version=m, name="NDCG@10", value=0.4, direction="increase") for m in models if m]
    for k, (one, treatment) in enumerate(zip(made, treatments, strict=True)):
        units = int(20_000 * np.exp(0.6 * rng.normal()))
        true = 0.05 * rng.normal(size=width)
        true[1] = slope * true[0] + 0.015 * rng.normal()
        noise = base * 0.05**2 / signal * 20_000 / units
        seen = rng.multivariate_normal(true, noise)
        folds = rng.multivariate_normal(true, noise * FOLDS, size=FOLDS)
        rows.append(vector(one, treatment, keys, seen, noise, folds + seen - folds.mean(axis=0), units))
        if family:
            offline[k + 1].value = offline[0].value + true[0] + 0.005 * rng.normal()
    EffectVector.objects.bulk_create(rows)
    if family:
        OfflineMetric.objects.bulk_create(offline)
    return made


def vector(of: Experiment, treatment: Variant, keys, lifts, noise, folds, units: int) -> EffectVector:
    upper = np.triu_indices(len(keys))
    return EffectVector(
        project=of.project, experiment=of, phase=of.phase, variant=treatment, definition="d", as_of=T0,
        trustworthy=True, units=units // 2, control_units=units // 2, metrics=keys, control=[2.0] * len(keys),
        differences=(2 * np.expm1(lifts)).tolist(), covariance=(4 * noise)[upper].tolist(),
        log_lifts=np.asarray(lifts).tolist(), log_covariance=np.asarray(noise)[upper].tolist(),
        folds=np.asarray(folds).ravel().tolist(),
    )  # fmt: skip


def _models(home: Project, count: int, seed: int) -> list[ModelVersion]:
    return ModelVersion.objects.bulk_create(
        ModelVersion(project=home, name="ranker", version=f"{seed}-{k}") for k in range(count + 1)
    )

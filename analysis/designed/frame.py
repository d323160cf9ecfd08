"""What every result of a designed kind has in common with an ordinary one, so that pages, e-mails and API read both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analysis.decisions.readout import ENGINE_VERSION
from analysis.results.schema import (
    SCHEMA_VERSION,
    Check,
    ExperimentFacts,
    Health,
    MetricResult,
    Results,
    Srm,
    VariantFact,
    Verdict,
)
from analysis.stats.settings import DEFAULTS
from experiments.domain.lifecycle import day_of
from experiments.models import Experiment, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a reader found. ``more`` holds the kind's own optional part of ``Results``, by its name there."""

    verdict: Verdict
    checks: Sequence[Check]
    variants: Sequence[VariantFact]
    metrics: Sequence[MetricResult] = ()
    srm: Srm | None = None
    quarantined: int = 0
    data_up_to: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


def framed(experiment: Experiment, as_of: datetime, parts: Parts) -> Results:
    """Return the result of a started experiment as every reader of results takes it."""
    return Results(
        schema=SCHEMA_VERSION,
        engine_version=ENGINE_VERSION,
        as_of=as_of,
        data_up_to=parts.data_up_to,
        alpha=DEFAULTS.alpha,
        experiment=facts(experiment, as_of),
        variants=list(parts.variants),
        health=Health(
            trustworthy=all(check.ok is not False or check.key in HARMLESS for check in parts.checks),
            srm=parts.srm or Srm(p_value=None, counts={}, expected={}, threshold=DEFAULTS.srm_threshold),
            quarantined_units=parts.quarantined,
            checks=list(parts.checks),
        ),
        verdict=parts.verdict,
        metrics=list(parts.metrics),
        effect_over_time=[],
        exposures_per_day=[],
        **parts.more,
    )


HARMLESS = frozenset({"support", "rewards", "orphans", "regions", "late"})
"""Failed checks that qualify single numbers and do not make all of them wrong."""


def facts(experiment: Experiment, as_of: datetime) -> ExperimentFacts:
    """Return the experiment as it is now.

    Raises:
        ValueError: it is a draft.
    """
    started_at = experiment.counts_from
    if started_at is None:
        raise ValueError(f"{experiment.name} is a draft and has no results; start it first.")
    return ExperimentFacts(
        key=experiment.key,
        name=experiment.name,
        hypothesis=experiment.hypothesis,
        unit_type=experiment.unit_type,
        status=experiment.status,
        started_at=started_at,
        stopped_at=experiment.stopped_at,
        planned_days=experiment.planned_days,
        day=day_of(started_at, experiment.stopped_at, as_of),
        currency=experiment.project.currency,
    )


def is_over(experiment: Experiment, as_of: datetime) -> bool:
    """Say whether the planned days are over or it was stopped: only then is a gain called (decision record 3)."""
    if experiment.stopped_at is not None or experiment.counts_from is None:
        return True
    return (as_of - experiment.counts_from).total_seconds() >= experiment.planned_days * 86_400


def variant_fact(variant: Variant, units: int, share: float | None, expected: float) -> VariantFact:
    """Return a variant with its number of units."""
    model = variant.model_version
    return VariantFact(
        key=variant.key,
        name=variant.name,
        is_control=variant.is_control,
        weight=variant.weight,
        units=units,
        expected_share=expected,
        share=share,
        model_version=str(model) if model else None,
        offline_metric=(model.offline_metric or None) if model else None,
        offline_value=model.offline_value if model else None,
    )

"""The units for which the app found that the variants' outputs differ, and the effect that they carry over to all."""

import math
from collections.abc import Sequence

from analysis.decisions.reading import FORMS
from analysis.looking import Course
from analysis.moment_sets import Cells
from analysis.results.schema import TriggeredEffect, TriggeredShare
from analysis.stats.compare import Difference
from analysis.stats.estimates import Form
from analysis.stats.looks import at_look
from analysis.stats.moments import Moments
from analysis.stats.srm import SplitTest
from analysis.stats.triggered import Diluted, Triggered, triggered
from experiments.domain.metrics import MetricKind
from experiments.models import ExperimentMetric, Variant

FEWEST_UNITS = 100
"""Units with and without a difference, in each variant, below which nothing is said."""


def triggered_share(
    plan: Sequence[ExperimentMetric], variants: Sequence[Variant], cells: Cells, at: Course, alphas: dict[str, float]
) -> TriggeredShare | None:
    """Return the triggered analysis of every treatment and metric, or None where the app reports no difference.

    After the last look of a plan nothing is said: these units are not known as of a day. Ratios are left out, for they
    do not dilute by the share of units.
    """
    control = next(variant for variant in variants if variant.is_control)
    arms = {v.pk: (cells.of(v.pk, 1), cells.of(v.pk, 0)) for v in variants}
    smallest = min(part.n for both in arms.values() for part in both)
    if smallest < FEWEST_UNITS or at.facts.until is not None:
        return None
    effects = [
        _effect(use, control, variant, cells, arms, at, alphas[use.metric.key])
        for use in plan
        if dilutes(use)
        for variant in variants
        if not variant.is_control
    ]
    units = sum(differ.n for differ, _ in arms.values())
    total = units + sum(same.n for _, same in arms.values())
    return TriggeredShare(units=units, total=total, effects=effects)


def dilutes(use: ExperimentMetric) -> bool:
    """Say whether a metric's effect carries over by the share of units: not a ratio's, nor where units count late."""
    kind, definition = MetricKind(use.counted.kind), use.counted.definition()
    return FORMS[kind] is not Form.RATIO and kind is not MetricKind.QUANTILE and not definition.matures_hours


def _effect(
    use: ExperimentMetric,
    control: Variant,
    treatment: Variant,
    cells: Cells,
    arms: dict[int, tuple[Moments, Moments]],
    at: Course,
    alpha: float,
) -> TriggeredEffect:
    place = cells.place(use.metric.key)
    before, after = (
        (arms[variant.pk][0].select(place), arms[variant.pk][1].select(place)) for variant in (control, treatment)
    )
    weights = {"control": float(control.weight), "treatment": float(treatment.weight)}
    found = triggered(FORMS[MetricKind(use.counted.kind)], before, after, weights, alpha)
    return _told(use, treatment, found, at, alpha)


def _told(use: ExperimentMetric, treatment: Variant, found: Triggered, at: Course, alpha: float) -> TriggeredEffect:
    effect = found.effect if at.looking is None else at_look(found.effect, at.looking)
    now = effect.difference if isinstance(effect.difference, Difference) else None
    diluted = found.diluted if isinstance(found.diluted, Diluted) and now is not None else None
    reach = diluted.standard_error * now.quantile if diluted and now else math.inf
    bounded = diluted is not None and math.isfinite(reach)
    untouched = found.untouched.difference
    split = found.split
    return TriggeredEffect(
        metric=use.metric.key,
        name=use.metric.name,
        display_unit=use.metric.display_unit,
        variant=treatment.key,
        alpha=alpha,
        difference=now.value if now else None,
        lift=effect.lift,
        lift_interval=effect.lift_interval,
        p_value=now.p_value if now else None,
        diluted_difference=diluted.difference if diluted else None,
        diluted_interval=(diluted.difference - reach, diluted.difference + reach) if diluted and bounded else None,
        diluted_lift=diluted.lift if diluted else None,
        untouched_p_value=untouched.p_value if isinstance(untouched, Difference) else None,
        split_p_value=split.p_value if isinstance(split, SplitTest) else None,
        trustworthy=found.trustworthy,
        reason=found.reason,
    )

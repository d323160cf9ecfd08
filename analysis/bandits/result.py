"""From batches to a result: what is known of each variant in spite of moving shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scipy import stats

from analysis import pipeline
from analysis.bandits.moving import Plan, history, plan_of
from analysis.bandits.rewards import Stretch, batches, stretches
from analysis.bandits.sharing import next_shares
from analysis.bandits.verdict import Arm, Story, checks, verdict
from analysis.designed.frame import Parts, framed, is_over, variant_fact
from analysis.models import BanditBatch, Enrolment
from analysis.results.designs import BanditArm, BanditResult, BanditShares
from analysis.results.schema import Comparison, MetricResult, Reading, Results, Srm, VariantFact
from analysis.stats.bandits import ArmDifference, ArmMean
from analysis.stats.bandits import BanditResult as Means
from analysis.stats.batched_bandits import Batch, BatchedMeans, batched_means, batched_result, earned_over_even
from analysis.stats.estimates import Estimate
from analysis.stats.lift import Lift, fieller
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable
from experiments.domain.lifecycle import day_of
from experiments.domain.metrics import DisplayUnit
from experiments.domain.shares import WHOLE
from experiments.models import Experiment, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything about one bandit at one moment."""

    experiment: Experiment
    variants: list[Variant]
    plan: Plan
    rows: list[BanditBatch]
    batches: list[Batch]
    means: Means | NotComputable
    best: tuple[float, ...] | None
    as_of: datetime

    @property
    def alpha(self) -> float:
        """Return each comparison's share of the risk."""
        return DEFAULTS.alpha / max(1, len(self.variants) - 1)

    @property
    def is_over(self) -> bool:
        """Say whether the planned days and the last rewards' time are over, or it was stopped."""
        window = timedelta(hours=self.plan.design.window_hours)
        return self.experiment.stopped_at is not None or is_over(self.experiment, self.as_of - window)


def read(experiment: Experiment, as_of: datetime) -> Results | None:
    """Return the result of what units earned since the start."""
    if experiment.counts_from is None:
        return None
    found = _found(experiment, as_of)
    units = int(sum(batch.units.sum() for batch in found.batches))
    quarantined = Enrolment.objects.filter(experiment=experiment, quarantined=True).count()
    split_p = split_p_value(found.batches)
    checked = checks(split_p, DEFAULTS.srm_threshold, quarantined, units)
    trustworthy = all(check.ok is not False for check in checked)
    arms = _arms(found)
    parts = Parts(
        verdict=verdict(arms, _story(found), trustworthy=trustworthy),
        checks=checked,
        variants=_variants(found, units),
        metrics=[_metric(found, arms)],
        srm=Srm(p_value=split_p, counts=_counts(found), expected=_expected(found), threshold=DEFAULTS.srm_threshold),
        quarantined=quarantined,
        data_up_to=pipeline.data_up_to(experiment, as_of),
        more={"bandit": _result(found, arms)},
    )
    return framed(experiment, as_of, parts)


def _found(experiment: Experiment, as_of: datetime) -> Found:
    plan = plan_of(experiment)
    rows = history(experiment)
    variants = list(experiment.variants.select_related("model_version"))
    until = min(as_of, experiment.stopped_at or as_of)
    times = stretches(rows, plan.design, until) if rows else [_only(experiment, variants, until)]
    found = batches(experiment, plan.use.counted, plan.design, times, as_of)
    known = batched_means(found)
    best = None
    if isinstance(known, BatchedMeans) and (known.errors > 0).any():
        best = next_shares(known, plan.design, higher_is_better=plan.higher_is_better).best
    return Found(
        experiment=experiment,
        variants=variants,
        plan=plan,
        rows=rows,
        batches=found,
        means=batched_result(found, DEFAULTS.alpha / max(1, len(variants) - 1)),
        best=best,
        as_of=as_of,
    )


def _only(experiment: Experiment, variants: Sequence[Variant], until: datetime) -> Stretch:
    """Return the time from the start on, before a worker has written the first batch down."""
    first = experiment.counts_from or until
    return Stretch(number=0, first=first, last=until, shares=tuple(variant.weight for variant in variants))


def split_p_value(found: Sequence[Batch]) -> float | None:
    """Return the p-value that all batches together were dealt by their shares: chi-squares of batches add."""
    statistic, df = 0.0, 0
    for batch in found:
        expected = batch.units.sum() * batch.shares
        if expected.min() >= DEFAULTS.srm_min_expected:
            statistic += float(((batch.units - expected) ** 2 / expected).sum())
            df += len(expected) - 1
    return float(stats.chi2.sf(statistic, df)) if df else None


def _story(found: Found) -> Story:
    metric, design = found.plan.use.metric, found.plan.design
    learning = found.means.reason if isinstance(found.means, NotComputable) else ""
    if not learning and len(found.rows) < 2 and not found.is_over:
        learning = "The first batch is still being dealt."
    return Story(
        reward=metric.name,
        unit=DisplayUnit(metric.display_unit),
        unit_type=found.experiment.unit_type,
        currency=found.experiment.project.currency,
        is_over=found.is_over,
        day=day_of(found.experiment.counts_from, found.experiment.stopped_at, found.as_of),
        planned_days=found.experiment.planned_days,
        first_units=design.first_units,
        learning=f"{learning[:1].upper()}{learning[1:].rstrip('.')}." if learning else "",
    )


def _arms(found: Found) -> list[Arm]:
    return [_arm(found, place, variant) for place, variant in enumerate(found.variants)]


def _arm(found: Found, place: int, variant: Variant) -> Arm:
    mean, difference = _of(found, place)
    lift = _lift(found, place)
    return Arm(
        name=variant.name,
        is_control=variant.is_control,
        share=variant.weight / WHOLE,
        best=found.best[place] if found.best else None,
        value=mean.value if mean else None,
        difference=difference.value if difference else None,
        interval=difference.interval if difference else None,
        lift=lift.value if isinstance(lift, Lift) else None,
        lift_interval=lift.interval if isinstance(lift, Lift) and isinstance(lift.interval, tuple) else None,
        reading=_reading(found, difference) if not variant.is_control else Reading.NO_CLEAR_CHANGE,
    )


def _of(found: Found, place: int) -> tuple[ArmMean | None, ArmDifference | None]:
    if isinstance(found.means, NotComputable):
        return None, None
    return found.means.arms[place], found.means.differences[place - 1] if place else None


def _lift(found: Found, place: int) -> Lift | NotComputable | None:
    if isinstance(found.means, NotComputable) or place == 0:
        return None
    control, arm = found.means.arms[0], found.means.arms[place]
    return fieller(_estimate(control), _estimate(arm), float(stats.norm.isf(found.alpha / 2)))


def _estimate(one: ArmMean) -> Estimate:
    return Estimate(n=one.pulls, value=one.value, variance=one.standard_error**2, df=math.inf)


def _reading(found: Found, difference: ArmDifference | None) -> Reading:
    if difference is None or not found.is_over:
        return Reading.TOO_EARLY
    if difference.p_value >= found.alpha:
        return Reading.NO_CLEAR_CHANGE
    return Reading.BETTER if (difference.value > 0) == found.plan.higher_is_better else Reading.WORSE


def _metric(found: Found, arms: Sequence[Arm]) -> MetricResult:
    metric = found.plan.use.metric
    return MetricResult(
        key=metric.key,
        name=metric.name,
        description=metric.description,
        kind=found.plan.use.counted.kind,
        role="primary",
        direction=metric.direction,
        display_unit=metric.display_unit,
        margin=None,
        comparisons=[_comparison(found, place, arms[place].reading) for place in range(1, len(arms))],
    )


def _comparison(found: Found, place: int, reading: Reading) -> Comparison:
    mean, difference = _of(found, place)
    control, _ = _of(found, 0)
    lift = _lift(found, place)
    bounds = lift.interval if isinstance(lift, Lift) and isinstance(lift.interval, tuple) else None
    return Comparison(
        variant=found.variants[place].key,
        control=found.variants[0].key,
        n=mean.pulls if mean else 0,
        control_n=control.pulls if control else 0,
        value=mean.value if mean else None,
        control_value=control.value if control else None,
        difference=difference.value if difference else None,
        difference_interval=difference.interval if difference else None,
        lift=lift.value if isinstance(lift, Lift) else None,
        lift_interval=bounds,
        p_value=difference.p_value if difference else None,
        standard_error=difference.standard_error if difference else None,
        degrees_of_freedom=None,
        reading=reading,
        warnings=[found.means.reason] if isinstance(found.means, NotComputable) else [],
        alpha=found.alpha,
    )


def _variants(found: Found, units: int) -> list[VariantFact]:
    counts, expected = _counts(found), _expected(found)
    return [
        variant_fact(v, counts[v.key], counts[v.key] / units if units else None, expected[v.key] / max(1, units))
        for v in found.variants
    ]


def _counts(found: Found) -> dict[str, int]:
    sums = np.sum([batch.units for batch in found.batches], axis=0) if found.batches else np.zeros(len(found.variants))
    return {variant.key: int(sums[place]) for place, variant in enumerate(found.variants)}


def _expected(found: Found) -> dict[str, float]:
    wanted = [batch.units.sum() * batch.shares for batch in found.batches]
    sums = np.sum(wanted, axis=0) if wanted else np.zeros(len(found.variants))
    return {variant.key: float(sums[place]) for place, variant in enumerate(found.variants)}


def _result(found: Found, arms: Sequence[Arm]) -> BanditResult:
    earned = earned_over_even(found.batches)
    known = None if isinstance(earned, NotComputable) else earned
    return BanditResult(
        arms=[
            BanditArm(
                variant=variant.key,
                share=variant.weight,
                best=one.best,
                value=one.value,
                interval=mean.interval if (mean := _of(found, place)[0]) else None,
                units=mean.pulls if mean else 0,
            )
            for place, (variant, one) in enumerate(zip(found.variants, arms, strict=True))
        ],
        history=[
            BanditShares(number=row.number, began_at=row.began_at, shares=row.shares, best=row.best, units=row.units)
            for row in found.rows
        ],
        earned=known.value if known else None,
        earned_interval=known.interval if known else None,
        next_at=_next(found),
    )


def _next(found: Found) -> datetime | None:
    if not found.rows or found.experiment.status != "running":
        return None
    return found.rows[-1].began_at + timedelta(hours=found.plan.design.batch_hours)

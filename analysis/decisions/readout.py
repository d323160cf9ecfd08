"""The one door: moments and circumstances in, the schema's parts out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from msgspec import structs

from analysis.decisions import reading as readings
from analysis.decisions.alarm import ALARM_RISK, alarm_p_value, alarm_share
from analysis.decisions.arms import arms, uncapped_arms
from analysis.decisions.comparing import (
    adjusted_input,
    bounded,
    compare_input,
    compare_metric,
    looking_at,
    other_way,
    units_of,
)
from analysis.decisions.evidence import Evidence, Judged, subject
from analysis.decisions.health import health as check_health
from analysis.decisions.horizon import Horizon, horizon
from analysis.decisions.inputs import MetricInput, MetricPlan, Situation, VariantCount
from analysis.decisions.rules import DEFAULTS, Rules
from analysis.decisions.verdict import decide
from analysis.results.schema import Beside, Comparison, EffectPoint, Health, MetricResult, Reading, VariantFact, Verdict
from analysis.stats.compare import ComparisonNumbers, Difference
from analysis.stats.estimates import Estimate
from analysis.stats.group_sequential import boundaries
from analysis.stats.looks import Looking, PlannedLooks, at_look, widened
from analysis.stats.moments import Moments
from analysis.stats.reference import two_sided_quantile
from analysis.stats.sequential_estimates import AfterStopping, after_stopping
from analysis.stats.settings import DEFAULTS as STATS_DEFAULTS
from experiments.domain.metrics import MetricKind, MetricRole

ENGINE_VERSION = "1.2.1"
"""Goes into every snapshot; raise it whenever the same moments would give other numbers, readings or verdicts."""


_CALLED = (Reading.BETTER, Reading.WORSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """Everything the decision adds to ``analysis.results.schema.Results``. ``day`` is for ``ExperimentFacts``.

    ``evidence`` is what the verdict was made of, one entry a treatment.
    """

    day: int
    variants: list[VariantFact]
    health: Health
    metrics: list[MetricResult]
    verdict: Verdict
    evidence: list[Evidence]
    horizon: Horizon


def read_out(
    situation: Situation,
    variants: Sequence[VariantCount],
    metrics: Sequence[MetricInput],
    alpha: float = STATS_DEFAULTS.alpha,
    rules: Rules = DEFAULTS,
    looking: Looking | None = None,
) -> Readout:
    """Turn moments into comparisons, readings, health and verdict.

    Args:
        situation: the circumstances.
        variants, metrics: units and moments.
        alpha: overall risk.
        rules: thresholds.
        looking: how the plan allows for reading before the end (fixed at the start): numbers, readings and verdict then
            hold at this look. None for a plan of one look, of which no gain is read early.

    Raises:
        ValueError: not exactly one control.
    """
    controls = [variant for variant in variants if variant.is_control]
    if len(controls) != 1:
        raise ValueError(f"one variant must be the control; got {len(controls)} of {len(variants)}")
    facts = variant_facts(variants)
    where = horizon(situation.started_at, situation.stopped_at, situation.as_of, situation.planned_days, rules)
    health = check_health(situation, facts, where, rules, looking=looking)
    treatments = [fact for fact in facts if not fact.is_control]
    share = primary_alpha(alpha, [metric.plan for metric in metrics], len(treatments))
    watched = alarm_share([metric.plan for metric in metrics], len(treatments))
    judge = _Judge(situation, controls[0].key, where, health.trustworthy, alpha, share, rules, looking, watched)
    judged = [[judge.judged(metric, treatment.key) for treatment in treatments] for metric in metrics]
    results = [
        structs.replace(
            metric_result(metric.plan, [one.comparison for one in row]),
            arms=arms(metric, [variant.key for variant in variants]),
            uncapped=uncapped_arms(metric, [variant.key for variant in variants]),
        )
        for metric, row in zip(metrics, judged, strict=True)
    ]
    evidence = [
        Evidence(
            variant=fact,
            subject=subject(fact, situation.experiment_name, alone=len(treatments) == 1),
            judged=tuple(row[index] for row in judged),
        )
        for index, fact in enumerate(treatments)
    ]
    verdict = decide(situation, facts, health, where, evidence, rules, looking)
    return Readout(
        day=where.day,
        variants=facts,
        health=health,
        metrics=results,
        verdict=verdict,
        evidence=evidence,
        horizon=where,
    )


@dataclass(frozen=True, slots=True)
class _Judge:
    """Compare and read metrics under one set of circumstances."""

    situation: Situation
    control: str
    horizon: Horizon
    trustworthy: bool
    alpha: float
    primary_alpha: float
    rules: Rules
    looking: Looking | None = None
    alarm_share: float = ALARM_RISK

    def judged(self, metric: MetricInput, treatment: str) -> Judged:
        """Compare one treatment with the control and read the result."""
        plan = metric.plan
        own = self.primary_alpha if plan.role is MetricRole.PRIMARY else self.alpha
        here = self if metric.looked is None else replace(self, looking=looking_at(self.looking, metric.looked))
        plain = compare_input(metric, self.control, treatment, own)
        once = adjusted_input(plain, metric, self.control, treatment)
        numbers = here.at_this_look(plan, once)
        comparison = structs.replace(
            here.comparison(metric, treatment, numbers),
            variance_reduction=numbers.variance_reduction,
            beside=list(here.other_ways(metric, treatment, plain, numbers)),
        )
        return Judged(
            plan=plan,
            comparison=comparison if here.looking is None else beside(comparison, once),
            denominator_moved=numbers.denominator_moved,
        )

    def other_ways(
        self, metric: MetricInput, treatment: str, plain: ComparisonNumbers, shown: ComparisonNumbers
    ) -> Iterator[Beside]:
        """Yield the comparison without the adjustment and without the cap, where there is one."""
        if shown.unadjusted is not None:
            yield other_way("unadjusted", self.at_this_look(metric.plan, plain))
        if metric.uncapped:
            whole = compare_input(replace(metric, moments=metric.uncapped), self.control, treatment, plain.alpha)
            yield other_way("uncapped", self.at_this_look(metric.plan, whole))

    def at_this_look(self, plan: MetricPlan, numbers: ComparisonNumbers) -> ComparisonNumbers:
        """Return the numbers that hold although the experiment was looked at before; unchanged for one look.

        Harm before the end need not wait for its boundary: where it passes the interim level, the numbers shown are
        those of that test.
        """
        if self.looking is None:
            return numbers
        found, looked = numbers.difference, at_look(numbers, self.looking)
        now = looked.difference
        urgent = isinstance(found, Difference) and found.p_value < self.rules.interim_alpha
        if not self.horizon.peeking or not urgent or not isinstance(found, Difference):
            return looked
        if readings.is_gain(plan, found) or (isinstance(now, Difference) and now.p_value < numbers.alpha):
            return looked
        level = self.rules.interim_alpha
        return widened(replace(numbers, alpha=level), found, two_sided_quantile(level, found.df), found.p_value)

    def comparison(self, metric: MetricInput, treatment: str, numbers: ComparisonNumbers) -> Comparison:
        """Return the numbers of one comparison with their reading."""
        plan = metric.plan
        said = readings.read(
            plan,
            numbers,
            self.horizon,
            trustworthy=self.trustworthy,
            unit_type=self.situation.unit_type,
            rules=self.rules,
            looking=self.looking,
        )
        found = numbers.difference if isinstance(numbers.difference, Difference) else None
        alarm = alarm_p_value(plan, numbers, self.alarm_share) if self.trustworthy else None
        return Comparison(
            variant=treatment,
            control=self.control,
            n=units_of(metric, treatment),
            control_n=units_of(metric, self.control),
            value=numbers.treatment.value if isinstance(numbers.treatment, Estimate) else None,
            control_value=numbers.control.value if isinstance(numbers.control, Estimate) else None,
            difference=found.value if found else None,
            difference_interval=bounded(found.interval) if found else None,
            lift=numbers.lift,
            lift_interval=numbers.lift_interval,
            p_value=found.p_value if found else None,
            standard_error=found.standard_error if found else None,
            degrees_of_freedom=found.df if found and math.isfinite(found.df) else None,
            reading=said.reading,
            margin_crossed=self.crossed(plan, numbers),
            # Why there is no number is the reason why there is no reading: once is enough.
            warnings=[*said.reasons, *(() if found is None and said.reasons else numbers.notes)],
            alpha=numbers.alpha,
            adjusted_p_value=min(1.0, found.p_value * self.alpha / numbers.alpha) if found else None,
            size=self.size(plan, numbers),
            boundary=found.quantile if found and self.looking is not None and math.isfinite(found.quantile) else None,
            unbiased_difference=self.unbiased(numbers) if said.reading in _CALLED else None,
            watch_p_value=alarm,
            watch_alpha=None if alarm is None else self.alarm_share,
        )

    def crossed(self, plan: MetricPlan, numbers: ComparisonNumbers) -> bool | None:
        """Say whether a guardrail's limit is shown to be crossed or held."""
        return readings.margin_crossed(
            plan,
            numbers,
            self.horizon,
            trustworthy=self.trustworthy,
            alpha=self.alpha,
            rules=self.rules,
            looking=self.looking,
        )

    def size(self, plan: MetricPlan, numbers: ComparisonNumbers) -> str | None:
        """Say how the change compares with the smallest that matters, where that may be said yet."""
        if not self.trustworthy or (self.horizon.peeking and self.looking is None):
            return None
        return readings.size(plan, numbers, self.alpha, self.looking)

    def unbiased(self, numbers: ComparisonNumbers) -> float | None:
        """Return the estimate that allows for having stopped at this look of a group-sequential plan."""
        found = numbers.difference
        if not isinstance(self.looking, PlannedLooks) or not isinstance(found, Difference):
            return None
        plan = replace(self.looking.plan, alpha=numbers.alpha)
        bounds = boundaries(plan, self.looking.information, final=self.looking.final)
        stopped = after_stopping(bounds, found.value, found.standard_error, numbers.alpha)
        return stopped.estimate if isinstance(stopped, AfterStopping) else None


def beside(comparison: Comparison, once: ComparisonNumbers) -> Comparison:
    """Return the comparison with what a single look would have said beside it."""
    if not isinstance(once.difference, Difference):
        return comparison
    return structs.replace(
        comparison,
        fixed_p_value=once.difference.p_value,
        fixed_difference_interval=once.difference.interval,
        fixed_lift_interval=once.lift_interval,
    )


def variant_facts(variants: Sequence[VariantCount]) -> list[VariantFact]:
    """Add each variant's share of the exposed units, expected and seen."""
    weight = sum(variant.weight for variant in variants)
    total = sum(variant.units for variant in variants)
    return [
        VariantFact(
            key=variant.key,
            name=variant.name,
            is_control=variant.is_control,
            weight=variant.weight,
            units=variant.units,
            expected_share=variant.weight / weight if weight else 0.0,
            share=variant.units / total if total else None,
            model_version=variant.model_version,
            offline_metric=variant.offline[0].name if variant.offline else None,
            offline_value=variant.offline[0].value if variant.offline else None,
        )
        for variant in variants
    ]


def metric_result(plan: MetricPlan, comparisons: list[Comparison]) -> MetricResult:
    """Return a metric's result with one comparison a treatment."""
    return MetricResult(
        key=plan.key,
        name=plan.name,
        description=plan.description,
        kind=plan.kind.value,
        role=plan.role.value,
        direction=plan.direction.value,
        display_unit=plan.display_unit.value,
        margin=plan.margin,
        comparisons=comparisons,
        definition=plan.definition,
        version=plan.version,
        notes=list(plan.notes),
    )


def primary_alpha(alpha: float, plans: Sequence[MetricPlan], treatments: int) -> float:
    """Return each primary comparison's share of alpha: alpha / (primary metrics x treatments), Bonferroni."""
    primaries = sum(plan.role is MetricRole.PRIMARY for plan in plans)
    return alpha / max(1, primaries * treatments)


def effect_point(
    day: date, kind: MetricKind, control: Moments, treatment: Moments, alpha: float, multiplier: float | None = None
) -> EffectPoint:
    """Return the effect as it stood at the end of ``day``, from the moments over all units enrolled by then.

    Its interval is at 1 - alpha for one look, or ``multiplier`` standard errors wide on each side (infinite: none).
    """
    numbers = compare_metric(kind, control, treatment, alpha)
    found = numbers.difference if isinstance(numbers.difference, Difference) else None
    if found is not None and multiplier is not None:
        if math.isinf(multiplier):
            return EffectPoint(
                day=day, n=treatment.n, control_n=control.n, lift=numbers.lift, lift_interval=None,
                difference=found.value, difference_interval=None,
            )  # fmt: skip
        numbers = widened(numbers, found, multiplier, found.p_value)
        found = numbers.difference if isinstance(numbers.difference, Difference) else found
    return EffectPoint(
        day=day,
        n=treatment.n,
        control_n=control.n,
        lift=numbers.lift,
        lift_interval=numbers.lift_interval,
        difference=found.value if found else None,
        difference_interval=found.interval if found else None,
    )

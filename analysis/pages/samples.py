"""A made-up result with every kind of row, for the style guide."""

from datetime import UTC, datetime, timedelta

from analysis.pages.sample_chains import CHAINS
from analysis.results.schema import (
    SCHEMA_VERSION,
    Check,
    Comparison,
    EffectPoint,
    EffectSeries,
    ExperimentFacts,
    ExposurePoint,
    Health,
    MetricResult,
    Reading,
    Results,
    Srm,
    Tone,
    VariantFact,
    Verdict,
)

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAYS = 10
UNITS = 92_103
# key, name, kind, role, direction, unit, margin, control's value, lift, half width of its interval
METRICS = [
    ("purchase-rate", "Purchase rate", "proportion", "primary", "increase", "percent", None, 0.1204, 0.004, 0.030),
    ("latency", "Ranking latency", "average", "guardrail", "decrease", "milliseconds", 0.03, 184.0, 0.061, 0.017),
    ("refund-rate", "Refund rate", "proportion", "guardrail", "decrease", "percent", 0.03, 0.0231, 0.005, 0.40),
    ("clicks", "Clicks per user", "count", "secondary", "increase", "number", None, 3.12, 0.142, 0.012),
    ("revenue", "Revenue per user", "sum", "secondary", "increase", "currency", None, 18.42, -0.012, 0.041),
]


def sample(*, trustworthy: bool = True) -> Results:
    """Return a result in which clicks rose and purchases did not; or the same with a broken split."""
    split = UNITS if trustworthy else int(UNITS * 0.94)
    return Results(
        schema=SCHEMA_VERSION,
        engine_version="sample",
        as_of=BEGAN + timedelta(days=DAYS),
        data_up_to=BEGAN + timedelta(days=DAYS),
        alpha=0.05,
        experiment=_facts(),
        variants=[_variant("control", 0, UNITS, 0.412), _variant("treatment", 1, split, 0.431)],
        health=_health(trustworthy=trustworthy, units=split),
        verdict=_verdict(trustworthy=trustworthy),
        metrics=[_metric(row) for row in METRICS],
        effect_over_time=[_series(row) for row in METRICS],
        exposures_per_day=[
            ExposurePoint(day=(BEGAN + timedelta(days=day)).date(), variant=key, units=units // DAYS)
            for day in range(DAYS)
            for key, units in (("control", UNITS), ("treatment", split))
        ],
        chains=CHAINS if trustworthy else [],
    )


def _facts() -> ExperimentFacts:
    return ExperimentFacts(
        key="bigger-pictures",
        name="Bigger pictures",
        hypothesis="Bigger pictures help people choose.",
        unit_type="user",
        status="running",
        started_at=BEGAN,
        stopped_at=None,
        planned_days=14,
        day=DAYS,
        currency="EUR",
    )


def _variant(key: str, position: int, units: int, offline: float) -> VariantFact:
    return VariantFact(
        key=key,
        name=key.capitalize(),
        is_control=position == 0,
        weight=5000,
        units=units,
        expected_share=0.5,
        share=units / (2 * UNITS),
        model_version=f"ranker v{position + 1}",
        offline_metric="NDCG@10",
        offline_value=offline,
    )


def _health(*, trustworthy: bool, units: int) -> Health:
    split = Check(
        key="split",
        name="Traffic split",
        ok=trustworthy,
        summary="as designed (p = 0.44)" if trustworthy else "is not the planned 50 / 50 (p < 0.001).",
        what_to_do="" if trustworthy else "Look for a variant that loses exposures: redirects, crashes, filters.",
    )
    return Health(
        trustworthy=trustworthy,
        srm=Srm(p_value=0.44, counts={"control": UNITS, "treatment": units}, expected={}, threshold=0.001),
        quarantined_units=3,
        checks=[split, Check(key="duration", name="Planned duration", ok=None, summary="day 10 of 14")],
    )


def _verdict(*, trustworthy: bool) -> Verdict:
    if not trustworthy:
        return Verdict(
            decision="fix",
            tone=Tone.BAD,
            headline="The traffic split is broken: nothing here can be believed.",
            explanation="The treatment has 6% fewer units than planned.",
            reasons=["The split check failed."],
            next_step="Find the cause, fix it, and start again.",
        )
    return Verdict(
        decision="iterate",
        tone=Tone.WARN,
        headline="Clicks rose, purchases did not. Do not ship on clicks.",
        explanation="Clicks per user rose by 14.2%; the purchase rate shows no clear change (−2.6% to +3.4%).",
        reasons=["The primary metric shows no clear change."],
        next_step="Find out what the extra clicks are.",
    )


MetricRow = tuple[str, str, str, str, str, str, float | None, float, float, float]


def _metric(row: MetricRow) -> MetricResult:
    key, name, kind, role, direction, unit, margin, value, lift, half = row
    good = Reading.BETTER if (lift > 0) == (direction == "increase") else Reading.WORSE
    comparison = Comparison(
        variant="treatment",
        control="control",
        n=UNITS,
        control_n=UNITS,
        value=value * (1 + lift),
        control_value=value,
        difference=value * lift,
        difference_interval=(value * (lift - half), value * (lift + half)),
        lift=lift,
        lift_interval=(lift - half, lift + half),
        p_value=0.0004 if abs(lift) > half else 0.42,
        standard_error=value * half / 1.96,
        degrees_of_freedom=2.0 * UNITS - 2,
        reading=good if abs(lift) > half else Reading.NO_CLEAR_CHANGE,
        margin_crossed=lift - half > margin if margin else None,
    )
    return MetricResult(
        key=key, name=name, description="", kind=kind, role=role, direction=direction, display_unit=unit,
        margin=margin, comparisons=[comparison],
    )  # fmt: skip


def _series(row: MetricRow) -> EffectSeries:
    key, lift, half = row[0], row[8], row[9]
    return EffectSeries(metric=key, variant="treatment", points=[_point(day, lift, half) for day in range(1, DAYS + 1)])


def _point(day: int, lift: float, half: float) -> EffectPoint:
    wide = half * (DAYS / day) ** 0.5
    now = lift + (-1) ** day * wide / (3 + day)
    return EffectPoint(
        day=(BEGAN + timedelta(days=day - 1)).date(),
        n=UNITS * day // DAYS,
        control_n=UNITS * day // DAYS,
        lift=now,
        lift_interval=(now - wide, now + wide),
        difference=None,
        difference_interval=None,
    )

"""From a request to a report: load, compare, check, decide."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import msgspec

from analysis.decisions import reading as readings
from analysis.decisions.evidence import Evidence, Judged, subject
from analysis.decisions.health import health as check_health
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import MetricPlan, Situation, VariantCount
from analysis.decisions.readout import ENGINE_VERSION, primary_alpha, variant_facts
from analysis.decisions.verdict import decide
from analysis.results import schema
from analysis.stats.compare import ComparisonNumbers, Difference
from analysis.stats.estimates import Estimate, Form
from analysis.tables import checks, figures, report
from analysis.tables.breakdowns import breakdowns
from analysis.tables.comparing import FORMS, PLANNED_UNITS, Looks, from_estimates, from_moments
from analysis.tables.loading import Loaded, loaded
from analysis.tables.margins import crossed
from analysis.tables.progress import Progress
from analysis.tables.request import MetricSpec, MetricType, Request, whole
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole

_KINDS = {
    MetricType.PROPORTION: MetricKind.PROPORTION,
    MetricType.MEAN: MetricKind.SUM,
    MetricType.COUNT: MetricKind.COUNT,
    MetricType.RATIO: MetricKind.RATIO,
    MetricType.QUANTILE: MetricKind.SUM,
}
_NOW = datetime(2000, 1, 2, tzinfo=UTC)
"""Any moment will do: a file is read as an experiment that has ended."""
_ENDED = Horizon(day=1, planned_days=1, running=False, reached=True)
_ENDED_SAID = "Planned duration: not known; the file is read as one look at the end."
_SEQUENTIAL_SAID = "Always-valid intervals: the reading holds however often the data were looked at."


def analyse(request: Request, progress: Progress) -> report.Report:
    """Analyse one file.

    Raises:
        RefusalError: the file or an option does not allow it; the message is one line.
    """
    with loaded(request, progress) as table:
        return _Analysis(table, request, progress).made()


class _Analysis:
    """One loaded table under one request."""

    def __init__(self, table: Loaded, request: Request, progress: Progress) -> None:
        self.table, self.request, self.progress = table, request, progress
        self.treatments = [name for name in table.counts if name != request.control]
        self.plans = [self._plan(index, spec) for index, spec in enumerate(table.metrics)]
        self.primary_alpha = primary_alpha(request.alpha, self.plans, len(self.treatments))
        self.looks = Looks(sequential=request.sequential, planned_units=request.planned_units or PLANNED_UNITS)
        shares = request.weights or dict.fromkeys(table.counts, Fraction(1))
        self.weights = whole(shares)

    def made(self) -> report.Report:
        """Compare every metric and decide."""
        facts = variant_facts(
            [
                VariantCount(
                    key=name,
                    name=name,
                    is_control=name == self.request.control,
                    weight=self.weights[name],
                    units=units,
                )
                for name, units in self.table.counts.items()
            ]
        )
        situation = self._situation()
        health = check_health(situation, facts, _ENDED)
        judged = []
        for index in range(len(self.table.metrics)):
            with self.progress.step(f"Comparing {self.plans[index].name}", self.table.connection):
                judged.append(self._judged(index, trustworthy=health.trustworthy))
        evidence = [
            Evidence(variant=fact, subject=subject(fact, "", alone=False), judged=tuple(row[i] for row in judged))
            for i, fact in enumerate(facts[1:])
        ]
        said = decide(situation, facts, health, _ENDED, evidence)
        return report.Report(
            schema=report.SCHEMA,
            engine_version=ENGINE_VERSION,
            health=self._health(health),
            metrics=[
                _metric(spec, plan, row) for spec, plan, row in zip(self.table.metrics, self.plans, judged, strict=True)
            ],
            verdict=self._verdict(said),
            segments=breakdowns(self.table, self.request, self.treatments) if health.trustworthy else [],
        )

    def _plan(self, index: int, spec: MetricSpec) -> MetricPlan:
        asked = self.request
        first = next((one.name for one in self.table.metrics if one.name not in asked.guardrails), None)
        role = MetricRole.PRIMARY if spec.name == first else MetricRole.SECONDARY
        share = spec.type is MetricType.PROPORTION
        return MetricPlan(
            key=f"m{index}",
            name=spec.name,
            kind=_KINDS[spec.type or MetricType.MEAN],
            role=MetricRole.GUARDRAIL if spec.name in asked.guardrails else role,
            direction=Direction.DECREASE if spec.name in asked.lower_is_better else Direction.INCREASE,
            display_unit=DisplayUnit.PERCENT if share else DisplayUnit.NUMBER,
            margin=asked.guardrails.get(spec.name),
        )

    def _situation(self) -> Situation:
        return Situation(
            experiment_name="",
            unit_type="unit" if self.request.unit else "row",
            started_at=_NOW - timedelta(days=1),
            stopped_at=_NOW,
            planned_days=1,
            as_of=_NOW,
            data_up_to=_NOW,
            quarantined_units=self.table.quarantined,
        )

    def _judged(self, index: int, *, trustworthy: bool) -> list[Judged]:
        spec, plan = self.table.metrics[index], self.plans[index]
        alpha = self.primary_alpha if plan.role is MetricRole.PRIMARY else self.request.alpha
        numbers = self._quantiles(index, alpha) if spec.type is MetricType.QUANTILE else self._means(index, alpha)
        missing = checks.unequal_missing(self.table, index)
        found = []
        for treatment, one in zip(self.treatments, numbers, strict=True):
            warned = replace(one, notes=(*one.notes, *missing))
            comparison = self._comparison(plan, treatment, warned, trustworthy=trustworthy)
            found.append(Judged(plan=plan, comparison=comparison, denominator_moved=one.denominator_moved))
        return found

    def _means(self, index: int, alpha: float) -> list[ComparisonNumbers]:
        spec = self.table.metrics[index]
        chosen = figures.columns(self.table, self.request, index)
        by_variant = figures.moments(self.table, chosen)
        form, control = FORMS[spec.type or MetricType.MEAN], by_variant.get(self.request.control)
        plain = None
        if chosen.cap is not None:
            plain = figures.moments(self.table, figures.columns(self.table, self.request, index, capped=False))
        found = []
        for treatment in self.treatments:
            numbers = from_moments(form, control, by_variant.get(treatment), len(chosen.covariates), alpha, self.looks)
            notes = list(numbers.notes)
            if isinstance(numbers.difference, Difference):
                notes += checks.outliers(
                    self.table, index, chosen.own[0], treatment, self.request.control, numbers.difference
                )
            if plain is not None and chosen.cap is not None:
                uncapped = from_moments(
                    form,
                    plain.get(self.request.control),
                    plain.get(treatment),
                    len(chosen.covariates),
                    alpha,
                    self.looks,
                )
                notes.append(_capped(chosen.cap, uncapped))
            found.append(replace(numbers, notes=tuple(notes)))
        return found

    def _quantiles(self, index: int, alpha: float) -> list[ComparisonNumbers]:
        control = figures.quantile(self.table, self.request, index, self.request.control)
        return [
            from_estimates(
                Form.MEAN, control, figures.quantile(self.table, self.request, index, treatment), alpha, 0.0, self.looks
            )
            for treatment in self.treatments
        ]

    def _comparison(
        self, plan: MetricPlan, treatment: str, numbers: ComparisonNumbers, *, trustworthy: bool
    ) -> schema.Comparison:
        unit = "unit" if self.request.unit else "row"
        said = readings.read(plan, numbers, _ENDED, trustworthy=trustworthy, unit_type=unit)
        found = numbers.difference if isinstance(numbers.difference, Difference) else None
        arms = [one if isinstance(one, Estimate) else None for one in (numbers.treatment, numbers.control)]
        counts = self.table.counts
        return schema.Comparison(
            variant=treatment,
            control=self.request.control,
            n=arms[0].n if arms[0] else counts[treatment],
            control_n=arms[1].n if arms[1] else counts[self.request.control],
            value=arms[0].value if arms[0] else None,
            control_value=arms[1].value if arms[1] else None,
            difference=found.value if found else None,
            difference_interval=found.interval if found else None,
            lift=numbers.lift,
            lift_interval=numbers.lift_interval,
            p_value=found.p_value if found else None,
            standard_error=found.standard_error if found else None,
            degrees_of_freedom=None,
            reading=said.reading,
            margin_crossed=crossed(plan, numbers, _ENDED, self.request.alpha, self.looks, trustworthy=trustworthy),
            warnings=list(dict.fromkeys([*said.reasons, *numbers.notes])),
            alpha=numbers.alpha,
            adjusted_p_value=min(1.0, found.p_value * self.request.alpha / numbers.alpha) if found else None,
        )

    def _health(self, health: schema.Health) -> report.Health:
        table, asked = self.table, self.request
        warnings = [
            f"{check.name}: {check.summary}. {check.what_to_do}".strip()
            for check in health.checks
            if check.ok is False and check.key == "traffic-split"
        ]
        if asked.weights is None and warnings:
            warnings.append(
                "No --weights were given, so equal shares were expected; give them if the split was uneven."
            )
        warnings += checks.unit_is_not_randomised(table, asked)
        for index, column in enumerate(asked.segments):
            warnings += checks.uneven_levels(column, checks.levels(table, f"s{index}"), self.weights)
        if asked.time:
            warnings += checks.uneven_levels("day", checks.levels(table, "t"), self.weights)
        return report.Health(
            srm=report.Srm(p_value=health.srm.p_value, counts=table.counts, expected=self._expected()),
            quarantined_units=table.quarantined,
            duplicate_rows=table.duplicates,
            missing=table.missing,
            warnings=warnings,
            rows=table.rows,
            mismatched_rows=table.bad_rows,
            notes=[*self._missing_notes(), *table.notes, *self._breakdown_notes(trustworthy=health.trustworthy)],
        )

    def _expected(self) -> dict[str, float]:
        """Return the units that the weights promise each variant, also where they are too few to test."""
        total, whole_weight = sum(self.table.counts.values()), sum(self.weights.values())
        return {name: total * self.weights[name] / whole_weight for name in self.table.counts}

    def _missing_notes(self) -> list[str]:
        notes = []
        for spec in self.table.metrics:
            for column in spec.columns:
                if count := self.table.missing.get(column):
                    as_zero = spec.type in (MetricType.PROPORTION, MetricType.COUNT)
                    one = count == 1
                    what = ("it counts" if one else "they count") + " as 0"
                    if not as_zero:
                        what = "it was left out" if one else "they were left out"
                    notes.append(f"{_rows_have(count)} no {column}; for {spec.name} ({spec.type}) {what}.")
        for column in self.table.covariates:
            if count := self.table.missing.get(column):
                notes.append(f"{_rows_have(count)} no {column}; the covariate is 0 there, with its own indicator.")
        return notes

    def _breakdown_notes(self, *, trustworthy: bool) -> list[str]:
        """Say what a breakdown leaves out, so that nobody takes it for what it is not."""
        asked, kinds = self.request, {spec.type for spec in self.table.metrics}
        if not asked.segments:
            return []
        if not trustworthy:
            return ["Breakdowns are withheld while the numbers are not trustworthy."]
        notes = ["Quantiles are not broken down by segment."] if MetricType.QUANTILE in kinds else []
        notes += ["Breakdowns are not adjusted for covariates."] if asked.covariates else []
        return notes + (["Intervals within segments are for one look."] if asked.sequential else [])

    def _verdict(self, said: schema.Verdict) -> report.Verdict:
        reasons = [one for one in said.reasons if not one.startswith("Planned duration:")]
        first = _SEQUENTIAL_SAID if self.request.sequential else _ENDED_SAID
        return report.Verdict(decision=str(said.decision), sentence=said.headline, reasons=[first, *reasons])


def _rows_have(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"


def _capped(cap: float, uncapped: ComparisonNumbers) -> str:
    found = uncapped.difference
    if not isinstance(found, Difference):
        return f"Capped at {cap:g} a unit in every variant."
    plain = f"{checks.signed(found.value)} (p = {found.p_value:.2g})"
    return f"Capped at {cap:g} a unit in every variant, which changes what is estimated. Without the cap: {plain}."


def _metric(spec: MetricSpec, plan: MetricPlan, row: Sequence[Judged]) -> report.Metric:
    found = []
    for one in row:
        fields = msgspec.structs.asdict(one.comparison)
        fields["mean"], fields["control_mean"] = fields.pop("value"), fields.pop("control_value")
        fields["reading"] = str(fields["reading"])
        named = report.Comparison.__struct_fields__
        found.append(report.Comparison(**{name: value for name, value in fields.items() if name in named}))
    return report.Metric(name=spec.name, type=str(spec.type), role=plan.role.value, comparisons=found)

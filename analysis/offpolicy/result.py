"""From logged decisions to a result: every candidate's value, or why the log cannot know it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analysis import pipeline
from analysis.designed.frame import Parts, framed, is_over, variant_fact
from analysis.offpolicy.decisions import Decisions
from analysis.offpolicy.events import Logged, from_events
from analysis.offpolicy.sums import PolicySums, policy_sums
from analysis.offpolicy.verdict import Candidate, Story, checks, verdict
from analysis.results.designs import (
    ClipPoint,
    OffPolicyResult,
    PolicyEstimate,
    PolicyResult,
    SegmentSupport,
    WeightBin,
)
from analysis.results.schema import Comparison, MetricResult, Reading, Results
from analysis.stats.offpolicy.evaluation import Evaluation, Gain, Value, judge
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable
from experiments.domain.designs.offpolicy import LogSource, OffPolicyDesign
from experiments.domain.designs.stored import read as read_design
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import Direction, DisplayUnit
from experiments.models import Experiment, Metric, Variant
from experiments.models.metric import Defined

HEADLINE = "Self-normalised"
METHODS = (HEADLINE, "Doubly robust", "Inverse propensity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One candidate with what the log says of it."""

    variant: Variant
    sums: PolicySums
    found: Evaluation | NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is evaluated: the policies, the reward, and where the log came from."""

    experiment: Experiment
    variants: list[Variant]
    metric: Metric
    counted: Defined
    source: str
    as_of: datetime
    waiting: str = ""
    data_up_to: datetime | None = None

    @property
    def candidates(self) -> list[Variant]:
        """Return every policy but the one that ran."""
        return [variant for variant in self.variants if not variant.is_control]

    @property
    def alpha(self) -> float:
        """Return each candidate's share of the risk."""
        return DEFAULTS.alpha / max(1, len(self.candidates))


def design_of(experiment: Experiment) -> OffPolicyDesign:
    """Return where decisions and rewards are found.

    Raises:
        TypeError: the experiment is of another kind.
    """
    design = read_design(ExperimentKind(experiment.kind), experiment.design)
    if not isinstance(design, OffPolicyDesign):
        raise TypeError(f"{experiment.key} is a {experiment.kind} and no off-policy evaluation.")
    return design


def read(experiment: Experiment, as_of: datetime) -> Results | None:
    """Return the result of what has been logged as events; None where the log is a file."""
    design = design_of(experiment)
    since = experiment.counts_from
    if design.source is LogSource.FILE or since is None:
        return None
    asked = asked_of(experiment, f"events “{design.decision_event}”", as_of, waiting=waiting_for(experiment, as_of))
    asked = replace(asked, data_up_to=pipeline.data_up_to(experiment, as_of))
    end = since + timedelta(days=experiment.planned_days)
    logged = Logged(
        project=experiment.project_id,
        unit_type=experiment.unit_type,
        design=design,
        counted=asked.counted,
        policies=[variant.key for variant in asked.candidates],
        since=since,
        until=min(end, experiment.stopped_at or end),
        as_of=as_of,
    )
    with from_events(logged) as decisions:
        return evaluated(asked, decisions)


def waiting_for(experiment: Experiment, as_of: datetime) -> str:
    """Say how far the logging is, or nothing once it is over and the last reward had its time."""
    design, since = design_of(experiment), experiment.counts_from
    if since is None:
        return ""
    window = timedelta(hours=design.window_hours)
    if is_over(experiment, as_of - window) or (experiment.stopped_at and as_of >= experiment.stopped_at + window):
        return ""
    day = min(experiment.planned_days, (as_of - since).days + 1)
    return f"day {day} of {experiment.planned_days}, and {design.window_hours} hours for the last rewards"


def asked_of(experiment: Experiment, source: str, as_of: datetime, waiting: str = "") -> Asked:
    """Return what an experiment asks of its log."""
    use = experiment.plan.select_related("metric", "version").get(role="primary")
    return Asked(
        experiment=experiment,
        variants=list(experiment.variants.select_related("model_version")),
        metric=use.metric,
        counted=use.counted,
        source=source,
        as_of=as_of,
        waiting=waiting,
    )


def evaluated(asked: Asked, decisions: Decisions) -> Results:
    """Return the result of a table of decisions."""
    judged = []
    for position, variant in enumerate(asked.candidates):
        sums = policy_sums(decisions, position)
        judged.append(Judged(variant=variant, sums=sums, found=judge(sums.tally, asked.alpha)))
    candidates = [_candidate(one, asked) for one in judged]
    broken = max((one.sums.tally.broken for one in judged), default=0)
    unit = DisplayUnit(asked.metric.display_unit)
    story = Story(
        reward=asked.metric.name,
        unit=unit,
        currency=asked.experiment.project.currency,
        rows=decisions.rows,
        waiting=asked.waiting,
    )
    parts = Parts(
        verdict=verdict(candidates, story),
        checks=checks(candidates, broken, decisions.rows, decisions.duplicates),
        variants=[variant_fact(v, decisions.rows if v.is_control else 0, None, 0.0) for v in asked.variants],
        metrics=[_metric(asked, judged, candidates)],
        data_up_to=asked.data_up_to,
        more={"off_policy": _result(asked, decisions, judged)},
    )
    return framed(asked.experiment, asked.as_of, parts)


def _result(asked: Asked, decisions: Decisions, judged: Sequence[Judged]) -> OffPolicyResult:
    known = next((one.found for one in judged if isinstance(one.found, Evaluation)), None)
    logged = known.logged if known is not None else None
    return OffPolicyResult(
        source=asked.source,
        rows=decisions.rows,
        duplicates=decisions.duplicates,
        units=known.clusters if known is not None else None,
        logged_value=known.logging if known is not None else _logged(judged),
        logged_interval=logged.interval if isinstance(logged, Value) else None,
        reward=asked.metric.name,
        display_unit=asked.metric.display_unit,
        policies=[_policy(one) for one in judged],
        notes=list(decisions.notes),
    )


def _logged(judged: Sequence[Judged]) -> float | None:
    """Return what ran earned where every candidate is refused: that much any sound log knows."""
    tally = judged[0].sums.tally if judged else None
    return None if tally is None or not tally.rows or tally.broken else float(tally.sums[3]) / tally.rows


def _policy(one: Judged) -> PolicyResult:
    found, tally = one.found, one.sums.tally
    weights, squares = float(tally.sums[0]), float(tally.squares[0])
    known = found if isinstance(found, Evaluation) else None
    return PolicyResult(
        variant=one.variant.key,
        refusal="" if known is not None else found.reason if isinstance(found, NotComputable) else "",
        estimates=[] if known is None else _estimates(known),
        effective=weights**2 / squares if squares > 0 else None,
        effective_rewards=None if known is None else known.effective_rewards,
        largest=tally.largest if tally.rows else None,
        mean_weight=weights / tally.rows if tally.rows else None,
        bins=[WeightBin(low=b.low, high=b.high, rows=b.rows, share=b.share) for b in one.sums.bins],
        clips=[] if known is None else [ClipPoint(limit=c.limit, value=c.snips, kept=c.kept) for c in known.clips],
        segments=[
            SegmentSupport(name=s.name, rows=s.rows, effective=s.effective, mean_weight=s.mean_weight)
            for s in one.sums.segments
        ],
        model_missing=one.sums.unmodelled,
    )


def _estimates(found: Evaluation) -> list[PolicyEstimate]:
    rows: list[tuple[str, Value | NotComputable, Gain | NotComputable]] = [
        (METHODS[0], found.snips, found.gain_snips),
        (METHODS[1], found.doubly_robust, found.gain_doubly_robust),
        (METHODS[2], found.ips, found.gain_ips),
    ]
    return [_estimate(*row) for row in rows]


def _estimate(method: str, value: Value | NotComputable, gain: Gain | NotComputable) -> PolicyEstimate:
    known, differs = isinstance(value, Value), isinstance(gain, Gain)
    return PolicyEstimate(
        method=method,
        value=value.value if isinstance(value, Value) else None,
        interval=value.interval if isinstance(value, Value) else None,
        difference=gain.value if known and isinstance(gain, Gain) else None,
        difference_interval=gain.interval if known and isinstance(gain, Gain) else None,
        p_value=gain.p_value if known and isinstance(gain, Gain) else None,
        reason="" if known and differs else value.reason if isinstance(value, NotComputable) else "",
    )


def _reading(found: Evaluation | NotComputable, asked: Asked) -> Reading:
    if isinstance(found, NotComputable) or isinstance(found.gain_snips, NotComputable):
        return Reading.NOT_TRUSTWORTHY
    if asked.waiting:
        return Reading.TOO_EARLY
    low, high = found.gain_snips.interval
    if low <= 0 <= high:
        return Reading.NO_CLEAR_CHANGE
    good = (low > 0) == (asked.metric.direction == Direction.INCREASE)
    return Reading.BETTER if good else Reading.WORSE


def _candidate(one: Judged, asked: Asked) -> Candidate:
    found = one.found
    known = found if isinstance(found, Evaluation) else None
    return Candidate(
        name=one.variant.name,
        refusal="" if known is not None else found.reason if isinstance(found, NotComputable) else "",
        value=None if known is None else known.snips.value,
        logged=None if known is None else known.logging,
        interval=None if known is None else known.snips.interval,
        reading=_reading(found, asked),
        effective_rewards=0.0 if known is None else known.effective_rewards,
    )


def _metric(asked: Asked, judged: Sequence[Judged], candidates: Sequence[Candidate]) -> MetricResult:
    metric, control = asked.metric, next(v.key for v in asked.variants if v.is_control)
    return MetricResult(
        key=metric.key,
        name=f"{metric.name} a decision",
        description=metric.description,
        kind=metric.kind,
        role="primary",
        direction=metric.direction,
        display_unit=metric.display_unit,
        margin=None,
        comparisons=[
            _comparison(one, candidate.reading, control, asked.alpha)
            for one, candidate in zip(judged, candidates, strict=True)
        ],
    )


def _comparison(one: Judged, reading: Reading, control: str, alpha: float) -> Comparison:
    found, tally = one.found, one.sums.tally
    known = found if isinstance(found, Evaluation) else None
    gain = known.gain_snips if known is not None and isinstance(known.gain_snips, Gain) else None
    return Comparison(
        variant=one.variant.key,
        control=control,
        n=tally.rows,
        control_n=tally.rows,
        value=None if known is None else known.snips.value,
        control_value=None if known is None else known.logging,
        difference=None if gain is None else gain.value,
        difference_interval=None if gain is None else gain.interval,
        lift=None if known is None or gain is None or not known.logging else gain.value / known.logging,
        # The logging policy's value is on the same rows: its own noise is in the difference and not beside it.
        lift_interval=None,
        p_value=None if gain is None else gain.p_value,
        standard_error=None if gain is None else gain.standard_error,
        degrees_of_freedom=None,
        reading=reading,
        warnings=[found.reason] if isinstance(found, NotComputable) else [],
        alpha=alpha,
    )

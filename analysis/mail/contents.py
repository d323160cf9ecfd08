"""What a result e-mail says, taken from a stored snapshot alone: nothing is computed again.

The table is the results page's own, so that e-mail and page cannot tell different numbers.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.designed.pages import block_of
from analysis.mail import wording
from analysis.pages.chain import ChainStrip, strips
from analysis.pages.table import Table, intervals, table
from analysis.results.schema import Check, EffectPoint, MetricResult, Results, Tone
from experiments.domain.lifecycle import Status, day_of
from experiments.models import Experiment
from experiments.pages import formats

# Running experiments are refreshed every minute or so: data a day old mean that something has stopped.
STALE_AFTER = timedelta(hours=24)
FRESHNESS = "exposure-data"  # the check that says the same when the snapshot itself was stale
SUBJECT_LIMIT = 180
MOST_TREATMENTS = 3
MOST_MARKS = 20  # about what a phone shows at once
GLYPHS = {Tone.GOOD: "✓", Tone.BAD: "!", Tone.WARN: "!", Tone.FLAT: "–"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRow:
    """A variant's units beside what its weight calls for."""

    name: str
    units: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart's title, and the sentence for whoever does not see it."""

    name: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One experiment's result in words. ``table`` is None where the readings are withheld.

    ``strips`` say how far a model's gain came, one a treatment that serves a model.
    """

    name: str
    hypothesis: str
    headline: str
    explanation: str
    next_step: str
    tone: Tone
    facts: list[tuple[str, str]]
    problems: list[str]
    table: Table | None
    intervals: str
    split: list[SplitRow]
    pictures: list[Picture]
    strips: list[ChainStrip]

    @property
    def subject(self) -> str:
        """State the finding, with the experiment's name unless the sentence has it."""
        return wording.one_line(named(self.name, self.headline), SUBJECT_LIMIT)

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return GLYPHS[self.tone]


def tell(results: Results, time_zone: str, now: datetime) -> Story:
    """Put a snapshot into words for a reader in this time zone. Readings of a broken experiment are withheld."""
    return Story(
        name=results.experiment.name,
        hypothesis=results.experiment.hypothesis,
        headline=results.verdict.headline,
        explanation=results.verdict.explanation,
        next_step=results.verdict.next_step,
        tone=results.verdict.tone,
        facts=_facts(results, time_zone),
        problems=problems_of(results, time_zone, now),
        table=table(results) if results.health.trustworthy else None,
        intervals=intervals(results),
        split=_split(results),
        pictures=pictures_of(results),
        strips=strips(results),
    )


def named(name: str, sentence: str) -> str:
    """Put the experiment's name before the sentence, unless the sentence has it."""
    mentioned = re.search(rf"\b{re.escape(name)}(?!\w)", sentence, re.IGNORECASE)
    return sentence if mentioned else f"{name}: {sentence}"


def status(results: Results) -> str:
    """Say where the experiment stands."""
    facts = results.experiment
    if facts.stopped_at is not None:
        return f"Stopped on day {facts.day}"
    if facts.status == Status.PAUSED:
        return f"Paused on day {facts.day}"
    planned = f", planned {facts.planned_days}" if facts.day > facts.planned_days else f" of {facts.planned_days}"
    return f"Running, day {facts.day}{planned}"


def status_of(experiment: Experiment, now: datetime) -> str:
    """Say where an experiment stands now, in the same words as its result."""
    day, planned = day_of(experiment.counts_from, experiment.stopped_at, now), experiment.planned_days
    if experiment.stopped_at is not None:
        return f"Stopped on day {day}"
    if experiment.status == Status.PAUSED:
        return f"Paused on day {day}"
    return f"Running, day {day}{f', planned {planned}' if day > planned else f' of {planned}'}"


def why_empty(experiment: Experiment) -> str:
    """Say why an experiment has no results."""
    if experiment.status == Status.DRAFT:
        return "The experiment has not started."
    if experiment.status == Status.STOPPED:
        return "The experiment has stopped, and nothing has been analysed. Check that exposures arrived."
    return "The experiment runs, but nothing has been analysed so far. Check that exposures arrive."


def problems_of(results: Results, time_zone: str, now: datetime) -> list[str]:
    """Return what is wrong with the result, each with what to do about it."""
    failed = [check for check in results.health.checks if check.ok is False]
    known = any(check.key == FRESHNESS for check in failed)
    # What the verdict gives as the next step stands above already.
    told = results.verdict.next_step
    return [*(_problem(check, told) for check in failed), *([] if known else _stale(results, time_zone, now))]


def primary_metric(results: Results) -> MetricResult | None:
    """Return the metric that decides."""
    return next((metric for metric in results.metrics if metric.role == "primary"), None)


def effect_lines(results: Results) -> dict[str, list[EffectPoint]]:
    """Return the primary metric's effect over time by treatment, where two days or more can be drawn."""
    primary = primary_metric(results)
    names = {variant.key: variant.name for variant in results.variants}
    lines = {
        names.get(series.variant, series.variant): [point for point in series.points if _drawable(point)]
        for series in results.effect_over_time
        if primary is not None and series.metric == primary.key
    }
    return {name: points for name, points in list(lines.items())[:MOST_TREATMENTS] if len(points) > 1}


def pictures_of(results: Results) -> list[Picture]:
    """Say what the pictures of a trustworthy result show, in their order in the e-mail."""
    if not results.health.trustworthy:
        return []
    pictures = []
    comparisons = [comparison for metric in results.metrics for comparison in metric.comparisons]
    if drawn := sum(c.lift is not None and c.lift_interval is not None for c in comparisons):
        which = "Every change" if drawn <= MOST_MARKS else f"The first {MOST_MARKS} changes"
        sentence = "Chart of the intervals in the table above, under each other."
        pictures.append(Picture(name="intervals", title=f"{which} on one zero line", sentence=sentence))
    primary, lines = primary_metric(results), effect_lines(results)
    if primary is not None and lines:
        sentence = " ".join(_course(name, points) for name, points in lines.items())
        pictures.append(Picture(name="effect", title=f"{primary.name}: change over time", sentence=sentence))
    return pictures


def _drawable(point: EffectPoint) -> bool:
    return point.lift is not None and point.lift_interval is not None and None not in point.lift_interval


def _course(name: str, points: list[EffectPoint]) -> str:
    first, last = points[0], points[-1]
    return (
        f"{name}: {formats.lift(first.lift)} by {formats.day(first.day)}, {formats.lift(last.lift)} by "
        f"{formats.day(last.day)} ({formats.bounds(last.lift_interval)})."
    )


def _facts(results: Results, time_zone: str) -> list[tuple[str, str]]:
    if (own := block_of(results)) is not None:  # decisions, mixed lists and blocks are not units that were exposed
        return [("Status", status(results)), *own.facts]
    total = sum(variant.units for variant in results.variants)
    shares = [formats.percent(variant.share, 1).removesuffix("%") for variant in results.variants]
    return [
        ("Status", status(results)),
        ("Exposed", wording.count(total, results.experiment.unit_type)),
        ("Split, %", " / ".join(shares)),
        ("Data up to", wording.moment(results.data_up_to, time_zone)),
    ]


def _problem(check: Check, told: str) -> str:
    summary = check.summary.rstrip(".")
    return f"{check.name} {summary}. {'' if check.what_to_do == told else check.what_to_do}".rstrip()


def _stale(results: Results, time_zone: str, now: datetime) -> list[str]:
    if results.off_policy is not None and results.data_up_to is None:
        return []  # read from a file: nothing is to arrive
    latest = results.data_up_to or results.as_of
    if results.experiment.stopped_at is not None or now - latest < STALE_AFTER:
        return []
    return [f"No data since {wording.moment(latest, time_zone)}. Check that the app still sends events."]


def _split(results: Results) -> list[SplitRow]:
    if block_of(results) is not None:
        return []
    total = sum(variant.units for variant in results.variants)
    return [
        SplitRow(name=variant.name, units=f"{variant.units:,}", expected=f"{variant.expected_share * total:,.0f}")
        for variant in results.variants
    ]

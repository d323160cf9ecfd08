"""What a result e-mail says, taken from a stored snapshot alone: nothing is computed again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.mail import wording
from analysis.results.schema import Check, Comparison, EffectPoint, MetricResult, Reading, Results, Tone
from experiments.pages import formats

# Running experiments are refreshed every minute or so: data a day old mean that something has stopped.
STALE_AFTER = timedelta(hours=24)
SUBJECT_LIMIT = 180
MOST_TREATMENTS = 3
GROUPS = {"primary": "Primary", "guardrail": "Guardrails", "secondary": "Secondary"}
GLYPHS = {Tone.GOOD: "✓", Tone.BAD: "!", Tone.WARN: "!", Tone.FLAT: "–"}
READING_TONES = {Reading.BETTER: Tone.GOOD, Reading.WORSE: Tone.BAD, Reading.NOT_TRUSTWORTHY: Tone.WARN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison as a line of the table. ``change`` is empty where it cannot be computed; ``note`` says why."""

    metric: str
    values: str
    change: str
    interval: str
    reading: str
    tone: Tone
    note: str

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return GLYPHS[self.tone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one role."""

    title: str
    rows: list[Row]


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
    """One experiment's result in words."""

    name: str
    hypothesis: str
    headline: str
    explanation: str
    next_step: str
    tone: Tone
    facts: list[tuple[str, str]]
    problems: list[Check]
    trustworthy: bool
    groups: list[Group]
    split: list[SplitRow]

    @property
    def subject(self) -> str:
        """State the finding, with the experiment's name unless the sentence has it."""
        named = self.name.lower() in self.headline.lower()
        return wording.one_line(self.headline if named else f"{self.name}: {self.headline}", SUBJECT_LIMIT)

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return GLYPHS[self.tone]


def tell(results: Results, time_zone: str, now: datetime) -> Story:
    """Put a snapshot into words for a reader in this time zone. Readings of a broken experiment are withheld."""
    trustworthy = results.health.trustworthy
    return Story(
        name=results.experiment.name,
        hypothesis=results.experiment.hypothesis,
        headline=results.verdict.headline,
        explanation=results.verdict.explanation,
        next_step=results.verdict.next_step,
        tone=results.verdict.tone,
        facts=_facts(results, time_zone),
        problems=[*(check for check in results.health.checks if check.ok is False), *_stale(results, time_zone, now)],
        trustworthy=trustworthy,
        groups=_groups(results) if trustworthy else [],
        split=_split(results),
    )


def status(results: Results) -> str:
    """Say where the experiment stands."""
    facts = results.experiment
    if facts.stopped_at is not None:
        return f"Stopped after {wording.count(facts.day, 'day')}"
    return f"Running, day {facts.day} of {facts.planned_days}"


def tone_of(comparison: Comparison) -> Tone:
    """Return the colour of a comparison: only what an interval or a crossed margin shows has one."""
    if comparison.margin_crossed:
        return Tone.BAD
    return READING_TONES.get(comparison.reading, Tone.FLAT)


def treatments(results: Results) -> dict[str, str]:
    """Return the treatments' names by key."""
    return {variant.key: variant.name for variant in results.variants if not variant.is_control}


def row_label(metric: MetricResult, comparison: Comparison, names: dict[str, str]) -> str:
    """Name a comparison; where there are several treatments, with the one that it is about."""
    if len(names) < 2:
        return metric.name
    return f"{metric.name}, {names.get(comparison.variant, comparison.variant)}"


def primary_metric(results: Results) -> MetricResult | None:
    """Return the metric that decides."""
    return next((metric for metric in results.metrics if metric.role == "primary"), None)


def effect_lines(results: Results) -> dict[str, list[EffectPoint]]:
    """Return the primary metric's effect over time by treatment, where two days or more can be drawn."""
    primary = primary_metric(results)
    names = treatments(results)
    lines = {
        names.get(series.variant, series.variant): [point for point in series.points if _drawable(point)]
        for series in results.effect_over_time
        if primary is not None and series.metric == primary.key
    }
    return {name: points for name, points in list(lines.items())[:MOST_TREATMENTS] if len(points) > 1}


def pictures_of(results: Results) -> list[Picture]:
    """Say what the pictures of a trustworthy result show; the order is theirs in the e-mail."""
    if not results.health.trustworthy:
        return []
    pictures = []
    if any(c.lift is not None and c.lift_interval is not None for m in results.metrics for c in m.comparisons):
        sentence = "Chart of the intervals in the table above, under each other."
        pictures.append(Picture(name="intervals", title="Every change on one zero line", sentence=sentence))
    primary, lines = primary_metric(results), effect_lines(results)
    if primary is not None and lines:
        sentence = " ".join(_course(name, points) for name, points in lines.items())
        pictures.append(Picture(name="effect", title=f"{primary.name}, change over time", sentence=sentence))
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
    total = sum(variant.units for variant in results.variants)
    shares = [variant.share for variant in results.variants]
    split = " / ".join(f"{share * 100:.1f}" for share in shares if share is not None) or "not known yet"
    return [
        ("Status", status(results)),
        ("Exposed", wording.count(total, results.experiment.unit_type)),
        ("Split", split),
        ("Data up to", wording.moment(results.data_up_to, time_zone)),
    ]


def _stale(results: Results, time_zone: str, now: datetime) -> list[Check]:
    latest = results.data_up_to or results.as_of
    if results.experiment.stopped_at is not None or now - latest < STALE_AFTER:
        return []
    summary = f"No data since {wording.moment(latest, time_zone)}."
    return [Check(key="stale", name="Data are old", ok=False, summary=summary, what_to_do="Check that events arrive.")]


def _groups(results: Results) -> list[Group]:
    groups = []
    for role, title in GROUPS.items():
        rows = [
            _row(results, metric, comparison)
            for metric in results.metrics
            if metric.role == role
            for comparison in metric.comparisons
        ]
        if rows:
            groups.append(Group(title=title, rows=rows))
    return groups


def _row(results: Results, metric: MetricResult, comparison: Comparison) -> Row:
    values = [
        formats.quantity(number, metric.display_unit, results.experiment.currency)
        for number in (comparison.value, comparison.control_value)
    ]
    shown = comparison.lift is not None and comparison.lift_interval is not None
    return Row(
        metric=row_label(metric, comparison, treatments(results)),
        values=f"{values[0]} against {values[1]}",
        change=formats.lift(comparison.lift) if shown else "",
        interval=formats.bounds(comparison.lift_interval) if shown else "",
        reading=comparison.reading.value,
        tone=tone_of(comparison),
        note=_note(metric, comparison),
    )


def _note(metric: MetricResult, comparison: Comparison) -> str:
    notes = ["lower is better"] if metric.direction == "decrease" else []
    if metric.margin is not None:
        limit = metric.margin if metric.direction == "decrease" else -metric.margin
        crossed = "crossed its limit of" if comparison.margin_crossed else "limit"
        notes.append(f"{crossed} {formats.lift(limit)}")
    return "; ".join([*notes, *comparison.warnings])


def _split(results: Results) -> list[SplitRow]:
    total = sum(variant.units for variant in results.variants)
    return [
        SplitRow(name=variant.name, units=f"{variant.units:,}", expected=f"{variant.expected_share * total:,.0f}")
        for variant in results.variants
    ]

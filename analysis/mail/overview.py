"""What a digest about many experiments says: what to decide first, then what moved, what changed, and the rest.

Read from the standings and glances that are kept with each result, so that two thousand experiments cost no more than
twenty; only results that are shown with their business metric are opened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from analysis.alerts.kinds import Severity
from analysis.alerts.listing import asking
from analysis.mail import contents, links, wording
from analysis.mail.portfolios import experiments_of
from analysis.models import Alert, Digest, Glance, Occurrence, ResultSnapshot
from analysis.notices.kinds import ALARMS, OccurrenceKind
from analysis.results.schema import Comparison, MetricResult, Reading, Results, Tone, from_payload
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.metrics import DisplayUnit, MetricRole
from experiments.domain.stages import Stage
from experiments.models import Experiment, Standing
from experiments.pages import formats
from experiments.staging import staged

# A digest tells of stopped experiments for this long: two weekly mails.
RECENTLY_STOPPED = timedelta(days=14)
MOST_ENTRIES, MOST_CHANGES, MOST_MOVES = 30, 12, 8
URGENCY = (Tone.BAD, Tone.WARN, Tone.GOOD, Tone.FLAT)
CALLED = (Reading.BETTER, Reading.WORSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One experiment in three lines: its name and where it stands, the finding, what to do or the number behind it."""

    name: str
    status: str
    sentence: str
    tone: Tone
    url: str
    detail: str = ""
    warning: str = ""

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return contents.GLYPHS[self.tone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A digest's sections, empty ones left out when written."""

    name: str
    summary: str
    decide: list[Entry] = field(default_factory=list)
    alarms: list[Entry] = field(default_factory=list)
    moved: list[Entry] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)
    rest: list[Entry] = field(default_factory=list)
    left_out: int = 0
    since: datetime | None = None

    @property
    def first(self) -> Entry | None:
        """Return what the subject states."""
        urgent = [entry for entry in self.alarms if entry.tone is Tone.BAD]
        groups = (urgent, self.decide, self.alarms, self.moved, self.rest)
        return next((entry for group in groups for entry in group), None)

    @property
    def sections(self) -> list[tuple[str, list[Entry]]]:
        """Return the lists of experiments with their headings, in their order."""
        named = [
            ("Needs a decision", self.decide),
            ("Alarms", self.alarms),
            ("What moved the business", self.moved),
            ("Running, and ended lately", self.rest),
        ]
        return [(title, entries) for title, entries in named if entries]


def overview(digest: Digest, now: datetime) -> Overview:
    """Return what the digest says at ``now``."""
    rows = _rows(digest, now)
    decide = [row for row in rows if row.stage == Stage.READY]
    moved = _moved([row for row in rows if _may_have_moved(row)])
    told = {row.pk for row in decide}
    rest = sorted((_entry(row, digest, now) for row in rows if row.pk not in told), key=_rank)
    alarms = [_alarm(alert) for alert in _alerts(digest, rows, now)]
    return Overview(
        name=digest.portfolio.name if digest.portfolio else digest.project.name,
        summary=_summary(rows, len(decide), len(alarms)),
        decide=sorted((_entry(row, digest, now) for row in decide), key=_rank),
        alarms=alarms,
        moved=moved[:MOST_MOVES],
        changes=changes_since(digest, rows),
        rest=rest[:MOST_ENTRIES],
        left_out=max(0, len(rest) - MOST_ENTRIES),
        since=digest.told_up_to,
    )


def changes_since(digest: Digest, rows: Sequence[Experiment] | None = None) -> list[tuple[str, str]]:
    """Return what happened since the last message of this digest: when, and what."""
    if digest.told_up_to is None:
        return []
    found = Occurrence.objects.filter(project=digest.project_id, noticed_at__gt=digest.told_up_to)
    found = found.select_related("experiment")
    if digest.experiment_id is not None:
        found = found.filter(experiment=digest.experiment_id)
    elif digest.portfolio_id is not None:
        found = found.filter(experiment__in=[row.pk for row in rows or []])
    newest = list(found.order_by("-happened_at")[:MOST_CHANGES])
    return [(wording.day(one.happened_at, digest.time_zone), _named(one)) for one in newest]


def is_milestone_due(digest: Digest) -> bool:
    """Say whether a digest by milestones has one to tell since its last message."""
    since = digest.told_up_to or digest.created_at
    kinds = [kind.value for kind in OccurrenceKind if kind not in ALARMS]
    steps = Occurrence.objects.filter(project=digest.project_id, kind__in=kinds, noticed_at__gt=since)
    return steps.filter(experiment__in=experiments_of(digest).values("pk")).exists()


def _rows(digest: Digest, now: datetime) -> list[Any]:
    recent = Q(status=Status.STOPPED.value, stopped_at__gte=now - RECENTLY_STOPPED)
    live = Q(status__in=[status.value for status in LIVE])
    found = experiments_of(digest).filter(live | recent).select_related("standing__glance")
    rows = list(staged(found, now).order_by("-started_at", "-pk"))
    for row in rows:
        row.project = digest.project
    return rows


def _entry(row: Any, digest: Digest, now: datetime) -> Entry:
    standing: Standing | None = getattr(row, "standing", None)
    if standing is None:
        return Entry(
            name=row.name,
            status="No results yet",
            sentence=contents.why_empty(row),
            tone=Tone.FLAT,
            url=links.results_url(row),
        )
    glance: Glance | None = getattr(standing, "glance", None)
    return Entry(
        name=row.name,
        status=contents.status_of(row, now),
        sentence=standing.headline,
        tone=Tone(standing.tone or "flat"),
        url=links.snapshot_url(row, standing.snapshot),
        detail=_detail(glance) if standing.trustworthy else "",
        warning=_warning(row, glance, digest, now),
    )


def _detail(glance: Glance | None) -> str:
    if glance is None or not glance.change:
        return ""
    which = f" with {glance.shown_variant}" if glance.shown_variant else ""
    interval = f" ({formats.bounds(glance.interval)})" if glance.interval else ""
    return f"{glance.metric_name}{which} {glance.change}{interval}, {glance.reading}".rstrip(", ")


def _warning(row: Any, glance: Glance | None, digest: Digest, now: datetime) -> str:
    if glance is None or row.stopped_at is not None or glance.data_up_to is None:
        return ""
    if now - glance.data_up_to < contents.STALE_AFTER:
        return ""
    upto = wording.moment(glance.data_up_to, digest.time_zone)
    return f"No data since {upto}. Check that the app still sends events."


def _alerts(digest: Digest, rows: Sequence[Any], now: datetime) -> list[Alert]:
    about = {row.pk for row in rows}
    whole = digest.portfolio_id is None
    found = list(asking(digest.project, now).exclude(severity=Severity.NOTE.value))
    for one in found:
        one.project = digest.project  # no query each
    return [one for one in found if one.experiment_id in about or (whole and not one.experiment_id)][:MOST_ENTRIES]


def _alarm(alert: Alert) -> Entry:
    tone = Tone.BAD if alert.severity == Severity.URGENT else Tone.WARN
    if alert.experiment is not None:
        alert.experiment.project = alert.project
    return Entry(
        name=alert.experiment.name if alert.experiment else alert.project.name,
        status=alert.get_kind_display(),
        sentence=alert.sentence,
        tone=tone,
        url=links.alerts_url(alert.project),
        detail=alert.what_to_do,
    )


def _may_have_moved(row: Any) -> bool:
    """Say whether a row's result is read at all: while an experiment runs on a plan of one look, nothing has moved."""
    standing: Standing | None = getattr(row, "standing", None)
    return standing is not None and standing.trustworthy and (row.stage != Stage.RUNNING or standing.tone != "flat")


def _moved(rows: Sequence[Any]) -> list[Entry]:
    """Return each clear change of money, or where none is measured of what decides."""
    by_id = {row.pk: row for row in rows}
    snapshots = ResultSnapshot.objects.filter(pk__in=[row.standing.snapshot for row in rows])
    entries = []
    for snapshot in snapshots.order_by("-as_of"):
        row = by_id[snapshot.experiment_id]
        results = from_payload(snapshot.payload)
        for metric, one in business_changes(results):
            entries.append(_move(row, snapshot, results, metric, one))
    return sorted(entries, key=_rank)


def business_changes(results: Results) -> Iterable[tuple[MetricResult, Comparison]]:
    """Yield the clear changes of the metrics nearest to the business: those in money, else the primary ones."""
    money = [metric for metric in results.metrics if metric.display_unit == DisplayUnit.CURRENCY]
    nearest = money or [metric for metric in results.metrics if metric.role == MetricRole.PRIMARY]
    for metric in nearest:
        for one in metric.comparisons:
            if one.reading in CALLED:
                yield metric, one


def _move(row: Any, snapshot: ResultSnapshot, results: Results, metric: MetricResult, one: Comparison) -> Entry:
    names = {variant.key: variant.name for variant in results.variants}
    amount = (
        formats.lift(one.lift)
        if one.lift is not None
        else formats.change(one.difference, metric.display_unit, results.experiment.currency)
    )
    interval = f" ({formats.bounds(one.lift_interval)})" if one.lift_interval else ""
    return Entry(
        name=row.name,
        status=contents.status(results),
        sentence=f"{metric.name} {amount}{interval} with {names.get(one.variant, one.variant)}.",
        tone=Tone.GOOD if one.reading is Reading.BETTER else Tone.BAD,
        url=links.snapshot_url(row, snapshot.pk),
    )


def _named(one: Occurrence) -> str:
    sentence = contents.named(one.experiment.name, one.sentence) if one.experiment else one.sentence
    return f"{one.get_kind_display()}: {sentence}"


def _rank(entry: Entry) -> int:
    return URGENCY.index(entry.tone)


def _summary(rows: Sequence[Any], decide: int, alarms: int) -> str:
    if not rows:
        return "No experiment is running, and none stopped in the last two weeks."
    running = sum(row.status != Status.STOPPED for row in rows)
    parts = [f"{running} running"] if running else []
    if ended := len(rows) - running:
        parts.append(f"{ended} ended in the last two weeks")
    if decide:
        parts.insert(0, f"{decide} need{'s' if decide == 1 else ''} a decision")
    if alarms:
        parts.insert(0, wording.count(alarms, "alarm"))
    return ", ".join(parts) + "."

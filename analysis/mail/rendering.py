"""Turn the newest stored results into an e-mail: subject, aligned text, HTML with styles inlined, pictures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import fill
from typing import Any

from django.db.models import Q

from analysis.mail import contents, figures, links, wording
from analysis.mail.contents import Story
from analysis.mail.digests import describe, rhythm_of
from analysis.mail.parts import Rendered, both
from analysis.models import Digest, Recipient, ResultSnapshot
from analysis.pages.table import Row, Table
from analysis.results.schema import Results, Tone, from_payload
from experiments.domain.lifecycle import LIVE, Status
from experiments.models import Experiment

TEXT_WIDTH = 72
# A project's digest tells of stopped experiments for this long: two weekly mails.
RECENTLY_STOPPED = timedelta(days=14)
URGENCY = (Tone.BAD, Tone.WARN, Tone.GOOD, Tone.FLAT)

Drawn = dict[int, dict[str, bytes]]
"""Pictures by snapshot, so that ten recipients of one result cost one drawing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One experiment in a project's digest."""

    name: str
    status: str
    sentence: str
    tone: Tone
    url: str
    warning: str = ""

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return contents.GLYPHS[self.tone]


def render(digest: Digest, now: datetime, drawn: Drawn | None = None) -> Rendered:
    """Write what this digest says at ``now``."""
    reader = reader_of(digest)
    if digest.experiment is None:
        return render_project(digest, now, reader)
    snapshot = ResultSnapshot.objects.filter(experiment=digest.experiment).order_by("-id").first()
    if snapshot is None:
        return render_no_results(digest, reader)
    return render_result(digest, snapshot, now, {} if drawn is None else drawn, reader)


def render_result(
    digest: Digest, snapshot: ResultSnapshot, now: datetime, drawn: Drawn, reader: Recipient | None = None
) -> Rendered:
    """Write one experiment's result as this snapshot has it."""
    results = from_payload(snapshot.payload)
    story = contents.tell(results, digest.time_zone, now)
    if snapshot.pk not in drawn:
        drawn[snapshot.pk] = draw(results, story)
    context = {
        "story": story,
        "preheader": story.explanation,
        "table": text_table(story.table),
        "url": links.snapshot_url(snapshot.experiment, snapshot.pk),
        "as_of": wording.moment(snapshot.as_of, digest.time_zone),
    }
    text, html = _parts("result", digest, context, reader)
    return Rendered(subject=story.subject, text=text, html=html, pictures=drawn[snapshot.pk], snapshot=snapshot)


def render_no_results(digest: Digest, reader: Recipient | None = None) -> Rendered:
    """Say that there is nothing to report yet, and why."""
    experiment = digest.experiment
    if experiment is None:
        raise ValueError(f"Digest {digest.pk} is about a project; only an experiment can have no results.")
    context = {"experiment": experiment, "sentence": _why_empty(experiment), "url": links.results_url(experiment)}
    text, html = _parts("no_results", digest, {**context, "preheader": context["sentence"]}, reader)
    return Rendered(subject=wording.one_line(f"No results yet: {experiment.name}", 180), text=text, html=html)


def render_project(digest: Digest, now: datetime, reader: Recipient | None = None) -> Rendered:
    """List every running and recently stopped experiment of the project, the most urgent first."""
    entries = sorted(_entries(digest, now), key=lambda entry: URGENCY.index(entry.tone))
    context = {"entries": entries, "url": links.project_url(digest.project), "summary": _summary(entries)}
    text, html = _parts("project", digest, {**context, "preheader": context["summary"]}, reader)
    return Rendered(subject=_project_subject(digest, entries), text=text, html=html)


def draw(results: Results, story: Story) -> dict[str, bytes]:
    """Draw the pictures of a story by content id, each for light and for dark readers."""
    drawn: dict[str, bytes] = {}
    for picture in story.pictures:
        for mode, theme in (("light", figures.LIGHT), ("dark", figures.DARK)):
            if picture.name == "intervals" and story.table is not None:
                png = figures.draw_intervals(figures.marks_of(story.table), theme)
            else:
                png = figures.draw_effect(contents.effect_lines(results), theme)
            drawn[f"{picture.name}-{mode}@truelift"] = png
    return drawn


def _parts(name: str, digest: Digest, context: dict[str, Any], reader: Recipient | None) -> tuple[str, str]:
    whole = {
        **context,
        "project": digest.project,
        "reason": describe(rhythm_of(digest)),
        "recipient": digest.email,
        "unsubscribe_url": links.unsubscribe_url(digest),
    }
    return both(name, whole, reader)


def reader_of(digest: Digest) -> Recipient | None:
    """Return the recipient behind a digest's address, who has one as soon as the digest is stored."""
    return Recipient.objects.filter(project=digest.project_id, email=digest.email).first()


def text_table(shown: Table | None) -> str:
    """Return the table of metrics in columns of text."""
    if shown is None:
        return ""
    lines: list[str] = []
    rows = [row for group in shown.groups for row in group.rows]
    width = max((len(_row_name(row, shown)) for row in rows), default=0)
    for group in shown.groups:
        lines += [group.title, "-" * len(group.title)]
        for row in group.rows:
            change = f"{row.change:>7}  ({row.interval})"
            lines.append(f"{_row_name(row, shown):<{width}}  {change:<28}  {row.sign} {row.reading}")
            note = f"; {row.note}" if row.note else ""
            lines.append(f"  {row.value} against {row.control_value}{note}")
        lines.append("")
    return "\n".join(lines + [f"* {_wrapped(warning)}" for warning in shown.warnings]).rstrip()


def _row_name(row: Row, shown: Table) -> str:
    return f"{row.metric.name}, {row.treatment}" if shown.several else row.metric.name


def _wrapped(text: str) -> str:
    return fill(text, TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)


def _why_empty(experiment: Experiment) -> str:
    if experiment.status == Status.DRAFT:
        return "The experiment has not started."
    if experiment.status == Status.STOPPED:
        return "The experiment has stopped, and nothing has been analysed. Check that exposures arrived."
    return "The experiment runs, but nothing has been analysed so far. Check that exposures arrive."


def _entries(digest: Digest, now: datetime) -> list[Entry]:
    recent = Q(status=Status.STOPPED.value, stopped_at__gte=now - RECENTLY_STOPPED)
    experiments = digest.project.experiments.filter(
        Q(status__in=[status.value for status in LIVE]) | recent
    ).select_related("project")
    newest = ResultSnapshot.objects.filter(experiment__in=experiments).order_by("experiment_id", "-id")
    snapshots = {snapshot.experiment_id: snapshot for snapshot in newest.distinct("experiment_id")}
    return [_entry(experiment, snapshots.get(experiment.pk), digest.time_zone, now) for experiment in experiments]


def _entry(experiment: Experiment, snapshot: ResultSnapshot | None, time_zone: str, now: datetime) -> Entry:
    if snapshot is None:
        url = links.results_url(experiment)
        return Entry(
            name=experiment.name, status="No results yet", sentence=_why_empty(experiment), tone=Tone.FLAT, url=url
        )
    results = from_payload(snapshot.payload)
    story = contents.tell(results, time_zone, now)
    return Entry(
        name=experiment.name,
        status=contents.status(results),
        sentence=story.headline,
        tone=story.tone,
        url=links.snapshot_url(experiment, snapshot.pk),
        warning=" ".join(story.problems),
    )


def _summary(entries: list[Entry]) -> str:
    if not entries:
        return "No experiment is running, and none stopped in the last two weeks."
    return f"{wording.count(len(entries), 'experiment')} running or recently stopped."


def _project_subject(digest: Digest, entries: list[Entry]) -> str:
    if not entries:
        return wording.one_line(f"{digest.project.name}: no experiment is running", 180)
    first = entries[0]
    finding = contents.named(first.name, first.sentence)
    more = f" (and {wording.count(len(entries) - 1, 'more experiment')})" if len(entries) > 1 else ""
    return wording.one_line(f"{digest.project.name}: {finding}", 180 - len(more)) + more

"""Turn the newest stored results into an e-mail: subject, aligned text, HTML with styles inlined, pictures."""

from collections.abc import Sequence
from datetime import datetime
from textwrap import fill
from typing import Any

from analysis.drifting.watching import told
from analysis.mail import contents, figures, links, wording
from analysis.mail.contents import SUBJECT_LIMIT, Story
from analysis.mail.digests import describe, rhythm_of
from analysis.mail.overview import Overview, changes_since, overview
from analysis.mail.parts import Rendered, both
from analysis.models import Digest, OutboxMessage, Recipient, ResultSnapshot
from analysis.pages.table import Row, Table
from analysis.results.schema import Results, from_payload
from experiments.models import Experiment

TEXT_WIDTH = 72

Drawn = dict[int, dict[str, bytes]]
"""Pictures by snapshot, so that ten recipients of one result cost one drawing."""


def render(digest: Digest, now: datetime, drawn: Drawn | None = None, *, with_pictures: bool = True) -> Rendered:
    """Write what this digest says at ``now``; without its pictures where nobody sees them."""
    reader = reader_of(digest)
    if digest.experiment is None:
        return render_overview(digest, now, reader)
    snapshot = ResultSnapshot.objects.filter(experiment=digest.experiment).order_by("-id").first()
    if snapshot is None:
        return render_no_results(digest, reader)
    if not with_pictures:
        drawn = {snapshot.pk: {}}
    return render_result(digest, snapshot, now, {} if drawn is None else drawn, reader, drift=_drift(digest.experiment))


def render_result(
    digest: Digest,
    snapshot: ResultSnapshot,
    now: datetime,
    drawn: Drawn,
    reader: Recipient | None = None,
    *,
    drift: Sequence[str] = (),
) -> Rendered:
    """Write one experiment's result as this snapshot has it; ``drift`` says which scores have moved since."""
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
        "changes": changes_since(digest) if digest.pk and digest.told_up_to else [],
        "last_time": _last_time(digest, results),
        "drift": drift,
    }
    text, html = _parts("result", digest, context, reader)
    return Rendered(subject=story.subject, text=text, html=html, pictures=drawn[snapshot.pk], snapshot=snapshot)


def _drift(experiment: Experiment) -> list[str]:
    """Say which scores have moved since the launch week, as the page does, and what to do about it."""
    about = f"{experiment.name}: "
    words = [f"{one.sentence.removeprefix(about)} {one.what_to_do}".strip() for one in told(experiment)]
    return [one[0].upper() + one[1:] for one in words]


def _last_time(digest: Digest, results: Results) -> str:
    """Return what the last message of this digest said, where that has changed since."""
    if digest.told_up_to is None:
        return ""
    told = digest.messages.exclude(state=OutboxMessage.State.FAILED).filter(snapshot__isnull=False)
    last = told.select_related("snapshot").order_by("-pk").first()
    if last is None or last.snapshot is None:
        return ""
    before = from_payload(last.snapshot.payload)
    if before.verdict.headline == results.verdict.headline:
        return ""
    return f"On {wording.day(before.as_of, digest.time_zone)} it said: {before.verdict.headline}"


def render_no_results(digest: Digest, reader: Recipient | None = None) -> Rendered:
    """Say that there is nothing to report yet, and why."""
    experiment = digest.experiment
    if experiment is None:
        raise ValueError(f"Digest {digest.pk} is about a project; only an experiment can have no results.")
    context = {
        "experiment": experiment,
        "sentence": contents.why_empty(experiment),
        "url": links.results_url(experiment),
    }
    text, html = _parts("no_results", digest, {**context, "preheader": context["sentence"]}, reader)
    return Rendered(subject=wording.one_line(f"No results yet: {experiment.name}", 180), text=text, html=html)


def render_overview(digest: Digest, now: datetime, reader: Recipient | None = None) -> Rendered:
    """Write what a digest about many experiments says."""
    made = overview(digest, now)
    url = links.project_url(digest.project)
    context = {
        "overview": made,
        "url": url,
        "preheader": made.summary,
        "since": wording.day(made.since, digest.time_zone) if made.since else "",
    }
    text, html = _parts("overview", digest, context, reader)
    return Rendered(subject=_overview_subject(made), text=text, html=html)


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


def _overview_subject(made: Overview) -> str:
    first = made.first
    if first is None:
        return wording.one_line(f"{made.name}: no experiment is running", SUBJECT_LIMIT)
    finding = contents.named(first.name, first.sentence)
    others = len({entry.name for _, entries in made.sections for entry in entries} - {first.name}) + made.left_out
    more = f" (and {wording.count(others, 'more experiment')})" if others else ""
    return wording.one_line(f"{made.name}: {finding}", SUBJECT_LIMIT - len(more)) + more

"""Write occurrences as an e-mail: one with its evidence, or several in a list."""

from collections.abc import Sequence
from typing import Any

from analysis.mail import links, wording
from analysis.mail.contents import SUBJECT_LIMIT, Story
from analysis.mail.contents import tell as story_of
from analysis.mail.parts import Rendered, both
from analysis.mail.rendering import draw, text_table
from analysis.models import Occurrence, Recipient, ResultSnapshot
from analysis.notices import telling
from analysis.notices.kinds import OccurrenceKind
from analysis.notices.told import Gathered, Message, Told
from analysis.results.schema import from_payload

WITH_EVIDENCE = frozenset(
    {OccurrenceKind.READY, OccurrenceKind.ENDED, OccurrenceKind.SHIPPED, OccurrenceKind.AVOIDED_LOSS}
)
"""Kinds whose e-mail carries the result's table and charts."""


def render_message(occurrences: Sequence[Occurrence], reader: Recipient, why: str) -> Rendered:
    """Return the e-mail about these occurrences."""
    message = telling.gather(occurrences, why)
    if isinstance(message, Gathered):
        return _gathered(message, reader)
    return _single(occurrences[0], message, reader)


def render_sample(told: Told, reader: Recipient) -> Rendered:
    """Return the e-mail of a test."""
    text, html = both(
        "event", _context(told, reader, {"when": wording.moment(told.happened_at, reader.time_zone)}), reader
    )
    return Rendered(subject=wording.one_line(told.subject, SUBJECT_LIMIT), text=text, html=html)


def _single(occurrence: Occurrence, told: Told, reader: Recipient) -> Rendered:
    snapshot = occurrence.snapshot if OccurrenceKind(occurrence.kind) in WITH_EVIDENCE else None
    pictures: dict[str, bytes] = {}
    more: dict[str, Any] = {"when": wording.moment(told.happened_at, reader.time_zone)}
    if snapshot is not None:
        story, pictures = _evidence(snapshot, reader)
        more |= {"story": story, "table": text_table(story.table)}
    text, html = both("event", _context(told, reader, more), reader)
    subject = wording.one_line(told.subject, SUBJECT_LIMIT)
    return Rendered(subject=subject, text=text, html=html, pictures=pictures, snapshot=snapshot)


def _gathered(gathered: Gathered, reader: Recipient) -> Rendered:
    more = {"entries": [(told, wording.moment(told.happened_at, reader.time_zone)) for told in gathered.entries]}
    text, html = both("gathered", _context(gathered, reader, more), reader)
    return Rendered(subject=wording.one_line(gathered.subject, SUBJECT_LIMIT), text=text, html=html)


def _evidence(snapshot: ResultSnapshot, reader: Recipient) -> tuple[Story, dict[str, bytes]]:
    results = from_payload(snapshot.payload)
    story = story_of(results, reader.time_zone, snapshot.as_of)
    return story, draw(results, story)


def _reason(message: Message) -> str:
    if isinstance(message, Told) and message.kind == OccurrenceKind.AGREEMENT:
        return "because you may agree or disagree"
    return "because you own or follow what it is about"


def _context(message: Message, reader: Recipient, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "told": message,
        "preheader": message.explanation or message.next_step if isinstance(message, Told) else message.why,
        "project": reader.project,
        "recipient": reader.email,
        "reason": _reason(message),
        "unsubscribe_url": links.silence_url(reader),
        **more,
    }

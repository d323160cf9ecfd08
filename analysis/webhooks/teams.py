"""A message as an Adaptive Card for Microsoft Teams, by a workflow's webhook trigger (no Django)."""

import re
from collections.abc import Iterator
from typing import Any

from analysis.notices.told import Gathered, Message, Told

CARD = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.4"
MOST_ENTRIES = 15
LONGEST = 1000
STYLES = {"good": "good", "bad": "attention", "warn": "warning", "flat": "default"}
MARKS = re.compile(r"([\\`*_{}\[\]()#~>|])")
Piece = dict[str, Any]


def payload(message: Message) -> dict[str, Any]:
    """Return what is posted: one card in the envelope that a workflow passes on to a channel."""
    body = list(_one(message) if isinstance(message, Told) else _many(message))
    link = (message.url, message.link if isinstance(message, Told) else "See all")
    card = {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": message.subject,
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": link[1], "url": link[0]}],
    }
    return {"type": "message", "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}]}


def plain(text: str) -> str:
    """Return the text so that a card shows it as it is: cards read some Markdown."""
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
    return MARKS.sub(r"\\\1", shown)


def _one(told: Told) -> Iterator[Piece]:
    headline = _text(f"{told.glyph} {plain(told.subject)}", size="Large", weight="Bolder")
    said = [_text(plain(told.explanation))] if told.explanation else []
    yield {"type": "Container", "style": STYLES[told.tone], "bleed": True, "items": [headline, *said]}
    if told.next_step:
        yield _text(f"**Next:** {plain(told.next_step)}")
    if told.facts:
        yield {"type": "FactSet", "facts": [{"title": label, "value": plain(fact)} for label, fact in told.facts]}
    at = told.happened_at
    yield _quiet(f"{told.title} · {plain(told.project)} · {at.day} {at:%b %Y, %H:%M} UTC")


def _many(gathered: Gathered) -> Iterator[Piece]:
    yield _text(plain(gathered.title), size="Large", weight="Bolder")
    yield _quiet(plain(gathered.why))
    for told in gathered.entries[:MOST_ENTRIES]:
        items = [_text(f"{told.glyph} {plain(told.subject)}", weight="Bolder")]
        items += [_text(plain(told.next_step))] if told.next_step else []
        items.append(_text(f"[{plain(told.link)}]({told.url.replace(')', '%29')})"))
        yield {"type": "Container", "separator": True, "items": items}
    if (more := len(gathered.entries) - MOST_ENTRIES) > 0:
        yield _text(f"and {more} more")


def _text(text: str, **looks: str) -> Piece:
    return {"type": "TextBlock", "text": text, "wrap": True, **looks}


def _quiet(text: str) -> Piece:
    return {"type": "TextBlock", "text": text, "wrap": True, "isSubtle": True, "size": "Small"}

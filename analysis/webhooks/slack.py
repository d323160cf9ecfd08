"""A message in Slack's Block Kit, for an incoming webhook (no Django)."""

from collections.abc import Iterator
from typing import Any

from analysis.notices.told import Gathered, Message, Told

LONGEST_HEADER, LONGEST_SECTION, LONGEST_FIELD, MOST_FIELDS, MOST_ENTRIES = 150, 3000, 2000, 10, 15
Block = dict[str, Any]


def payload(message: Message) -> dict[str, Any]:
    """Return what is posted: blocks, and a text for notifications and screen readers."""
    blocks = list(_one(message) if isinstance(message, Told) else _many(message))
    return {"text": escaped(cut(message.subject, LONGEST_SECTION)), "blocks": blocks}


def escaped(text: str) -> str:
    """Return the text so that nothing in it is a link, a mention or a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """Return the text, at most this long."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _one(told: Told) -> Iterator[Block]:
    yield {
        "type": "header",
        "text": {"type": "plain_text", "text": cut(f"{told.glyph} {told.subject}", LONGEST_HEADER)},
    }
    said = " ".join(filter(None, (told.explanation, f"*Next:* {told.next_step}" if told.next_step else "")))
    if len(told.subject) + 2 > LONGEST_HEADER:
        said = f"{told.subject} {said}"
    if said.strip():
        yield _section(escaped(said))
    if told.facts:
        fields = [_text(f"*{escaped(label)}*\n{escaped(fact)}", LONGEST_FIELD) for label, fact in told.facts]
        yield {"type": "section", "fields": fields[:MOST_FIELDS]}
    yield _section(_link(told.url, told.link))
    yield _context(f"{told.title} · {told.project} · {_time(told)}")


def _many(gathered: Gathered) -> Iterator[Block]:
    yield {"type": "header", "text": {"type": "plain_text", "text": cut(gathered.title, LONGEST_HEADER)}}
    yield _context(gathered.why)
    for told in gathered.entries[:MOST_ENTRIES]:
        lines = [f"{told.glyph} *{escaped(told.subject)}*", escaped(told.next_step), _link(told.url, told.link)]
        yield _section("\n".join(filter(None, lines)))
    if (more := len(gathered.entries) - MOST_ENTRIES) > 0:
        yield _section(f"and {more} more: {_link(gathered.url, 'see all')}")
    yield _context(gathered.project)


def _section(markdown: str) -> Block:
    return {"type": "section", "text": _text(markdown, LONGEST_SECTION)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(escaped(text), LONGEST_FIELD)]}


def _text(markdown: str, limit: int) -> Block:
    return {"type": "mrkdwn", "text": cut(markdown, limit)}


def _link(url: str, words: str) -> str:
    return f"<{url.replace('|', '%7C').replace('>', '%3E')}|{escaped(words)}>"


def _time(told: Told) -> str:
    at = told.happened_at
    return f"{at.day} {at:%b %Y, %H:%M} UTC"

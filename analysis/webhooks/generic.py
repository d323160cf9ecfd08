"""A message as plain JSON for any program: the fields stay, new ones may come (no Django).

``type`` and ``timestamp`` stand where Standard Webhooks asks for them.
"""

from datetime import UTC
from typing import Any

from analysis.notices.told import Message, Told


def payload(message: Message) -> dict[str, Any]:
    """Return what is posted."""
    if isinstance(message, Told):
        return {"type": message.kind, "timestamp": _time(message), "data": _data(message)}
    newest = max(message.entries, key=lambda told: told.happened_at)
    entries = [{"type": told.kind, "timestamp": _time(told), "data": _data(told)} for told in message.entries]
    data = {"title": message.title, "why": message.why, "project": message.project, "url": message.url}
    return {"type": "summary", "timestamp": _time(newest), "data": {**data, "events": entries}}


def _time(told: Told) -> str:
    return told.happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _data(told: Told) -> dict[str, Any]:
    return {
        "title": told.title,
        "sentence": told.sentence,
        "explanation": told.explanation,
        "next_step": told.next_step,
        "severity": told.severity,
        "tone": told.tone,
        "facts": [{"label": label, "text": text} for label, text in told.facts],
        "experiment": {"key": told.experiment_key, "name": told.experiment} if told.experiment_key else None,
        "project": told.project,
        "url": told.url,
        "occurrence": told.occurrence,
    }

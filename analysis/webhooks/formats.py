"""Which format a webhook gets."""

from collections.abc import Callable
from typing import Any

from analysis.models import Webhook
from analysis.notices.told import Message
from analysis.webhooks import generic, slack, teams

WRITERS: dict[str, Callable[[Message], dict[str, Any]]] = {
    Webhook.Kind.SLACK: slack.payload,
    Webhook.Kind.TEAMS: teams.payload,
    Webhook.Kind.GENERIC: generic.payload,
}


def written_for(hook: Webhook, message: Message) -> dict[str, Any]:
    """Return the message as this webhook gets it."""
    return WRITERS[hook.kind](message)

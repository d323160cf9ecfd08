"""What needs attention: alerts, what happened, how well events arrive, and whether messages reach people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from config.cli import tables
from config.cli.asking import changes, lists, shows
from config.cli.declaring import Asked, by_number, command, group, number, why

ALERT = "/alerts/{id}"
MESSAGES = ("id", "state", "channel", "to", "subject", "attempts", "error")
VOLUMES = ("event", "events", "usual_low", "usual_high", "departure", "not_known")


def declare(words: Any) -> None:
    """Declare ``alerts``, ``happened``, ``data-quality``, ``digests`` and ``deliveries``."""
    _alerts(group(words, "alerts", "list alerts, take them on, mute them"))
    listing = lists(
        "/occurrences", "occurrences", "happened_at", "severity", "experiment", "sentence", by=("kind", "experiment")
    )
    happened = command(words, "happened", listing, "print what happened, newest first")
    happened.add_argument("--experiment", metavar="KEY")
    happened.add_argument("--kind")
    command(words, "data-quality", shows("/data-quality", _quality), "say how well events arrive")
    _messages(words)


def _alerts(under: Any) -> None:
    listing = lists("/alerts", "alerts", "id", "severity", "experiment", "opened_at", "acknowledged_by", "sentence",
                    "what_to_do", by=("open", "kind", "experiment"))  # fmt: skip
    narrowed = command(under, "list", listing, "list what is wrong, newest first")
    narrowed.add_argument("--closed", dest="open", action="store_const", const="false", default="true",
                          help="what was wrong and is over")  # fmt: skip
    narrowed.add_argument("--all", dest="open", action="store_const", const=None, help="both")
    narrowed.add_argument("--experiment", metavar="KEY")
    narrowed.add_argument("--kind")
    by_number(under, "show", shows(ALERT), "show one alert")
    taken = changes("POST", ALERT + "/acknowledge", lambda made, _: f"Taken on: {made['sentence']}", ["why"])
    why(by_number(under, "acknowledge", taken, "take an alert on"))
    handed = changes("POST", ALERT + "/hand-back", lambda made, _: f"Handed back: {made['sentence']}", ["why"])
    why(by_number(under, "hand-back", handed, "give an alert back to everyone"))
    muted = changes("PUT", ALERT + "/mute", lambda made, _: f"Muted: {made['sentence']}", ["days", "why"])
    muting = by_number(under, "mute", muted, "hear nothing of it for a while")
    muting.add_argument("--days", type=number, default=7, help="for how many (7); 0 is for good")
    why(muting)
    unmuted = changes("DELETE", ALERT + "/mute", lambda made, _: f"You hear of it again: {made['sentence']}")
    by_number(under, "unmute", unmuted, "hear of it again")


def _messages(words: Any) -> None:
    digests = group(words, "digests", "list the scheduled e-mails, and send one now")
    command(
        digests,
        "list",
        lists("/digests", "digests", "id", "email", "experiment", "portfolio", "cadence", "next_due_at"),
        "list digests",
    )
    sent = changes("POST", "/digests/{id}/send", _queued)
    by_number(digests, "send", sent, "send one now, out of turn")
    deliveries = group(words, "deliveries", "see what became of messages, and send one again")
    narrowed = command(
        deliveries,
        "list",
        lists("/deliveries", "deliveries", *MESSAGES, by=("state", "channel", "to")),
        "list messages",
    )
    narrowed.add_argument("--state", help="failed, sent, or another")
    narrowed.add_argument("--channel", help="email, or another")
    narrowed.add_argument("--to", metavar="TEXT", help="a part of the recipient")
    by_number(deliveries, "show", shows("/deliveries/{id}"), "show one message and what the server answered")
    by_number(deliveries, "send-again", changes("POST", "/deliveries/{id}/send-again", _queued), "send it again")


def _queued(made: Any, _: Asked) -> str:
    return f"On its way to {made['to']}: {made['subject']} (delivery {made['id']})."


def _quality(found: Any, _: Asked) -> RenderableType:
    volumes = tables.some(found["volumes"], VOLUMES)
    refused = found["refused"]
    if refused is None:
        told = ["! Refusals cannot be read: the broker is out of reach."]
    else:
        told = [f"! {one['events']} refused ({one['code']}): {one['example']}" for one in refused]
    strays = [f"! {one['exposures']} exposures in vain: {one['reason']}" for one in found["stray_exposures"]]
    late = found["punctuality"]
    lines = [*told, *strays, f"Of the newest {late['events']} events {late['late']} came over an hour late."]
    return Group(volumes, *map(Text, lines))

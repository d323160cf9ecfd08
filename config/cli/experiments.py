"""Experiments and what they begin from: list, show, create, change, file away."""

from typing import Any

from config.cli import tables
from config.cli.asking import changes, lists, shows
from config.cli.declaring import Asked, command, group

STATUSES = ("draft", "running", "paused", "stopped")
ONE = "/experiments/{key_}"
LISTING = lists(
    "/experiments",
    "experiments",
    by=("search", "status"),
    say=lambda found, _: tables.experiments(found["experiments"]),
)


def declare(words: Any) -> None:
    """Declare ``experiments`` and ``templates``."""
    under = group(words, "experiments", "list, show, create and change experiments")
    listing = command(under, "list", LISTING, "list experiments, newest first")
    listing.add_argument("--search", help="a word in the key, the name or the hypothesis")
    listing.add_argument("--status", choices=STATUSES)
    command(under, "show", shows(ONE), "show one experiment", "KEY")
    created = changes("POST", "/experiments", draft)
    command(under, "create", created, "create a draft from a JSON or TOML file", "FILE")
    changed = changes("PATCH", ONE, lambda made, _: f"{made['key']} is changed; it is at revision {made['revision']}.")
    command(under, "change", changed, "change a draft's fields that a JSON or TOML file names", "KEY", "FILE")
    copying = changes("POST", ONE + "/duplicate", draft, ["key=new_key", "name"])
    copied = command(under, "duplicate", copying, "create a draft with the same set-up", "KEY")
    copied.add_argument("--as", dest="new_key", metavar="KEY", help="the copy's key; after the original's if left out")
    copied.add_argument("--name", help="the copy's name")
    _filing(under)
    _templates(group(words, "templates", "list, keep, use and remove set-ups to begin from"))


def _filing(under: Any) -> None:
    archived = changes("POST", ONE + "/archive", lambda made, _: f"{made['key']} is out of the lists.")
    command(under, "archive", archived, "put one out of the lists", "KEY")
    restored = changes("POST", ONE + "/restore", lambda made, _: f"{made['key']} is back in the lists.")
    command(under, "restore", restored, "put one back into the lists", "KEY")
    tagged = changes("PUT", ONE + "/tags", lambda made, _: f"{made['key']}: {', '.join(made['tags'])}.", ["tags"])
    command(under, "tag", tagged, "replace the tags", "KEY").add_argument("tags", metavar="TAG", nargs="+")
    owned = changes("PUT", ONE + "/owner", lambda made, _: f"{made['owner']} answers for {made['key']}.", ["email"])
    command(under, "owner", owned, "say who answers for it, by e-mail address", "KEY", "EMAIL")


def _templates(under: Any) -> None:
    command(under, "list", lists("/templates", "templates", "key", "name", "built_in", "description"), "list templates")
    keeping = changes(
        "POST",
        "/templates",
        lambda made, _: f"{made['key']} is kept.",
        ["experiment", "key=key_", "name", "description"],
    )
    kept = command(under, "save", keeping, "keep an experiment's set-up", "EXPERIMENT", "KEY")
    kept.add_argument("--name", required=True, help="what people read")
    kept.add_argument("--description", default="", help="when to begin from it")
    beginning = changes("POST", "/templates/{template}/experiments", draft, ["key=key_", "name", "hypothesis"])
    begun = command(under, "begin", beginning, "create a draft from a template", "TEMPLATE", "KEY")
    begun.add_argument("--name", required=True, help="what people read")
    begun.add_argument("--hypothesis", default="", help="if …, then …, because …")
    removed = changes("DELETE", "/templates/{key_}", lambda _, asked: f"{asked.key_} is removed.")
    command(under, "remove", removed, "remove a template of the project", "KEY")


def draft(made: Any, _: Asked) -> str:
    """Say that there is a draft, and what next."""
    return f"{made['key']} is a draft. Start it with: truelift start {made['key']}"

"""The catalogue of metrics: list, show, create, change, certify."""

from typing import Any

from config.cli import tables
from config.cli.asking import changes, lists, shows
from config.cli.declaring import Asked, command, group, number, why

ONE = "/metrics/{key_}"
VERSIONS = ("version", "created_at", "created_by", "note", "experiments", "sentence")
LISTING = lists("/metrics", "metrics", by=("search", "archived"), say=lambda found, _: tables.metrics(found["metrics"]))


def declare(words: Any) -> None:
    """Declare ``metrics``."""
    under = group(words, "metrics", "list, show, create, change and certify metrics")
    listing = command(under, "list", LISTING, "list metrics")
    listing.add_argument("--search", help="a word in the key or the name")
    listing.add_argument("--archived", action="store_const", const="true", help="those out of use as well")
    command(under, "show", shows(ONE), "show one metric", "KEY")
    history = shows(ONE + "/versions", lambda found, _: tables.some(found["versions"], VERSIONS))
    command(under, "versions", history, "print every definition that a metric has or had", "KEY")
    spread = shows(ONE + "/preview", lambda found, _: found["reason"] or found["sentence"])
    command(under, "preview", spread, "say how its numbers are spread in the last days", "KEY")
    made = changes("POST", "/metrics", lambda made, _: f"{made['key']} is in the catalogue.")
    command(under, "create", made, "create a metric from a JSON or TOML file", "FILE")
    changed = changes("PATCH", ONE, lambda made, _: f"{made['key']} is at version {made['version']}.")
    command(under, "change", changed, "change the fields that a JSON or TOML file names", "KEY", "FILE")
    _standing(under)


def _standing(under: Any) -> None:
    certified = changes("POST", ONE + "/certify", _certified, ["version", "why"])
    certifying = command(under, "certify", certified, "vouch for the newest version", "KEY")
    certifying.add_argument("version", metavar="VERSION", type=number, help="the one that you looked at")
    why(certifying)
    for word, text, said in (
        ("uncertify", "take that back", "is not certified"),
        ("archive", "put one out of use", "is out of use"),
        ("restore", "put one back into use", "is in use"),
    ):
        run = changes("POST", f"{ONE}/{word}", lambda made, _, said=said: f"{made['key']} {said}.", ["why"])  # type: ignore[misc]
        why(command(under, word, run, text, "KEY"))


def _certified(made: Any, _: Asked) -> str:
    return f"Version {made['certified_version']} of {made['key']} is certified."

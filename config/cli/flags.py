"""Flags: list, show, create, change, switch."""

import json
from typing import Any

from config.cli import tables
from config.cli.asking import changes, lists, shows
from config.cli.declaring import Asked, command, group, why

ONE = "/flags/{key_}"
ENVIRONMENTS = ("production", "staging", "development")
LISTING = lists("/flags", "flags", by=("search",), say=lambda found, _: tables.flags(found["flags"]))


def declare(words: Any) -> None:
    """Declare ``flags``."""
    under = group(words, "flags", "list, show, create and switch flags")
    command(under, "list", LISTING, "list flags, newest first").add_argument(
        "--search", help="a word in the key or the name"
    )
    command(under, "show", shows(ONE), "show one flag", "KEY")
    made = changes("POST", "/flags", lambda made, _: f"{made['key']} is made, and off everywhere.")
    command(under, "create", made, "create a flag from a JSON or TOML file", "FILE")
    changed = changes("PATCH", ONE, lambda made, _: f"{made['key']} is changed.")
    command(under, "change", changed, "change the fields that a JSON or TOML file names", "KEY", "FILE")
    for word, enabled in (("on", True), ("off", False)):
        switched = changes("PUT", ONE + "/environments/{environment}", _switched, ["why"], enabled=enabled)
        made_command = command(under, word, switched, f"switch a flag {word}", "KEY")
        made_command.add_argument("environment", choices=ENVIRONMENTS)
        why(made_command)
    archived = changes("POST", ONE + "/archive", lambda made, _: f"{made['key']} is archived.", ["why"])
    why(command(under, "archive", archived, "retire a flag", "KEY"))


def _switched(flag: Any, asked: Asked) -> str:
    on = [name for name, enabled in flag["environments"].items() if enabled]
    told = f"on in {', '.join(on)}" if on else "off everywhere"
    return f"{asked.key_} is {told}; the default is {json.dumps(flag['default_value'])}."

"""Shell completion: a script for bash, zsh or fish, made from the parser, so that it knows every command and option.

The script asks nobody: it walks the words typed so far down a table of what may follow each.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from config.cli.declaring import Asked, Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What may follow some words: further words, options, and after an option one of its ``values``."""

    path: str
    words: tuple[str, ...]
    options: tuple[str, ...]
    values: dict[str, tuple[str, ...]]


def declare(words: Any, top: Parser) -> None:
    """Declare ``completion``, which asks no server."""
    text = "print a script that completes commands and options, for a shell to read"
    made = words.add_parser("completion", help=text, description=text)
    made.add_argument("shell", choices=tuple(SHELLS))

    def offline(asked: Asked) -> None:
        print(SHELLS[asked.shell](list(places(top))))

    made.set_defaults(run=None, offline=offline)


def places(of: Parser, path: str = "") -> Iterator[Place]:
    """Return every place where words may follow, from the outermost in."""
    choices = {action: tuple(map(str, action.choices or ())) for action in of._actions}
    yield Place(
        path=path,
        words=tuple(word for action in of._actions if not action.option_strings for word in choices[action]),
        options=tuple(option for action in of._actions for option in action.option_strings),
        values={option: choices[one] for one in of._actions for option in one.option_strings if choices[one]},
    )
    for name, child in _children(of).items():
        yield from places(child, f"{path} {name}")


def _children(of: Parser) -> dict[str, Parser]:
    found: dict[str, Parser] = {}
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def _arms(found: list[Place]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return what may come by where we are: the command, then the option just before, a dash begun, or neither."""
    for place in found:
        yield from ((f"{place.path}|{option}", choices) for option, choices in place.values.items())
        yield f"{place.path}|-", place.options
        yield f"{place.path}|", place.words


WALK = """\
    case "$current" in -*) dash=- ;; esac
    case "$at|$before" in {values}) dash="$before" ;; esac
    case "$at|$dash" in
{arms}
    esac"""


def _walk(found: list[Place]) -> str:
    """Return how bash and zsh alike find what may come."""
    values = "|".join(f'"{place.path}|{option}"' for place in found for option in place.values)
    arms = [f'        "{where}") offered="{" ".join(words)}" ;;' for where, words in _arms(found) if words]
    return WALK.format(values=values, arms="\n".join(arms))


def _known(found: list[Place]) -> str:
    return "|".join(f'"{place.path}"' for place in found if place.path)


def _bash(found: list[Place]) -> str:
    return f"""\
# For bash: source <(truelift completion bash)
_truelift() {{
    local at="" dash="" offered="" word current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$at $word" in {_known(found)}) at="$at $word" ;; esac
    done
{_walk(found)}
    COMPREPLY=($(compgen -W "$offered" -- "$current"))
}}
complete -o default -F _truelift truelift"""


def _zsh(found: list[Place]) -> str:
    return f"""\
# For zsh, after compinit: source <(truelift completion zsh)
_truelift() {{
    local at="" dash="" offered="" word current="${{words[CURRENT]}}" before="${{words[CURRENT-1]}}"
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        case "$at $word" in {_known(found)}) at="$at $word" ;; esac
    done
{_walk(found)}
    if [ -n "$offered" ]; then compadd -- ${{=offered}}; else _files; fi
}}
compdef _truelift truelift"""


FISH = """\
# For fish: truelift completion fish | source
function __truelift_offered
    set -l at ''
    set -l dash ''
    set -l typed (commandline -opc)
    for word in $typed[2..-1]
        contains -- "$at $word" {known}; and set at "$at $word"
    end
    string match -q -- '-*' (commandline -ct); and set dash -
    contains -- "$at|$typed[-1]" {values}; and set dash $typed[-1]
    switch "$at|$dash"
{arms}
        case '*'
            __fish_complete_path (commandline -ct)
    end
end
complete -c truelift -f -a '(__truelift_offered)'"""


def _fish(found: list[Place]) -> str:
    arms = [f"        case '{at}'\n            printf '%s\\n' {' '.join(words)}" for at, words in _arms(found) if words]
    return FISH.format(
        known=" ".join(f"'{place.path}'" for place in found if place.path),
        values=" ".join(f"'{place.path}|{option}'" for place in found for option in place.values) or "''",
        arms="\n".join(arms),
    )


SHELLS: dict[str, Callable[[list[Place]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}

"""Commands that are one request: what is asked of which address, and how the answer is printed."""

import json
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from config.cli import tables
from config.cli.client import ApiClient, UsageError, part
from config.cli.declaring import Asked

Say = Callable[[Any, Asked], RenderableType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command that is one request; calling it runs it. The tests hold each against the API's own table.

    Of ``fields`` each is the name of both the API's field and the option, or ``name=option`` where they differ. ``by``
    are options that narrow what is read. What was left out is not sent. Where ``rows`` is named, it is a long list.
    """

    method: str
    path: str
    say: Say
    fields: tuple[str, ...] = ()
    fixed: Mapping[str, Any] | None = None
    by: tuple[str, ...] = ()
    rows: str = ""

    def __call__(self, client: ApiClient, asked: Asked, console: Console) -> None:
        """Ask the server and print what it answered."""
        answer = self._answer(client, asked, address(self.path, asked))
        printed(console, asked, answer, lambda: self.say(answer, asked))

    def _answer(self, client: ApiClient, asked: Asked, path: str) -> Any:
        if self.rows:
            return {self.rows: client.all(path, self.rows, **given(asked, self.by))}
        if self.method == "GET":
            return client.get(path, **given(asked, self.by))
        if "file" in asked:
            return client.send(self.method, path, read_file(asked.file))
        body = {**(self.fixed or {}), **given(asked, self.fields)}
        return client.send(self.method, path, body if self.fields or self.fixed else None)


def lists(path: str, name: str, *columns: str, by: Sequence[str] = (), say: Say | None = None) -> Request:
    """Return a command that prints every row of a list."""
    table = say or (lambda found, _: tables.some(found[name], columns))
    return Request(method="GET", path=path, rows=name, by=tuple(by), say=table)


def shows(path: str, say: Say | None = None, by: Sequence[str] = ()) -> Request:
    """Return a command that prints one thing."""
    return Request(method="GET", path=path, by=tuple(by), say=say or (lambda found, _: tables.one(found)))


def changes(method: str, path: str, say: Say, fields: Sequence[str] = (), **fixed: Any) -> Request:
    """Return a command that sends options, or a file's fields, and says what came of it."""
    return Request(method=method, path=path, say=say, fields=tuple(fields), fixed=fixed or None)


def given(asked: Asked, fields: Sequence[str]) -> dict[str, Any]:
    """Return the options that were given, by the names of the API's fields."""
    pairs = [field.split("=") for field in fields]
    found = {pair[0]: getattr(asked, pair[-1]) for pair in pairs}
    return {name: value for name, value in found.items() if value is not None}


def address(path: str, asked: Asked) -> str:
    """Fill the arguments into an address."""
    return path.format(**{name: part(str(value)) for name, value in vars(asked).items()})


def printed(console: Console, asked: Asked, answer: Any, shown: Callable[[], RenderableType]) -> None:
    """Print the server's answer as it is, or as people read it."""
    if asked.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    # Names come from people: nothing in them is a colour or a link.
    console.print(shown(), markup=False, highlight=False, soft_wrap=not console.is_terminal)


def read_file(name: str) -> dict[str, Any]:
    """Read what is to be sent: JSON, or TOML where the file's name ends so; ``-`` is standard input."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        found = tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not as its name says: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{name} holds no object with named fields.")
    return found


def moved(answer: Mapping[str, Any], _: Asked) -> str:
    """Say where an experiment stands."""
    shipped = f" {answer['shipped']['variant']} is shipped." if answer["shipped"] else ""
    return f"{answer['key']} is {answer['status']}.{shipped}"

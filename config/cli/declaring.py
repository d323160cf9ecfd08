"""How a command is declared: a word, its arguments, and the function that runs it."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

Asked = argparse.Namespace
Run = Callable[..., int | None]
Parser = argparse.ArgumentParser


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"truelift: {message}. See {self.prog} --help.\n")


def common(to: Parser, *, top: bool = False) -> None:
    """Let the options that every command has stand before or behind it."""
    unset = None if top else argparse.SUPPRESS
    to.add_argument("--url", default=unset, help="the server's address; TRUELIFT_URL, else http://127.0.0.1:8000")
    to.add_argument("--key", default=unset, help="an API key with the scopes read and write; TRUELIFT_KEY")
    to.add_argument(
        "--json", action="store_true", default=False if top else argparse.SUPPRESS, help="print JSON and nothing else"
    )


def command(words: Any, name: str, run: Run, text: str, *arguments: str) -> Parser:
    """Declare a command with what must stand behind it."""
    made: Parser = words.add_parser(name, help=text, description=text)
    common(made)
    for argument in arguments:
        # The key of an experiment must not be taken for the key that opens the API.
        made.add_argument("key_" if argument == "KEY" else argument.lower(), metavar=argument)
    made.set_defaults(run=run)
    return made


def group(words: Any, name: str, text: str) -> Any:
    """Declare a word that stands before others."""
    return words.add_parser(name, help=text).add_subparsers(required=True, metavar="COMMAND")


def why(to: Parser, *, required: bool = False) -> None:
    """Let a change say why."""
    to.add_argument("--why", required=required, default=None if required else "", help="for the record")


def share(text: str) -> int:
    """Read per cent as ten-thousandths, as the API has them."""
    try:
        percent = float(text.rstrip("%"))
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share in per cent, 0 to 100")
    return round(percent * 100)


def number(text: str) -> int:
    """Read the number of a row, as its list prints it."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; the list prints it")
    return int(text)


def by_number(words: Any, name: str, run: Run, text: str) -> Parser:
    """Declare a command on one row of a list."""
    made = command(words, name, run, text)
    made.add_argument("id", metavar="ID", type=number, help="its number in the list")
    return made

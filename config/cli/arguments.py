"""What can be asked for on the command line."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from config.cli import commands, evidence, watching

Run = Callable[..., int | None]
PERIODS = ("all", "year", "half", "quarter")
STATUSES = ("draft", "running", "paused", "stopped")


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"truelift: {message}. See {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command; each command's function is in ``run``."""
    top = OneLineParser(prog="truelift", description="Experiments and flags from a terminal.")
    _common(top, top=True)
    words = top.add_subparsers(required=True, metavar="COMMAND")
    _experiments(words)
    _flags(words)
    _steps(words)
    _reading(words)
    _catalogue(words)
    _evidence(words)
    return top


def _common(to: argparse.ArgumentParser, *, top: bool = False) -> None:
    """Let the options that every command has stand before or behind it."""
    unset = None if top else argparse.SUPPRESS
    to.add_argument("--url", default=unset, help="the server's address; TRUELIFT_URL, else http://127.0.0.1:8000")
    to.add_argument("--key", default=unset, help="an API key with the scopes read and write; TRUELIFT_KEY")
    to.add_argument(
        "--json", action="store_true", default=False if top else argparse.SUPPRESS, help="print JSON and nothing else"
    )


def _command(words: Any, name: str, run: Run, text: str, *arguments: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = words.add_parser(name, help=text, description=text)
    _common(made)
    for argument in arguments:
        # The key of an experiment must not be taken for the key that opens the API.
        made.add_argument("key_" if argument == "KEY" else argument.lower(), metavar=argument)
    made.set_defaults(run=run)
    return made


def _group(words: Any, name: str, text: str) -> Any:
    return words.add_parser(name, help=text).add_subparsers(required=True, metavar="COMMAND")


def _experiments(words: Any) -> None:
    group = _group(words, "experiments", "list, show and create experiments")
    listing = _command(group, "list", commands.list_experiments, "list experiments, newest first")
    listing.add_argument("--search", help="a word in the key, the name or the hypothesis")
    listing.add_argument("--status", choices=STATUSES)
    _command(group, "show", commands.show_experiment, "show one experiment", "KEY")
    _command(group, "create", commands.create_experiment, "create a draft from a JSON or TOML file", "FILE")


def _flags(words: Any) -> None:
    group = _group(words, "flags", "list, show and create flags")
    listing = _command(group, "list", commands.list_flags, "list flags, newest first")
    listing.add_argument("--search", help="a word in the key or the name")
    _command(group, "show", commands.show_flag, "show one flag", "KEY")
    _command(group, "create", commands.create_flag, "create a flag from a JSON or TOML file", "FILE")


def _steps(words: Any) -> None:
    starting = _command(words, "start", commands.start, "start a draft", "KEY")
    starting.add_argument("--why", default="", help="for the record")
    stopping = _command(words, "stop", commands.stop, "stop an experiment for good", "KEY")
    stopping.add_argument("--why", required=True, help="for the record")
    shipping = _command(words, "ship", commands.ship, "give everyone a variant", "KEY", "VARIANT")
    shipping.add_argument("--why", required=True, help="for the record")
    shipping.add_argument("--holdback", type=float, default=0.0, metavar="PERCENT", help="share that keeps the control")


def _reading(words: Any) -> None:
    _command(words, "results", commands.results, "print the newest results", "KEY")
    watch = _command(words, "watch", watching.watch, "follow an experiment until its plan ends", "KEY")
    watch.add_argument("--every", type=_seconds, default=10.0, metavar="SECONDS", help="how often to look (10)")


def _catalogue(words: Any) -> None:
    metrics = _group(words, "metrics", "list and create metrics")
    _command(metrics, "list", commands.list_metrics, "list metrics")
    _command(metrics, "create", commands.create_metric, "create a metric from a JSON or TOML file", "FILE")
    models = _group(words, "models", "list and register model versions")
    _command(models, "list", commands.list_models, "list model versions, newest first")
    register = _command(models, "register", commands.register_model, "register a version", "NAME", "VERSION")
    register.add_argument("--metric", metavar="NAME=VALUE", help="how good it looked offline, as ndcg@10=0.431")
    register.add_argument("--notes", default="")


def _evidence(words: Any) -> None:
    asked = _command(words, "evidence", evidence.proxies, "say which proxies can be trusted, over all experiments")
    asked.add_argument("--business", metavar="METRIC", help="the business metric; the north star when left out")
    asked.add_argument("--proxy", metavar="METRIC", help="the proxy to look at closely")
    asked.add_argument("--family", metavar="MODEL", help="experiments of one model alone")
    asked.add_argument("--period", choices=PERIODS, help="experiments of this time alone")
    moved = _command(words, "north-star", evidence.north_star, "say what moved the north star")
    moved.add_argument("--quarter", metavar="YYYY-Qn", help="the present one when left out")
    _command(words, "interactions", evidence.interactions, "say which experiments disturb each other")
    _command(words, "holdbacks", evidence.holdbacks, "say whether shipped lifts last")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text} s is not between 0.1 and 3600")
    return seconds

"""Model versions: list, register, bring up to date, pull, score, compare."""

import math
from pathlib import Path
from typing import Any

from rich.console import Console

from config.cli.asking import changes, lists, printed, shows
from config.cli.client import ApiClient, UsageError
from config.cli.declaring import Asked, by_number, command, group, number

ALL = "/model-versions"
ONE = ALL + "/{id}"
COLUMNS = ("id", "name", "version", "status", "offline_metric", "offline_value")


def declare(words: Any) -> None:
    """Declare ``models``."""
    under = group(words, "models", "list, register, score and compare model versions")
    listing = lists(ALL, "model_versions", *COLUMNS, by=("search", "name", "status"))
    narrowed = command(under, "list", listing, "list model versions, newest first")
    narrowed.add_argument("--search", help="a word in the model's name or the version")
    narrowed.add_argument("--name", help="versions of one model alone")
    narrowed.add_argument("--status", help="candidate, or another state")
    by_number(under, "show", shows(ONE), "show one version")
    register = command(under, "register", registered, "register a version", "NAME", "VERSION")
    register.add_argument("--metric", metavar="NAME=VALUE", help="how good it looked offline, as ndcg@10=0.431")
    register.add_argument("--notes", default="")
    put = changes("PUT", ALL, lambda made, _: f"{made['name']} {made['version']} is up to date.")
    command(under, "put", put, "register a version, or bring it up to date, from a JSON or TOML file", "FILE")
    _from_elsewhere(under)


def _from_elsewhere(under: Any) -> None:
    pulled = changes("POST", ALL + "/pull", _pulled, ["uri", "model", "name", "token"])
    pulling = command(under, "pull", pulled, "bring a model's versions up to date with an MLflow registry")
    pulling.add_argument("uri", metavar="URI", help="the registry's address")
    pulling.add_argument("model", metavar="MODEL", help="what it is called there")
    pulling.add_argument("--name", help="what it is called here, if otherwise")
    pulling.add_argument("--token", help="the registry's; it is kept nowhere")
    scoring = by_number(under, "scores", scored, "upload scores by example")
    scoring.add_argument("file", metavar="FILE", help="CSV, NDJSON or Parquet: one row an example")
    scoring.add_argument("--set", dest="evaluation_set", metavar="NAME", required=True, help="the evaluation set")
    comparing = by_number(
        under, "compare", shows(ONE + "/comparison", by=("old", "evaluation_set")), "compare with an older version"
    )
    comparing.add_argument("old", metavar="OLD", type=number, help="the older version's ID")
    comparing.add_argument("--set", dest="evaluation_set", metavar="NAME", help="on one evaluation set alone")


def registered(client: ApiClient, asked: Asked, console: Console) -> None:
    """Register a model version."""
    body = {"name": asked.name, "version": asked.version, "notes": asked.notes, **offline(asked.metric)}
    made = client.send("POST", ALL, body)
    printed(console, asked, made, lambda: f"{made['name']} {made['version']} is registered.")


def offline(text: str | None) -> dict[str, Any]:
    """Read ``ndcg@10=0.431`` into the fields of a model version."""
    if text is None:
        return {}
    name, _, value = text.rpartition("=")
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not name.strip() or not math.isfinite(found):
        raise UsageError(f"--metric is {text!r}; it is a name and a number, as ndcg@10=0.431.")
    return {"offline_metric": name.strip(), "offline_value": found}


def scored(client: ApiClient, asked: Asked, console: Console) -> None:
    """Upload scores by example."""
    try:
        kept = client.upload(f"{ALL}/{asked.id}/scores", Path(asked.file), evaluation_set=asked.evaluation_set)
    except OSError as error:
        raise UsageError(f"{asked.file} cannot be read: {error.strerror or error}.") from error
    told = "are kept" if kept["is_new"] else "were kept already"
    printed(console, asked, kept, lambda: f"{kept['examples']} examples of {kept['evaluation_set']} {told}.")


def _pulled(found: Any, _: Asked) -> str:
    told = [f"{len(found[name])} {name}" for name in ("new", "changed", "same")]
    return "\n".join([f"Versions: {', '.join(told)}.", *(f"! {text}" for text in found["problems"])])

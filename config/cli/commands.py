"""What each command asks of the server and prints."""

import argparse
import json
import math
import sys
import tomllib
from pathlib import Path
from typing import Any

from rich.console import Console

from config.cli import tables
from config.cli.client import ApiClient, UsageError, part

Asked = argparse.Namespace


def list_experiments(client: ApiClient, asked: Asked, console: Console) -> None:
    """List experiments."""
    rows = client.all("/experiments", "experiments", search=asked.search, status=asked.status)
    _print(console, asked, {"experiments": rows}, lambda: tables.experiments(rows))


def show_experiment(client: ApiClient, asked: Asked, console: Console) -> None:
    """Show one experiment."""
    found = client.get(f"/experiments/{part(asked.key_)}")
    _print(console, asked, found, lambda: tables.one(found))


def create_experiment(client: ApiClient, asked: Asked, console: Console) -> None:
    """Create a draft from a file."""
    made = client.post("/experiments", read_file(asked.file))
    _print(console, asked, made, lambda: f"{made['key']} is a draft. Start it with: truelift start {made['key']}")


def list_flags(client: ApiClient, asked: Asked, console: Console) -> None:
    """List flags."""
    rows = client.all("/flags", "flags", search=asked.search)
    _print(console, asked, {"flags": rows}, lambda: tables.flags(rows))


def show_flag(client: ApiClient, asked: Asked, console: Console) -> None:
    """Show one flag."""
    found = client.get(f"/flags/{part(asked.key_)}")
    _print(console, asked, found, lambda: tables.one(found))


def create_flag(client: ApiClient, asked: Asked, console: Console) -> None:
    """Create a flag from a file."""
    made = client.post("/flags", read_file(asked.file))
    _print(console, asked, made, lambda: f"{made['key']} is made, and off everywhere.")


def start(client: ApiClient, asked: Asked, console: Console) -> None:
    """Start a draft."""
    _step(client, asked, console, "start", {"why": asked.why})


def stop(client: ApiClient, asked: Asked, console: Console) -> None:
    """Stop an experiment."""
    _step(client, asked, console, "stop", {"why": asked.why})


def ship(client: ApiClient, asked: Asked, console: Console) -> None:
    """Ship a variant."""
    if not 0 <= asked.holdback <= 100:
        raise UsageError(f"--holdback is {asked.holdback:g} %; it is a share of the units, 0 to 100.")
    body = {"variant": asked.variant, "why": asked.why, "holdback": round(asked.holdback * 100)}
    _step(client, asked, console, "ship", body)


def _step(client: ApiClient, asked: Asked, console: Console, step: str, body: dict[str, Any]) -> None:
    moved = client.post(f"/experiments/{part(asked.key_)}/{step}", body)
    shipped = f" {moved['shipped']['variant']} is shipped." if moved["shipped"] else ""
    _print(console, asked, moved, lambda: f"{moved['key']} is {moved['status']}.{shipped}")


def results(client: ApiClient, asked: Asked, console: Console) -> None:
    """Print the newest results."""
    found = client.get(f"/experiments/{part(asked.key_)}/results")
    _print(console, asked, found, lambda: tables.results(found))


def list_metrics(client: ApiClient, asked: Asked, console: Console) -> None:
    """List metrics."""
    rows = client.all("/metrics", "metrics")
    _print(console, asked, {"metrics": rows}, lambda: tables.metrics(rows))


def create_metric(client: ApiClient, asked: Asked, console: Console) -> None:
    """Create a metric from a file."""
    made = client.post("/metrics", read_file(asked.file))
    _print(console, asked, made, lambda: f"{made['key']} is in the catalogue.")


def list_models(client: ApiClient, asked: Asked, console: Console) -> None:
    """List model versions."""
    rows = client.all("/model-versions", "model_versions")
    _print(console, asked, {"model_versions": rows}, lambda: tables.models(rows))


def register_model(client: ApiClient, asked: Asked, console: Console) -> None:
    """Register a model version."""
    body = {"name": asked.name, "version": asked.version, "notes": asked.notes, **offline(asked.metric)}
    made = client.post("/model-versions", body)
    _print(console, asked, made, lambda: f"{made['name']} {made['version']} is registered.")


def offline(text: str | None) -> dict[str, Any]:
    """Read ``ndcg@10=0.431`` into the fields of a model version."""
    if text is None:
        return {}
    name, _, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not name.strip() or not math.isfinite(number):
        raise UsageError(f"--metric is {text!r}; it is a name and a number, as ndcg@10=0.431.")
    return {"offline_metric": name.strip(), "offline_value": number}


def read_file(name: str) -> dict[str, Any]:
    """Read what is to be created: JSON, or TOML where the file's name ends so; ``-`` is standard input."""
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


def _print(console: Console, asked: Asked, answer: Any, shown: Any) -> None:
    if asked.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    made = shown()
    # Names come from people: nothing in them is a colour or a link.
    console.print(made, markup=False, highlight=False)


printed = _print

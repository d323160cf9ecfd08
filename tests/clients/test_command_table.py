"""Every command against the API's own table, the documentation and the shells, without a server."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analysis.api.urls import OPERATIONS
from config import paths
from config.cli import completion, reading
from config.cli.__main__ import main
from config.cli.arguments import parser
from config.cli.asking import Request
from config.cli.client import CommandError

DOCUMENTED = (paths.REPOSITORY / "docs" / "command-line.md").read_text()
BY_ADDRESS = {(one.method, re.sub(r"{\w+}", "{}", one.path)): one for one in OPERATIONS}


def commands(of: argparse.ArgumentParser, path: str = "") -> dict[str, argparse.ArgumentParser]:
    inner = completion._children(of)
    if not inner:
        return {path.strip(): of}
    return {name: made for word, child in inner.items() for name, made in commands(child, f"{path} {word}").items()}


COMMANDS = commands(parser())
REQUESTS = {name: made for name, made in COMMANDS.items() if isinstance(made.get_default("run"), Request)}


@pytest.mark.parametrize("name", REQUESTS)
def test_command__asks_for_what_the_api_has(name):
    asked: Request = REQUESTS[name].get_default("run")
    operation = BY_ADDRESS.get((asked.method, re.sub(r"{\w+}", "{}", asked.path)))
    assert operation, f"{asked.method} {asked.path} is no operation"
    options = {action.dest for action in REQUESTS[name]._actions}
    assert set(re.findall(r"{(\w+)}", asked.path)) <= options
    assert {field.rpartition("=")[2] for field in [*asked.fields, *asked.by]} <= options
    if asked.by:
        assert operation.query
        assert set(asked.by) <= set(operation.query.__struct_fields__)
    if asked.rows:
        assert asked.rows in operation.answers.__struct_fields__
    sent = {field.partition("=")[0] for field in asked.fields} | set(asked.fixed or ())
    assert ("file" in options) or (operation.takes is None) == (not sent), "a body where one is taken, and only there"
    if sent:
        known = {field.name: field for field in msgspec.structs.fields(operation.takes)}
        assert sent <= set(known)
        assert {name for name, field in known.items() if field.required} <= sent


def test_commands__are_documented_and_what_is_documented_exists():
    rows = re.findall(r"^\| (`[^|]+) \|", DOCUMENTED, re.MULTILINE)
    told: set[str] = set()
    for row in rows:
        group = ""
        for words in re.findall(r"`([^`]+)`", row):
            name = " ".join(word for word in words.split() if re.fullmatch(r"[a-z][a-z-]*", word))
            full = name if name in COMMANDS or not group else f"{group} {name}"
            group = group or full.split()[0]
            told.add(full)
    assert told - set(COMMANDS) == set(), "docs/command-line.md names commands that there are not"
    assert set(COMMANDS) - told == set(), "add these to docs/command-line.md"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("truelift experiments ''", ["list", "show", "create"]),
        ("truelift --json flags o", ["on", "off"]),
        ("truelift experiments list --status ''", ["draft", "running", "paused", "stopped"]),
        ("truelift stop search --w", ["--why"]),
        ("truelift flags on cart ''", ["production", "staging", "development"]),
    ],
)
def test_completion__in_bash__offers_what_may_come_here(tmp_path, typed, offered):
    script = completed(tmp_path, "bash")
    asked = (
        f'source "$0"; COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _truelift; echo ${{COMPREPLY[@]}}'
    )
    words = run(["bash", "-c", asked, str(script)]).split()
    assert words[: len(offered)] == offered


@pytest.mark.parametrize(
    ("shell", "asked"),
    [
        (
            "zsh",
            'compdef() {}; compadd() { shift; echo $* }; source "$0"; words=(truelift alerts ""); CURRENT=3; _truelift',
        ),
        ("fish", "source $argv[1]; complete -C 'truelift alerts '"),
    ],
)
def test_completion__in_other_shells__offers_what_may_come_here(tmp_path, shell, asked):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = completed(tmp_path, shell)
    assert {"list", "acknowledge", "mute"} <= set(run([shell, "-c", asked, str(script)]).split())


def completed(folder: Path, shell: str) -> Path:
    script = folder / f"truelift.{shell}"
    script.write_text(completion.SHELLS[shell](list(completion.places(parser()))))
    return script


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def test_completion__needs_neither_key_nor_server(capsys, monkeypatch):
    monkeypatch.delenv("TRUELIFT_KEY", raising=False)
    assert main(["completion", "bash"]) == 0
    assert "complete -o default -F _truelift truelift" in capsys.readouterr().out


class Refreshing:
    """A server whose refresh ends at the second look."""

    def __init__(self, error: str | None = None) -> None:
        self.looks, self.error = 0, error

    def send(self, method: str, path: str) -> Any:
        assert (method, path) == ("POST", "/experiments/search/refresh")
        return {"id": 7, "finished_at": None, "error": None}

    def get(self, path: str) -> Any:
        self.looks += 1
        done = self.looks == 2
        return {"id": 7, "finished_at": "now" if done else None, "error": self.error if done else None}


def test_refresh__is_waited_for_and_its_failure_said(capsys):
    asked = parser().parse_args(["refresh", "search", "--every", "0.1", "--json"])
    server = Refreshing()
    assert reading.refresh(server, asked, None) is None
    assert (server.looks, '"id": 7' in capsys.readouterr().out) == (2, True)
    with pytest.raises(CommandError, match="out of disk"):
        reading.refresh(Refreshing("out of disk"), asked, None)

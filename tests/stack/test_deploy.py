"""The examples for service managers name what exists."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from config import paths
from config.stack import options, services

DEPLOY = paths.REPOSITORY / "deploy"


def exec_start(unit: str) -> list[str]:
    text = (DEPLOY / "systemd" / f"truelift-{unit}.service").read_text()
    [line] = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    return shlex.split(line)


def what_decides(words: Sequence[str]) -> list[str]:
    """Return the application, the kind of process and the switches; numbers and paths may differ."""
    return [word for word in words if word.startswith(("config.", "worker", "beat", "--no-", "--without-", "rsgi"))]


def test_units__start_the_same_applications_as_make_run(tmp_path: Path):
    asked = options.parse(["--home", str(tmp_path)])
    for unit, service in (
        ("web", services.web(asked, "127.0.0.1")),
        ("worker", services.worker(asked)),
        ("beat", services.beat(asked)),
    ):
        program, *arguments = exec_start(unit)
        assert ("-m", Path(program).name) == service.command[:2]
        assert what_decides(arguments) == what_decides(service.command)


def test_example_environment__sets_only_documented_settings():
    documented = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (paths.REPOSITORY / "docs/settings.md").read_text(), re.MULTILINE)
    )
    names = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "truelift.env").read_text(), re.MULTILINE))
    assert {"DATABASE_URL", "REDIS_URL", "TRUELIFT_SECRET_KEY"} <= names
    assert names <= documented

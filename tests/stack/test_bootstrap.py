"""The first step on a fresh machine: an old Python is told so, an environment is made and installed once."""

import subprocess
import sys
from pathlib import Path

import pytest

from config import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an environment in which nothing is installed."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(bootstrap, "PYTHON", str(tmp_path / ".venv" / "bin" / "python"))
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run; every command succeeds."""
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command, **options: ran.append(command) or 0)
    return ran


def installations(commands: list[list[str]]) -> list[list[str]]:
    return [command for command in commands if "pip" in command]


def test_install__twice__runs_pip_once(checkout, commands, capsys):
    bootstrap.install("")
    bootstrap.install("")
    assert [command[-2:] for command in installations(commands)] == [["-e", str(checkout)]]
    assert "--progress-bar" in commands[0]


@pytest.mark.parametrize("name", bootstrap.DECIDING)
def test_install__after_what_it_is_made_from_changed__runs_pip_again(checkout, commands, name):
    bootstrap.install("")
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("other content")
    bootstrap.install("")
    assert len(installations(commands)) == 2


def test_deciding__names_every_source_of_the_compiled_module():
    engine = Path(bootstrap.__file__).parent.parent / "assignment" / "engine"
    sources = {f"assignment/engine/{path.name}" for path in engine.iterdir() if path.suffix in (".c", ".h")}
    assert sources == set(bootstrap.DECIDING) - {"pyproject.toml", "setup.py"}


def test_install__without_a_compiler__says_what_that_costs(checkout, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "call", lambda command, **options: int("_native" in command[-1]))
    bootstrap.install("")
    assert "assigned by numpy, which is right but slower" in capsys.readouterr().out


def test_install__for_running_after_installing_for_tests__is_not_needed(checkout, commands):
    bootstrap.install("dev")
    bootstrap.install("")
    assert [command[-1] for command in installations(commands)] == [f"{checkout}[dev]"]


def test_install__that_failed__is_tried_again(checkout, monkeypatch):
    monkeypatch.setattr(subprocess, "call", lambda command, **options: 1)
    for _ in range(2):
        with pytest.raises(SystemExit, match="The installation failed"):
            bootstrap.install("")


def test_python__that_is_too_old_and_the_only_one__is_named_with_what_is_needed(monkeypatch):
    monkeypatch.setattr(bootstrap, "NEEDED", (9, 9))
    monkeypatch.setattr(bootstrap, "NEWER", ("python9.9",))
    with pytest.raises(SystemExit, match=r"needs Python 9\.9 or later; .* is 3\.\d+\. Install a newer one and name it"):
        bootstrap.use_new_enough_python()


def test_environment__without_the_venv_package__says_which_one_to_install(checkout, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match=r"apt install python3\.\d+-venv"):
        bootstrap.make_environment()


@pytest.mark.slow
def test_environment__made_from_nothing__has_a_working_pip(checkout):
    bootstrap.make_environment()
    version = subprocess.run([bootstrap.PYTHON, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert str(checkout) in version.stdout
    assert bootstrap.environment_works()

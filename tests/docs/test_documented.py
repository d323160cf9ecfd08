"""What can be set or called is written down; what is written down exists."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
OUR_APPS = {"config", "experiments", "assignment", "events", "analysis"}
ENVIRONMENT = re.compile(r"""["'](TRUELIFT_[A-Z_]+|DATABASE_URL|REDIS_URL|EMAIL_URL)["']""")


def product_sources() -> list[Path]:
    return [file for app in OUR_APPS for file in (ROOT / app).rglob("*.py")]


def test_settings__every_environment_variable_read_is_documented():
    read = {name for file in product_sources() for name in ENVIRONMENT.findall(file.read_text())}
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    assert read, "the sources were not found"
    assert read - documented == set(), "add these to docs/settings.md"
    assert documented - read == set(), "docs/settings.md names settings that nothing reads"


def test_commands__every_management_command_is_documented():
    ours = {name for name, app in get_commands().items() if app in OUR_APPS}
    documented = set(re.findall(r"^\| `manage\.py (\w+)", (ROOT / "docs/commands.md").read_text(), re.MULTILINE))
    assert ours == documented


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_links__lead_to_files_that_exist(page: str):
    file = ROOT / page
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", file.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (file.parent / target).exists(), f"{page} links to {target}, which does not exist"


PROOF = re.compile(r"`pytest ((?:tests/)?[^`]+)`")


@pytest.mark.parametrize("page", ["docs/web-ui.md", "docs/model-evidence.md", "docs/events.md"])
def test_proofs__name_tests_that_are_there(page: str):
    commands = PROOF.findall((ROOT / page).read_text())
    assert commands
    for command in commands:
        paths = [ROOT / part for part in command.split() if part.startswith("tests/")]
        files = [file for path in paths for file in ([path] if path.suffix else path.rglob("test_*.py"))]
        names = " ".join(name for file in files for name in re.findall(r"def (test_\w+)", file.read_text()))
        chosen = re.search(r'-k "?([\w ]+)"?', command)
        wanted = chosen[1].split(" or ") if chosen else ["test_"]
        missed = [word for word in wanted if word not in names]
        assert (missed, bool(files)) == ([], True), f"{page}: `pytest {command}` finds nothing by {missed}"

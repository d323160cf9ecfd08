"""Answer a file of the open SDKs' shared cases and say where the engine disagrees."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from assignment.engine.cases import Checked, check


class Command(BaseCommand):
    """Answer a file of the open SDKs' shared cases and say where the engine disagrees."""

    help = (
        "Answer every case of a file of the open SDKs' shared cases. Each failure is printed with its section, its "
        "name, what was got and what was expected; the last line counts. Exit code 1 when one failed or none was found."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file."""
        parser.add_argument("file", type=Path, help="JSON: sections of cases, as the SDKs share them")

    def handle(self, *_: Any, **options: Any) -> None:
        """Answer, print and count."""
        answers = list(check(read(options["file"])))
        failures = [answer for answer in answers if not answer.passed]
        for failure in failures:
            self.stdout.write(describe(failure))
        self.stdout.write(f"{len(answers) - len(failures)} passed, {len(failures)} failed")
        if failures or not answers:
            raise SystemExit(1)


def read(path: Path) -> dict[str, Any]:
    """Return the file's content; raise ``CommandError`` where it is no file of cases."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise CommandError(f"{path} cannot be read as JSON: {problem}", returncode=1) from problem
    if not isinstance(content, dict):
        raise CommandError(f"{path} holds a {type(content).__name__}; an object of sections is expected.", returncode=1)
    return content


def describe(failure: Checked) -> str:
    """Return the lines that say what went wrong."""
    lines = [f"FAILED {failure.section}: {failure.name}"]
    if failure.problem:
        return "\n".join([*lines, f"  {failure.problem}"])
    answers = [("got", failure.got), ("expected", failure.expected)]
    return "\n".join([*lines, *(f"  {name:9}{json.dumps(value, default=str)}" for name, value in answers)])

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(
    r'(?:EventError|BodyError|error)\(\s*(?:\d+,\s*)?"([a-z_]+)"'
    r'|, "([a-z_]+)"\) if isinstance|else \(503, "([a-z_]+)"\)'
)


def codes_of(files: Iterable[Path]) -> set[str]:
    return {code for file in files for found in CODE.findall(file.read_text()) for code in found if code}


def test_codes__of_files_alone__are_documented_with_the_import():
    alone = codes_of((ROOT / "events/transfer").glob("*.py")) - codes_of((ROOT / "events/intake").glob("*.py"))
    assert {"missing_time", "unreadable_row"} <= alone
    documented = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", (ROOT / "docs/import-export.md").read_text()))
    assert alone - documented == set()


def test_codes__every_one_that_a_client_can_get_is_documented():
    doors = (file for file in (ROOT / "events").glob("*/*.py") if file.parent.name != "transfer")
    used = codes_of([*doors, ROOT / "config/server.py", ROOT / "config/doorway.py"])
    page = (ROOT / "docs/events.md").read_text()
    documented = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|forbidden)`", page.partition("## What the answer says")[2]))
    assert {"missing_unit", "too_busy", "log_unavailable", "internal_error", "forbidden"} <= used
    assert used - documented == set()
    assert documented - used - {"outputs_differ"} == set()

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(
    r'(?:EventError|BodyError|error)\(\s*(?:\d+,\s*)?"([a-z_]+)"'
    r'|, "([a-z_]+)"\) if isinstance|else \(503, "([a-z_]+)"\)'
)


def test_codes__every_one_that_a_client_can_get_is_documented():
    sources = [*(ROOT / "events").glob("*/*.py"), ROOT / "config/server.py", ROOT / "config/doorway.py"]
    used = {code for file in sources for found in CODE.findall(file.read_text()) for code in found if code}
    page = (ROOT / "docs/events.md").read_text()
    documented = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|forbidden)`", page.partition("## What the answer says")[2]))
    assert {"missing_unit", "too_busy", "log_unavailable", "internal_error", "forbidden"} <= used
    assert used - documented == set()
    assert documented - used - {"outputs_differ"} == set()

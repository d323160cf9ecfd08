import re

from config.paths import REPOSITORY
from experiments import audit
from experiments.domain.lifecycle import Step
from experiments.pages.history import WORDS, history
from tests import builders

SUBJECTS = r'"((?:experiment|flag|segment|holdout|override)\.[a-z-]+)"'


def test_history__every_action_that_is_recorded__has_words():
    sources = [path.read_text() for path in (REPOSITORY / "experiments").glob("*.py")]
    recorded = {action for source in sources for action in re.findall(SUBJECTS, source)}
    assert len(recorded) > 20
    assert recorded | {f"experiment.{step}" for step in Step} <= set(WORDS)


def test_history__newest_first__with_what_changed_and_why(shop, alice):
    builders.flag(shop, "other")
    audit.record(shop, alice, "flag.create", "flag:x", after={"name": "X"})
    audit.record(
        shop, None, "flag.edit", "flag:x", before={"name": "X", "default_value": False},
        after={"name": "Y", "default_value": False}, why="Clearer",
    )  # fmt: skip
    audit.record(shop, alice, "flag.create", "flag:xy", after={"name": "Another"})
    newest, oldest = history(shop, "flag:x")
    assert (newest.who, newest.did, newest.why) == ("The product", "changed its words or default", "Clearer")
    assert [(one.name, one.before, one.after) for one in newest.changes] == [("name", "X", "Y")]
    assert (oldest.who, oldest.changes) == ("alice@example.com", [])


def test_history__a_long_value__is_cut(shop, alice):
    audit.record(shop, alice, "segment.edit", "segment:x", before={"values": ["a" * 500]}, after={"values": []})
    change = history(shop, "segment:x")[0].changes[0]
    assert len(change.before) == 120
    assert change.before.endswith("…")

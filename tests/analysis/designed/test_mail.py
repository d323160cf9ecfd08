"""Result e-mails of the kinds beside the A/B test: the same sentence, and what the result rests on in its own words."""

from datetime import timedelta

import pytest

from analysis.bandits import result as bandits
from analysis.designed.pages import block_of
from analysis.interleaving import result as interleaving
from analysis.mail import contents
from analysis.offpolicy.giving import give
from analysis.results.latest import latest, results_of
from analysis.results.schema import Results
from analysis.switchback import result as switchback
from tests.analysis.bandits.test_moving import finished
from tests.analysis.interleaving.test_result import interleaving as an_interleaving
from tests.analysis.interleaving.test_result import people
from tests.analysis.offpolicy.files import toy, write
from tests.analysis.offpolicy.test_result import evaluation
from tests.analysis.switchback.test_result import END, market
from tests.analysis.switchback.test_result import switchback as a_switchback
from tests.builders import T0


def valued(shop, tmp_path) -> Results | None:
    tested = evaluation(shop, "file")
    give(tested, write(tmp_path / "log.csv", toy()), "decisions.csv", None)
    kept = latest(tested)
    return None if kept is None else results_of(kept)


def preferred(shop, tmp_path) -> Results | None:
    people(shop, 60, 20, 20)
    return interleaving.read(an_interleaving(shop), T0 + timedelta(days=9))


def moved(shop, tmp_path) -> Results | None:
    return bandits.read(finished(shop), T0 + timedelta(days=6))


def taken_in_turns(shop, tmp_path) -> Results | None:
    turns = a_switchback(shop)
    market(shop, turns, gain=3)
    return switchback.read(turns, END)


@pytest.mark.parametrize(
    ("make", "named"),
    [(valued, "Decisions"), (preferred, "Mixed lists"), (moved, "Batches"), (taken_in_turns, "A block")],
)
def test_story__of_a_kind__has_its_sentence_and_its_own_facts_and_no_split(shop, tmp_path, make, named):
    results = make(shop, tmp_path)
    assert results is not None
    story = contents.tell(results, "UTC", results.as_of + timedelta(days=30))
    assert (story.headline, story.split) == (results.verdict.headline, [])
    own = block_of(results)
    assert own is not None
    assert story.facts[1:] == own.facts
    assert named in dict(story.facts)
    assert bool(story.problems) != (make is valued)  # a file is read once: no data are missing

"""Mixed lists: fair, repeatable, from the client and from the server's door alike."""

import asyncio
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.interleaving import every_draft
from assignment.client import team_draft
from assignment.client.drafting import LONGEST_LIST
from assignment.document import publish
from assignment.edge import Edge
from assignment.interleave import PATH, InterleaveDoor
from assignment.served import ExperimentRow, ProjectRows, VariantRow
from experiments.domain.environments import Environment
from tests.assignment import served
from tests.assignment.served import KEY

RANKING = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


def row(**fields) -> ExperimentRow:
    variants = (VariantRow(key="control", weight=5000), VariantRow(key="treatment", weight=5000))
    everywhere = tuple(one.value for one in Environment)
    defaults = {"key": "rankers", "salt": "s", "variants": variants, "status": "running", "kind": "interleaving",
                "environments": everywhere}  # fmt: skip
    return ExperimentRow(**{**defaults, **fields})


@given(RANKING, RANKING, st.integers(1, 10), st.text(min_size=1, max_size=8))
def test_draft__any_rankings__shows_each_item_once_and_in_each_rankings_order(control, treatment, length, seed):
    draft = team_draft(control, treatment, length=length, seed=seed)
    assert len(set(draft.items)) == len(draft.items) == min(length, len({*control, *treatment}))
    for ranking, team in ((control, "control"), (treatment, "treatment")):
        own = [item for item, picked_by in zip(draft.items, draft.teams, strict=True) if picked_by == team]
        assert own == [item for item in ranking if item in own]
    assert draft == team_draft(control, treatment, length=length, seed=seed)


def test_draft__many_seeds__shows_every_possible_list_as_often_as_the_coins_say():
    control, treatment = ["a", "b", "c", "d"], ["b", "e", "a", "f"]
    expected: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    for chance, one in every_draft(control, treatment, 4):
        expected[one.items, tuple(team.value for team in one.teams)] += chance
    runs = 4000
    found = Counter(
        (draft.items, draft.teams)
        for draft in (team_draft(control, treatment, length=4, seed=f"imp-{i}") for i in range(runs))
    )
    assert found.keys() == expected.keys()
    for shown, chance in expected.items():
        assert abs(found[shown] / runs - chance) < 4 * np.sqrt(chance * (1 - chance) / runs)


def test_draft__either_ranker__begins_as_often():
    first = [team_draft(["a", "b"], ["c", "d"], length=2, seed=f"i{i}").teams[0] for i in range(2000)]
    assert abs(first.count("control") - 1000) < 4 * np.sqrt(500)


def test_draft__the_longest_list__has_a_coin_for_each_round():
    left, right = ([f"{side}{i}" for i in range(LONGEST_LIST)] for side in "lr")
    draft = team_draft(left, right, length=LONGEST_LIST, seed="x")
    assert Counter(draft.teams) == {"control": 100, "treatment": 100}
    begins = Counter(draft.teams[::2])
    assert 25 < begins["control"] < 75


def test_draft__rankers_that_agree__says_so():
    assert not team_draft(["a", "b"], ["a", "b"], length=2, seed="x").differs
    assert team_draft(["a", "b"], ["b", "a"], length=2, seed="x").differs


@pytest.mark.parametrize(("length", "seed", "words"), [(0, "x", "1 to 200"), (201, "x", "1 to 200"), (3, "", "seed")])
def test_draft__what_does_not_fit__is_refused(length, seed, words):
    with pytest.raises(ValueError, match=words):
        team_draft(["a"], ["b"], length=length, seed=seed)


@pytest.mark.parametrize("status", ["paused", "stopped"])
def test_publish__an_interleaving_that_does_not_run__gives_everyone_the_control(status):
    found = publish(ProjectRows(experiments=(row(status=status),)), "production")
    assert found.features["rankers"] == {"defaultValue": "control", "rules": []}


def test_publish__a_running_interleaving__mixes_for_its_share_and_exposes_nobody():
    found = publish(ProjectRows(experiments=(row(allocation=2500),)), "production")
    (rule,) = found.features["rankers"]["rules"]
    assert (rule["force"], rule["range"]) == ("interleaved", [0.0, 0.25])
    assert "variations" not in rule
    assert found.refused == {}


@pytest.fixture
def door(tmp_path) -> InterleaveDoor:
    made = Edge("", tmp_path / "snapshot.json")
    made.offer(served.content_for(KEY, row(), row(key="half", allocation=5000), row(key="ab", kind="standard")))
    return InterleaveDoor(made)


ASKED = {
    "experiment": "rankers",
    "unit": "u1",
    "impression_id": "imp-1",
    "control": ["a", "b"],
    "treatment": ["c", "a"],
}


def ask(door: InterleaveDoor, body: object, *, method: str = "POST", key: str = KEY, path: str = PATH):
    sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
    status, _, answer = asyncio.run(door.handle(method, path, {"authorization": f"Bearer {key}"}, "", sent))
    return status, msgspec.json.decode(answer)


def test_door__two_rankings__mixes_them_as_the_client_does(door):
    status, answer = ask(door, {**ASKED, "length": 3})
    draft = team_draft(["a", "b"], ["c", "a"], length=3, seed="imp-1")
    assert (status, answer["interleaved"]) == (200, True)
    assert [(one["item"], one["team"]) for one in answer["items"]] == list(zip(draft.items, draft.teams, strict=True))
    assert answer["properties"] == draft.properties("rankers")


def test_door__a_unit_that_takes_no_part__gets_the_rankers_in_use_and_nothing_to_report(door):
    answers = [ask(door, {**ASKED, "experiment": "half", "unit": f"u{i}"})[1] for i in range(40)]
    assert {one["interleaved"] for one in answers} == {True, False}
    alone = next(one for one in answers if not one["interleaved"])
    assert alone == {"interleaved": False, "properties": None,
                     "items": [{"item": "a", "team": "control"}, {"item": "b", "team": "control"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({**ASKED, "experiment": "nothing"}, 404, "is not there"),
        ({**ASKED, "experiment": "ab"}, 404, "is no interleaving"),
        ({**ASKED, "impression_id": ""}, 400, "impression_id"),
        ({**ASKED, "length": 0}, 400, "length"),
        ({**ASKED, "colour": "red"}, 400, "colour"),
        ({**ASKED, "control": "ab"}, 400, "control"),
        (b"{", 400, "Send an object such as"),
    ],
)
def test_door__what_cannot_be_answered__is_refused_with_its_reason(door, body, status, words):
    found, answer = ask(door, body)
    assert (found, words in answer["message"]) == (status, True), answer


def test_door__another_method_or_key_or_address__is_refused(door):
    assert ask(door, ASKED, method="GET")[0] == 405
    assert ask(door, ASKED, key="tl_wrong")[0] == 401
    assert ask(door, ASKED, path=PATH + "/more")[0] == 404

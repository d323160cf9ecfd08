from datetime import date
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.overview.wanted import SPANS, Sort, View, Wanted, read
from experiments.domain.conclusions import Recommendation
from experiments.domain.kinds import ExperimentKind
from experiments.domain.stages import Stage

SIGNS = "ab Z09é&+=%;?#/_'\"\\"
TEXT = st.text(SIGNS, max_size=20).map(str.strip)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
LISTS = st.builds(
    Wanted,
    view=st.sampled_from(View),
    q=TEXT,
    stages=st.lists(st.sampled_from(Stage), unique=True, max_size=3).map(tuple),
    owner=TEXT,
    tag=TEXT,
    kind=st.none() | st.sampled_from(ExperimentKind),
    verdict=st.none() | st.sampled_from(Recommendation),
    since=st.none() | st.dates(),
    archived=st.booleans(),
    sort=st.sampled_from(Sort),
    page=st.integers(1, 500),
    span=st.sampled_from(sorted(SPANS)),
    back=st.integers(0, 100),
)


def again(query: str) -> Wanted:
    pairs = parse_qs(query)
    return read({name: values[-1] for name, values in pairs.items()}, pairs.get("stage", []))


@PATIENT
@given(LISTS)
def test_query__of_any_list__reads_back_as_the_same_list(wanted: Wanted):
    assert again(wanted.query) == wanted


@given(
    st.dictionaries(st.sampled_from(Wanted.__slots__), st.text(SIGNS + "\0", max_size=30)), st.lists(TEXT, max_size=3)
)
def test_read__whatever_an_address_says__is_some_list(given_: dict[str, str], stages: list[str]):
    wanted = read(given_, stages)
    assert wanted.page >= 1
    assert wanted.span in SPANS
    assert again(wanted.query) == wanted


def test_query__what_is_as_usual__is_left_out():
    assert Wanted().query == ""
    assert Wanted(stages=(Stage.READY, Stage.WRAP_UP), owner="me").query == (
        "stage=ready+for+review&stage=wrap+up&owner=me"
    )


def test_read__what_nobody_can_mean__is_passed_over():
    assert read({"view": "cube", "page": "-3", "since": "soon", "kind": "odd", "span": "7"}, ["nowhere"]) == Wanted()


def test_but__anything_else_changed__begins_at_the_first_page():
    assert Wanted(page=4).but(q="x").page == 1
    assert Wanted(page=4, q="x").but(page=5) == Wanted(page=5, q="x")


@pytest.mark.parametrize(
    ("wanted", "filters"),
    [(Wanted(q="x"), 0), (Wanted(owner="me", since=date(2026, 1, 1)), 2), (Wanted(archived=True), 1)],
)
def test_filters__count_what_may_be_folded_away(wanted: Wanted, filters: int):
    assert wanted.filters == filters
    assert wanted.narrows

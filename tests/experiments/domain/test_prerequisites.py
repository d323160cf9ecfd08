from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.prerequisites import cycle_through


def test_cycle__through_two_others__names_the_way():
    assert cycle_through("a", {"a": ["b"], "b": ["c", "d"], "c": ["a"], "d": []}) == ("a", "b", "c", "a")


def test_cycle__to_itself__is_found():
    assert cycle_through("a", {"a": ["a"]}) == ("a", "a")


def test_cycle__of_others_only__is_not_this_ones():
    assert cycle_through("a", {"a": ["b"], "b": ["c"], "c": ["b"]}) is None


@given(st.dictionaries(st.integers(0, 6), st.sets(st.integers(0, 6)), max_size=7))
def test_cycle__any_graph__is_a_real_way_or_there_is_none(graph):
    parents = {str(key): {str(parent) for parent in found} for key, found in graph.items()}
    way = cycle_through("0", parents)
    reached, waiting = set(), set(parents.get("0", ()))
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            waiting |= parents.get(at, set())
    assert (way is not None) == ("0" in reached)
    if way is not None:
        assert way[0] == way[-1] == "0"
        assert all(after in parents[before] for before, after in pairwise(way))

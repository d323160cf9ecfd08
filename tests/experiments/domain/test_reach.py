"""Who takes part, of all."""

from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.reach import Reach
from experiments.domain.shares import WHOLE

SHARE = st.integers(0, WHOLE)


@given(SHARE, SHARE, SHARE)
def test_reach__its_parts__add_up_to_everyone(traffic, held_out, layer):
    found = Reach(traffic=traffic, held_out=held_out, layer=layer)
    assert sum(part.size for part in found.parts) == WHOLE
    assert all(part.size > 0 for part in found.parts)
    assert found.taking_part <= min(traffic, WHOLE - held_out, layer) + 1


def test_reach__of_some__is_said_by_variant():
    found = Reach(traffic=5000, held_out=1000, layer=WHOLE, variants=(("Control", 5000), ("New", 5000)))
    assert found.sentence == "45 % of all users take part: 22.5 % Control, 22.5 % New."

"""Links to look at one variant."""

import pytest

from assignment.engine.sdk.overrides import query_string_override
from experiments.domain.qa import variant_link


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("https://shop.example/search?q=boots#top", "https://shop.example/search?q=boots&new-ranker=1#top"),
        ("https://shop.example", "https://shop.example?new-ranker=1"),
        ("https://shop.example/?new-ranker=0&a=", "https://shop.example/?a=&new-ranker=1"),
    ],
)
def test_variant_link__is_read_by_the_engine_as_the_variant(page: str, link: str):
    assert variant_link(page, "new-ranker", 1) == link
    assert query_string_override("new-ranker", link, 2) == 1

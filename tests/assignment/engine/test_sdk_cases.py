import json
from typing import Any

import pytest

from assignment.engine.hashing import hash_share
from assignment.engine.sdk.shares import choose_variation, equal_weights, share_ranges
from config.paths import REPOSITORY

CASES = REPOSITORY.parent / "shared" / "conformance" / "growthbook_sdk_cases_half.json"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason=f"the shared SDK cases are not at {CASES}")


def cases(section: str) -> list[Any]:
    return list(json.loads(CASES.read_text())[section]) if CASES.exists() else []


@pytest.mark.parametrize(("seed", "value", "version", "expected"), cases("hash"))
def test_hash__shared_case__agrees(seed, value, version, expected):
    assert hash_share(seed, value, version) == expected


@pytest.mark.parametrize(("name", "arguments", "expected"), cases("getBucketRange"))
def test_share_ranges__shared_case__agrees(name, arguments, expected):
    ranges = share_ranges(*arguments)
    assert [list(bounds) for bounds in ranges] == [pytest.approx(bounds) for bounds in expected]


@pytest.mark.parametrize(("name", "share", "ranges", "expected"), cases("chooseVariation"))
def test_choose_variation__shared_case__agrees(name, share, ranges, expected):
    assert choose_variation(share, ranges) == expected


@pytest.mark.parametrize(("variants", "expected"), cases("getEqualWeights"))
def test_equal_weights__shared_case__agrees_to_eight_decimals(variants, expected):
    assert [round(weight, 8) for weight in equal_weights(variants)] == expected

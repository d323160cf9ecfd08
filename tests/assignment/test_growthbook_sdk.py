"""The SDK that evaluates locally, given the same experiment, gives every unit the same variant."""

import pytest
from growthbook import GrowthBook

from assignment.engine.bucketing import OUTSIDE, bucket_ranges
from assignment.engine.evaluation import Evaluator
from assignment.engine.hashing import BUCKETS
from tests.assignment.served import experiment, variant

UNITS = [
    *(f"shopper-{number}" for number in range(9_000)),
    *(str(number) for number in range(500)),
    *(f"zoë-日本-😀-{number}" for number in range(500)),
]


@pytest.mark.parametrize(
    ("weights", "allocation"),
    [((5000, 5000), 10_000), ((3333, 3333, 3334), 10_000), ((3333, 6667), 1234), ((9000, 500, 500), 500)],
)
def test_growthbook__ten_thousand_units__get_the_same_variants(weights, allocation):
    served = experiment(
        allocation=allocation,
        variants=tuple(variant(f"v{index}", weight=weight) for index, weight in enumerate(weights)),
    )
    rule = {
        "key": served.key,
        "seed": served.salt,
        "hashVersion": 2,
        "hashAttribute": "id",
        "variations": [v.value for v in served.variants],
        "meta": [{"key": v.key} for v in served.variants],
        "ranges": [[start / BUCKETS, end / BUCKETS] for start, end in bucket_ranges(weights, allocation)],
    }
    sdk = GrowthBook(features={served.key: {"defaultValue": "not in the experiment", "rules": [rule]}})
    evaluator = Evaluator(served)
    names = [v.key for v in served.variants]

    local, ours = [], []
    for unit in UNITS:
        sdk.set_attributes({"id": unit})
        local.append(sdk.eval_feature(served.key).value)
        index = evaluator.place(unit)
        ours.append("not in the experiment" if index == OUTSIDE else names[index])

    assert ours == local
    assert set(names) <= set(ours)

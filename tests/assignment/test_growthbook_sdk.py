"""The SDK that evaluates locally, given the payload that is served, gives every unit what the server answers."""

import json

import pytest
from growthbook import GrowthBook

from assignment.table import Environment
from tests.assignment import rows
from tests.assignment.served import experiment, project, variant

UNITS = [
    *(f"shopper-{number}" for number in range(9_000)),
    *(str(number) for number in range(500)),
    *(f"zoë-日本-😀-{number}" for number in range(500)),
]
PRO = {"plan": "pro"}


def environment_of(*made):
    return Environment(project(*made).environments["production"])


def local_and_remote(environment, key, units):
    payload = json.loads(environment.payload)
    sdk = GrowthBook(features=payload["features"], savedGroups=payload["savedGroups"])
    flag = environment.flags[key]
    local, remote = [], []
    for unit in units:
        attributes, problems = environment.attributes({"targetingKey": unit, **PRO})
        sdk.set_attributes({"id": unit, **PRO})
        local.append(sdk.eval_feature(key).value)
        remote.append(json.loads(flag.encoded(attributes, problems))["value"])
    return local, remote


@pytest.mark.parametrize(
    ("weights", "allocation"),
    [((5000, 5000), 10_000), ((3333, 3333, 3334), 10_000), ((3333, 6667), 1234), ((9000, 500, 500), 500)],
)
def test_growthbook__ten_thousand_units__get_the_same_variants(weights, allocation):
    variants = tuple(variant(f"v{index}", weight=weight) for index, weight in enumerate(weights))
    local, remote = local_and_remote(
        environment_of(experiment(allocation=allocation, variants=variants)), "ranker", UNITS
    )
    assert local == remote
    assert set(local) == {v.key for v in variants}


def test_growthbook__layers_holdout_overrides_segments_and_ships__are_read_alike():
    staff = rows.segment("staff", attribute="id", values=("shopper-1", "shopper-2"))
    environment = environment_of(
        rows.experiment("left", layer_salt="layer", layer_ranges=((0, 4000),), targeting=PRO),
        rows.experiment("right", layer_salt="layer", layer_ranges=((4000, 10_000),), overrides=(rows.override("7"),)),
        rows.experiment("after", prerequisites=(rows.needs("right", "treatment"),)),
        rows.shipped("done", holdback_share=1000),
        rows.holdback("done"),
        rows.holdout(size=1000),
        rows.flag(
            rules=(
                rows.rule(1, value="staff", targeting={"$segment": "staff"}),
                rows.rule(2, "experiment", experiment="left"),
                rows.rule(3, "rollout", value="on", share=3000, salt="pepper", targeting=PRO),
            )
        ),
        staff,
    )
    for key in ("left", "right", "after", "done", "banner"):
        local, remote = local_and_remote(environment, key, [*UNITS[:4_000], "7"])
        assert local == remote
        assert len(set(local)) >= 2

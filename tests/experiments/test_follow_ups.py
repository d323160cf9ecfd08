"""Holdouts and holdbacks stay as they were started: what is served of them follows from that."""

import pytest

from experiments import layers, lifecycle, overrides, prerequisites
from experiments.audience import Audience, set_audience
from experiments.domain.ramps import RampStep
from experiments.models import Experiment
from experiments.refusals import RefusedError
from tests import builders

ACTS = {
    "audience": lambda one: set_audience(one, None, Audience(targeting={"country": "SE"})),
    "override": lambda one: overrides.add(one, "qa-1", one.variants.first(), None),
    "prerequisite": lambda one: prerequisites.set_prerequisites(one, None, {"free-shipping": True}),
    "layer": lambda one: layers.grow(one, 5000, None),
    "traffic": lambda one: lifecycle.grow_traffic(one, None, 10_000),
    "phase": lambda one: lifecycle.new_phase(one, None, "Broken"),
    "ramp": lambda one: lifecycle.set_ramp(one, None, [RampStep(share=10_000)]),
}


@pytest.fixture
def holdback(shop) -> Experiment:
    layer = builders.a_layer(shop)
    running = builders.experiment(shop, layer=layer, layer_ranges=[[0, 1000]])
    lifecycle.ship(running, running.variants.get(position=1), 500, None, "Better")
    builders.a_flag(shop)
    return running.follow_ups.get()


@pytest.mark.parametrize("act", ACTS)
def test_holdback__after_it_began__is_changed_by_nothing(holdback, act):
    with pytest.raises(RefusedError, match="is a holdback and stays as it was started"):
        ACTS[act](holdback)


@pytest.mark.parametrize("act", sorted(set(ACTS) - {"layer"}))
def test_holdout__after_it_began__is_changed_by_nothing(shop, act):
    builders.a_flag(shop)
    with pytest.raises(RefusedError, match="is a holdout and stays as it was started"):
        ACTS[act](builders.a_holdout(shop))

import threading

import pytest
from django.db import connection

from experiments import layers, lifecycle
from experiments.domain.layers import read_ranges, size
from experiments.domain.lifecycle import Status
from experiments.domain.units import UnitType
from experiments.layers import LayerError
from experiments.models import AuditEntry, Experiment, Layer
from tests import builders


@pytest.fixture
def layer(shop) -> Layer:
    return builders.a_layer(shop)


def draft(shop, key: str, **fields) -> Experiment:
    return builders.experiment(shop, key, status=Status.DRAFT, **fields)


def test_create__twice__makes_one(shop, alice):
    first = layers.create_layer(shop, alice, "checkout", "Checkout")
    assert layers.create_layer(shop, alice, "checkout", "Checkout") == first
    with pytest.raises(LayerError, match="already used by a layer"):
        layers.create_layer(shop, alice, "checkout", "Checkout", UnitType.DEVICE)


def test_join__two_drafts__share_no_place(shop, alice, layer):
    a, b = draft(shop, "a"), draft(shop, "b")
    layers.join(a, layer, 3000, alice)
    layers.join(b, layer, 5000, alice)
    assert (a.layer_ranges, b.layer_ranges) == ([[0, 3000]], [[3000, 8000]])
    assert layers.free_share(layer) == 2000
    assert layers.holders(layer) == [a, b]


def test_join__twice__is_recorded_once(shop, alice, layer):
    a = draft(shop, "a")
    assert layers.join(a, layer, 3000, alice)
    assert not layers.join(a, layer, 3000, alice)
    assert AuditEntry.objects.count() == 1


def test_join__more_than_is_left__says_how_much_is(shop, alice, layer):
    layers.join(draft(shop, "a"), layer, 9000, alice)
    with pytest.raises(LayerError, match="10 % free and 20 % was asked for"):
        layers.join(draft(shop, "b"), layer, 2000, alice)


def test_join__a_running_experiment__is_refused(shop, alice, layer):
    with pytest.raises(LayerError, match="has started: in a layer it would lose units"):
        layers.join(builders.experiment(shop), layer, 1000, alice)


def test_join__another_unit_or_project__is_refused(shop, alice, layer):
    with pytest.raises(LayerError, match="divides users and New ranker randomises devices"):
        layers.join(draft(shop, "new-ranker", unit_type=UnitType.DEVICE), layer, 1000, alice)
    with pytest.raises(LayerError, match="belongs to another project"):
        layers.join(draft(builders.project(), "b"), layer, 1000, alice)


def test_grow__a_running_experiment__keeps_its_places(shop, alice, layer, purchase):
    a, b = draft(shop, "a", primary=purchase), draft(shop, "b")
    layers.join(a, layer, 2000, alice)
    layers.join(b, layer, 2000, alice)
    lifecycle.start(a, alice)
    assert layers.grow(a, 5000, alice, "All is well.")
    assert not layers.grow(a, 5000, alice)
    assert read_ranges(a.layer_ranges) == ((0, 2000), (4000, 7000))
    with pytest.raises(LayerError, match="holds 50 % of its layer and 10 % was asked for"):
        layers.grow(a, 1000, alice)


def test_leave__a_draft__gives_its_places_back(shop, alice, layer):
    a = draft(shop, "a")
    layers.join(a, layer, 3000, alice)
    assert layers.leave(a, alice)
    assert not layers.leave(a, alice)
    assert (a.layer, a.layer_ranges, layers.free_share(layer)) == (None, [], 10_000)


def test_leave__a_running_experiment__is_refused(shop, alice, layer):
    running = builders.experiment(shop, layer=layer, layer_ranges=[[0, 5000]])
    with pytest.raises(LayerError, match="keeps its places"):
        layers.leave(running, alice)


def test_stop__an_experiment_in_a_layer__gives_its_places_back(shop, alice, layer):
    running = builders.experiment(shop, layer=layer, layer_ranges=[[0, 10_000]])
    lifecycle.pause(running, alice, "Wait")
    assert layers.free_share(layer) == 0
    lifecycle.stop(running, alice, "Enough")
    assert layers.free_share(layer) == 10_000


@pytest.mark.django_db(transaction=True)
def test_join__from_six_threads_at_once__nobody_shares_a_place():
    home = builders.project()
    layer = builders.a_layer(home)
    drafts = [draft(home, f"e{number}") for number in range(6)]
    ready, refused = threading.Barrier(6), []

    def click(mine: Experiment) -> None:
        ready.wait()
        try:
            layers.join(mine, layer, 2000, None)
        except LayerError:
            refused.append(mine)
        connection.close()

    threads = [threading.Thread(target=click, args=[mine]) for mine in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [one for experiment in layers.holders(layer) for one in read_ranges(experiment.layer_ranges)]
    assert len(refused) == 1
    assert size(held) == size(read_ranges(held)) == 10_000

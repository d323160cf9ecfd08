"""Layers: create them, and let experiments take, enlarge and give back their places."""

from typing import NoReturn

from django.db import transaction

from experiments import audit
from experiments.changes import announce
from experiments.domain import layers as places
from experiments.domain.kinds import ExperimentKind
from experiments.domain.layers import LayerFullError, Range
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.names import key_problem
from experiments.domain.shares import WHOLE, percent
from experiments.domain.units import UnitType
from experiments.models import Experiment, Layer, Project, User
from experiments.names import lock_names
from experiments.refusals import RefusedError, refuse_follow_up

HOLDING = (Status.DRAFT, *LIVE)
"""While an experiment stands here, nobody else gets its places; a stopped one has given them back."""


class LayerError(RefusedError):
    """A layer cannot be made or used as asked."""


@transaction.atomic
def create_layer(
    project: Project, user: User | None, key: str, name: str, unit_type: UnitType = UnitType.USER, description: str = ""
) -> Layer:
    """Create a layer. The same one sent twice (a double click) is created once."""
    if problem := key_problem(key):
        raise LayerError(problem)
    if not name.strip():
        raise LayerError("Give the layer a name.")
    lock_names(project)
    found = Layer.objects.filter(project=project, key=key).first()
    if found is not None:
        if (found.name, found.unit_type, found.description, found.created_by) == (name, unit_type, description, user):
            return found
        raise LayerError(f"The key {key!r} is already used by a layer of this project; choose another.")
    layer = Layer.objects.create(
        project=project, key=key, name=name, unit_type=unit_type.value, description=description, created_by=user
    )
    audit.record(project, user, "layer.create", f"layer:{key}", after={"name": name, "unit_type": unit_type.value})
    return layer


def holders(layer: Layer) -> list[Experiment]:
    """Return the experiments that hold places of the layer, those with the first places first."""
    holding = layer.experiments.filter(status__in=[status.value for status in HOLDING])
    return sorted(holding, key=lambda one: (one.layer_ranges or [[WHOLE]], one.key))


def free_share(layer: Layer) -> int:
    """Return how much of the layer nobody holds, in ten-thousandths."""
    return places.size(places.free(_taken(layer)))


def _taken(layer: Layer, besides: Experiment | None = None) -> list[Range]:
    return [one for held in holders(layer) if held != besides for one in places.read_ranges(held.layer_ranges)]


def locked_layer(layer_id: int) -> Layer:
    """Return the layer for this transaction alone, so that no two experiments take the same places."""
    return Layer.objects.select_for_update(of=("self",)).select_related("project").get(pk=layer_id)


@transaction.atomic
def join(experiment: Experiment, layer: Layer, share: int, user: User | None) -> bool:
    """Give a draft ``share`` of the layer (ten-thousandths); return whether this call did it.

    Raises
    ------
    LayerError
        When the experiment has started, is of another unit or in another layer, or the layer has too little room.
    """
    home = locked_layer(layer.pk)
    mine = _locked(experiment)
    if mine.layer_id == home.pk and places.size(places.read_ranges(mine.layer_ranges)) == share:
        return False
    _check_joining(mine, home, share)
    try:
        taken = places.take(share, _taken(home, besides=mine))
    except LayerFullError as error:
        raise LayerError(str(error)) from error
    _settle(mine, home, taken, user, "experiment.layer-join")
    experiment.refresh_from_db(fields=["layer", "layer_ranges"])
    return True


def _check_joining(experiment: Experiment, layer: Layer, share: int) -> None:
    if experiment.status != Status.DRAFT:
        raise LayerError(f"{experiment.name} has started: in a layer it would lose units. Only a draft can join one.")
    if experiment.project_id != layer.project_id:
        raise LayerError(f"{layer.name} belongs to another project.")
    if experiment.kind != ExperimentKind.STANDARD:
        raise LayerError(f"{experiment.name} is a {experiment.kind}, which takes no place in a layer.")
    if experiment.unit_type != layer.unit_type:
        raise LayerError(
            f"{layer.name} divides {layer.unit_type}s and {experiment.name} randomises {experiment.unit_type}s. "
            f"Choose a layer of {experiment.unit_type}s."
        )
    if not 0 < share <= WHOLE:
        raise LayerError("The share of the layer must be more than 0 % and at most 100 %.")


@transaction.atomic
def leave(experiment: Experiment, user: User | None) -> bool:
    """Take a draft out of its layer; return whether this call did it."""
    mine = _locked(experiment)
    home = mine.layer
    if home is None:
        return False
    if mine.status != Status.DRAFT:
        raise LayerError(
            f"{mine.name} has started and keeps its places; a stopped experiment has given them back by itself."
        )
    before = {"layer": home.key, "share": places.size(places.read_ranges(mine.layer_ranges))}
    mine.layer, mine.layer_ranges = None, []
    mine.save(update_fields=["layer", "layer_ranges"])
    audit.record(mine.project, user, "experiment.layer-leave", f"experiment:{mine.key}", before=before)
    announce()
    experiment.refresh_from_db(fields=["layer", "layer_ranges"])
    return True


@transaction.atomic
def grow(experiment: Experiment, share: int, user: User | None, why: str = "") -> bool:
    """Enlarge an experiment's part of its layer to ``share``; return whether this call did it. Nobody moves."""
    layer_id = Experiment.objects.values_list("layer_id", flat=True).get(pk=experiment.pk)
    if layer_id is None:
        raise LayerError(f"{experiment.name} is in no layer. Change its traffic instead.")
    home = locked_layer(layer_id)
    mine = _locked(experiment)
    refuse_follow_up(mine, LayerError)
    if mine.status not in HOLDING:
        raise LayerError(f"{mine.name} has stopped and holds no places any more.")
    own = places.read_ranges(mine.layer_ranges)
    if share == places.size(own):
        return False
    if share < places.size(own):
        _refuse_shrinking(mine, places.size(own), share)
    try:
        grown = places.grow(own, share, _taken(home, besides=mine))
    except LayerFullError as error:
        raise LayerError(str(error)) from error
    _settle(mine, home, grown, user, "experiment.layer-grow", why)
    experiment.refresh_from_db(fields=["layer", "layer_ranges"])
    return True


def _refuse_shrinking(experiment: Experiment, held: int, share: int) -> NoReturn:
    raise LayerError(
        f"{experiment.name} holds {percent(held)} of its layer and {percent(share)} was asked for. A part can only "
        "grow: units would lose their variant. Pause the experiment, or stop it and start a new one."
    )


def _locked(experiment: Experiment) -> Experiment:
    return Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=experiment.pk)


def _settle(
    experiment: Experiment, layer: Layer, ranges: tuple[Range, ...], user: User | None, action: str, why: str = ""
) -> None:
    before = {"ranges": experiment.layer_ranges}
    experiment.layer, experiment.layer_ranges = layer, [list(one) for one in ranges]
    experiment.save(update_fields=["layer", "layer_ranges"])
    audit.record(
        experiment.project,
        user,
        action,
        f"experiment:{experiment.key}",
        before=before,
        after={"layer": layer.key, "ranges": experiment.layer_ranges},
        why=why,
    )
    announce()

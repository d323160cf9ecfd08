"""Layers as bars: who holds which places, and what is free."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.domain.layers import free, read_ranges, size
from experiments.domain.shares import percent
from experiments.layers import HOLDING
from experiments.models import Experiment, Layer, Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One stretch of a bar, in ten-thousandths; ``tone`` tells neighbours apart."""

    x: int
    width: int
    tone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One experiment of a layer and how much of it it holds."""

    experiment: Experiment
    share: str
    tone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One layer: its pieces, its holders and a sentence for those who do not see it.

    ``preview`` is the share that a draft would take, where somebody is choosing one.
    """

    layer: Layer
    pieces: list[Piece]
    holders: list[Holder]
    free: int
    preview: str = ""

    @property
    def free_words(self) -> str:
        """Say how much is free."""
        return percent(self.free)

    @property
    def sentence(self) -> str:
        """Say who holds what."""
        held = ", ".join(f"{one.experiment.name} holds {one.share}" for one in self.holders) or "Nobody holds anything"
        if self.preview:
            return f"{held}. With your {self.preview}, {self.free_words} is left."
        return f"{held}; {self.free_words} is free."


TONES = 4


def bars(project: Project) -> list[Bar]:
    """Return every layer of the project in two queries."""
    layers = list(project.layers.all())
    held: dict[int, list[Experiment]] = {layer.pk: [] for layer in layers}
    holding = [status.value for status in HOLDING]
    for one in Experiment.objects.filter(project=project, layer__isnull=False, status__in=holding).order_by("key"):
        held[one.layer_id or 0].append(one)
    return [_bar(layer, held[layer.pk]) for layer in layers]


def _bar(layer: Layer, experiments: list[Experiment]) -> Bar:
    experiments.sort(key=lambda one: (one.layer_ranges or [[10_000]], one.key))
    taken = [found for one in experiments for found in read_ranges(one.layer_ranges)]
    return Bar(
        layer=layer,
        pieces=list(_pieces(experiments)),
        holders=[
            Holder(experiment=one, share=percent(size(read_ranges(one.layer_ranges))), tone=number % TONES)
            for number, one in enumerate(experiments)
        ],
        free=size(free(taken)),
    )


def _pieces(experiments: list[Experiment]) -> Iterator[Piece]:
    for number, one in enumerate(experiments):
        for start, end in read_ranges(one.layer_ranges):
            yield Piece(x=start, width=end - start, tone=number % TONES)

"""While somebody chooses unit, traffic and layer: who would take part, and what is free in the layers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from experiments import holdouts
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.layers import LayerFullError, Range, free, read_ranges, size, take
from experiments.domain.reach import Part, Reach
from experiments.domain.shares import WHOLE, percent
from experiments.domain.units import UnitType
from experiments.forms.plan import ten_thousandths
from experiments.models import Experiment
from experiments.pages.layer_bars import Bar, Piece, bars

OWN_TONE = 4
"""The tone of a part that is not taken yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the page shows of a reach."""

    reach: Reach
    problem: str = ""

    @property
    def sentence(self) -> str:
        """Say who takes part."""
        return self.reach.sentence

    @property
    def legend(self) -> tuple[Part, ...]:
        """Return the parts of all units."""
        return self.reach.parts

    @property
    def pieces(self) -> Iterator[Piece]:
        """Yield the parts as stretches of a bar."""
        start = 0
        for part in self.reach.parts:
            yield Piece(x=start, width=part.size, tone=part.tone)
            start += part.size


@login_required
@require_GET
def reach(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show who would take part with what is typed so far, or with what is saved; nothing is kept."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    asked = request.GET
    unit = asked.get("unit_type", "") if asked.get("unit_type", "") in list(UnitType) else experiment.unit_type
    respects = "respects_holdout" in asked if "traffic" in asked else experiment.respects_holdout
    shown = [bar for bar in bars(experiment.project) if bar.layer.unit_type == unit]
    traffic = _share(asked.get("traffic", ""), experiment.allocation)
    held = size(read_ranges(experiment.layer_ranges)) or WHOLE
    own, problem = held, ""
    chosen = next((bar for bar in shown if bar.layer.key == asked.get("layer", "")), None)
    if "traffic" in asked:
        own = _share(asked.get("layer_share", ""), WHOLE) if chosen else WHOLE
    if chosen is not None and asked.get("layer_share"):
        shown, problem = _with_own(shown, chosen, experiment, own)
    holdout = holdouts.running(experiment.project, UnitType(unit)) if respects else None
    found = Reach(
        traffic=traffic,
        held_out=holdouts.size_of(holdout) if holdout else 0,
        layer=own,
        units=f"{unit}s",
        variants=tuple(experiment.variants.values_list("name", "weight")),
    )
    context = {"project": experiment.project, "experiment": experiment, "bars": shown}
    preview = Preview(reach=found, problem=problem)
    template = "experiments/set_up/_reach.html" if "HX-Request" in request.headers else "experiments/set_up/reach.html"
    return render(request, template, {**context, "found": preview})


def _share(text: str, otherwise: int) -> int:
    """Read a share in percent; what is no share yet, because somebody is typing, stands for ``otherwise``."""
    try:
        share = ten_thousandths(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError):
        return otherwise
    return share if 0 < share <= WHOLE else otherwise


def _with_own(shown: list[Bar], chosen: Bar, experiment: Experiment, share: int) -> tuple[list[Bar], str]:
    """Return the bars with the part that the experiment would take, and why it would not get it."""
    others = [one.experiment for one in chosen.holders if one.experiment.pk != experiment.pk]
    taken: list[Range] = [found for other in others for found in read_ranges(other.layer_ranges)]
    try:
        own = take(share, taken)
    except LayerFullError:
        return shown, f"{percent(share)} is more than is free in {chosen.layer.name}: {percent(size(free(taken)))}."
    own_places = set(map(tuple, experiment.layer_ranges)) if experiment.layer_id == chosen.layer.pk else set()
    pieces = [piece for piece in chosen.pieces if (piece.x, piece.x + piece.width) not in own_places]
    pieces += [Piece(x=start, width=end - start, tone=OWN_TONE) for start, end in own]
    left = size(free([*taken, *own]))
    drawn = replace(chosen, pieces=pieces, free=left, preview=percent(share))
    return [drawn if bar is chosen else bar for bar in shown], ""

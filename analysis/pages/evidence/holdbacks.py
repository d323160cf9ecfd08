"""Does it last? Shipped changes that keep being measured."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.programme import holdbacks as reading
from analysis.programme.schema import BlockFact, HoldbackFact
from experiments.access import SignedInRequest, get_project
from experiments.pages.formats import bounds, day, lift
from experiments.pages.paging import page_of

CARDS = 20
SIGNS = {"good": "✓", "bad": "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """One block of time, or the promise that all are held to."""

    name: str
    lift: str
    span: str
    mark: Mark | None
    label: str
    is_promise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One holdback: its sentence, and the promise and every block on one scale."""

    fact: HoldbackFact
    sign: str
    scale: Scale | None
    ticks: list[tuple[float, str]]
    rows: list[BlockRow]
    evidence: str


@login_required
@require_GET
def holdbacks(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show whether what was shipped still brings what it did."""
    project, _ = get_project(request.user, project_slug)
    found = reading.read(project)
    shown = page_of(request, found.holdbacks, CARDS)
    context = {
        "project": project,
        "found": found,
        "shown": shown,
        "cards": [_card(one) for one in shown],
        "evidence_tab": "holdbacks",
    }
    return render(request, "evidence/holdbacks.html", context)


def _card(one: HoldbackFact) -> Card:
    spans = [block.interval for block in one.blocks]
    promised = one.promised_interval
    if promised is not None:
        spans = [promised, *spans]
    scale = scale_for(spans, [block.lift for block in one.blocks]) if spans else None
    rows = [_row(block, scale) for block in one.blocks]
    if promised is not None and one.promised is not None:
        label = f"Expected: {lift(one.promised)}, 95% interval {bounds(promised)}"
        rows = [
            BlockRow(
                name="Expected at the launch",
                lift=lift(one.promised),
                span=bounds(promised),
                mark=mark(scale, promised, one.promised) if scale is not None else None,
                label=label,
                is_promise=True,
            ),
            *rows,
        ]
    return Card(
        fact=one,
        sign=SIGNS.get(one.tone, "–"),
        scale=scale,
        ticks=[(tick.x, lift(tick.value) if tick.value else "0") for tick in scale.ticks] if scale else [],
        rows=rows,
        evidence=_evidence(one),
    )


def _row(block: BlockFact, scale: Scale | None) -> BlockRow:
    name = f"{day(block.start)} on"
    return BlockRow(
        name=name,
        lift=lift(block.lift),
        span=bounds(block.interval),
        mark=mark(scale, block.interval, block.lift) if scale is not None else None,
        label=f"{name}: {lift(block.lift)}, 95% interval {bounds(block.interval)}",
        is_promise=False,
    )


def _evidence(one: HoldbackFact) -> str:
    if one.evidence is None:
        return ""
    shown = f"{one.evidence:.1f}" if one.evidence < 1000 else "more than 1,000"
    return f"Evidence for a decay {shown} to 1; {one.needed:.0f} to 1 raises the alarm."

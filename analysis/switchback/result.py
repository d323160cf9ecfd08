"""From blocks to a result: each metric's effect over blocks, and whether the design was kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analysis import pipeline
from analysis.designed.frame import Parts, framed, is_over, variant_fact
from analysis.models import Enrolment
from analysis.results.designs import BlockPoint, RegionEffect, SwitchbackResult
from analysis.results.schema import Comparison, MetricResult, Reading, Results
from analysis.stats.block_effects import BlockEffect, block_effect
from analysis.stats.moments import Array
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable
from analysis.switchback.happenings import Asked, Counted, counted
from analysis.switchback.schedule import Slot, slots, treated
from analysis.switchback.verdict import HARM, Primary, Story, checks, verdict
from experiments.domain.designs.stored import read as read_design
from experiments.domain.designs.switchback import SwitchbackDesign, block_id
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import day_of
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric, Variant

DRAWS = 999
MOST_POINTS = 600
UPCOMING = 12
LATE_EVENTS = timedelta(hours=1)
"""A block is read this long after its end: events are under way for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric over all blocks; ``values`` are None where a block has nothing to divide by."""

    use: ExperimentMetric
    values: list[float | None]
    found: BlockEffect | NotComputable
    reading: Reading
    events: int
    strange: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The design as it ran."""

    experiment: Experiment
    variants: list[Variant]
    design: SwitchbackDesign
    slots: list[Slot]
    as_of: datetime

    @property
    def weights(self) -> list[int]:
        """Return the variants' weights."""
        return [variant.weight for variant in self.variants]

    def hours(self, slot: Slot) -> float:
        """Return how much of a block counts."""
        left_out = self.design.burn_in_minutes if slot.switched else 0
        return (self.design.block_minutes - left_out) / 60

    def levels(self, kept: Sequence[int]) -> list[list[object]]:
        """Return the labels whose own level is taken out: region, and hour of the day where blocks are shorter."""
        labels: list[list[object]] = []
        if len(self.design.places) > 1:
            labels.append([self.slots[i].region for i in kept])
        if self.design.block_minutes < 24 * 60:
            labels.append([self.slots[i].begins.hour for i in kept])
        return labels


def design_of(experiment: Experiment) -> SwitchbackDesign:
    """Return regions and blocks.

    Raises:
        TypeError: the experiment is of another kind.
    """
    design = read_design(ExperimentKind(experiment.kind), experiment.design)
    if not isinstance(design, SwitchbackDesign):
        raise TypeError(f"{experiment.key} is a {experiment.kind} and no switchback.")
    return design


def read(experiment: Experiment, as_of: datetime) -> Results | None:
    """Return the result of the blocks that are over."""
    since = experiment.counts_from
    if since is None:
        return None
    design, variants = design_of(experiment), list(experiment.variants.select_related("model_version"))
    end = since + timedelta(days=experiment.planned_days)
    until = min(experiment.stopped_at or as_of - LATE_EVENTS, as_of - LATE_EVENTS, end)
    weights = [variant.weight for variant in variants]
    whole = slots(design, experiment.salt, weights, experiment.allocation, since, max(since, until))
    market = Market(experiment=experiment, variants=variants, design=design, slots=whole, as_of=as_of)
    asked = Asked(project=experiment.project_id, design=design, since=since, until=until)
    uses = list(experiment.plan.select_related("metric", "version"))
    measured = [_measure(market, use, counted(asked, use.counted)) for use in uses]
    return _results(market, measured)


def _measure(market: Market, use: ExperimentMetric, happened: Counted) -> Measured:
    values = [
        happened.value((slot.region, slot.block), skip_early=slot.switched, hours=market.hours(slot))
        for slot in market.slots
    ]
    kept = [index for index, value in enumerate(values) if value is not None]
    numbers = [value for value in values if value is not None]
    arms = [market.slots[i].treated for i in kept]
    primary = use.role == MetricRole.PRIMARY
    found = block_effect(
        numbers, arms, market.levels(kept), redraw=_redraw(market, kept) if primary else None, draws=DRAWS
    )
    places = set(market.design.places)
    events = sum(amount.events for parts in happened.top.values() for amount in parts.values())
    known = sum(
        amount.events for (region, _), parts in happened.top.items() if region in places for amount in parts.values()
    )
    return Measured(
        use=use,
        values=values,
        found=found,
        reading=_reading(market, use, found),
        events=events,
        strange=events - known,
    )


def _redraw(market: Market, kept: Sequence[int]) -> Callable[[], Array]:
    """Return what draws a schedule as the real one was: a coin for each block, of the treatment's weight."""
    share = market.weights[1] / sum(market.weights)
    # From the salt, so that the same blocks give the same p-value however often a result is made.
    random = np.random.default_rng(int.from_bytes(market.experiment.salt.encode()[:8].ljust(8, b"0"), "big"))
    return lambda: (random.random(len(kept)) < share).astype(np.float64)


def _reading(market: Market, use: ExperimentMetric, found: BlockEffect | NotComputable) -> Reading:
    if isinstance(found, NotComputable):
        return Reading.TOO_EARLY
    good = (found.value > 0) == (use.metric.direction == Direction.INCREASE)
    if not _over(market):
        return Reading.WORSE if not good and found.p_value < HARM else Reading.TOO_EARLY
    if found.p_value >= DEFAULTS.alpha:
        return Reading.NO_CLEAR_CHANGE
    return Reading.BETTER if good else Reading.WORSE


def _over(market: Market) -> bool:
    return market.experiment.stopped_at is not None or is_over(market.experiment, market.as_of - LATE_EVENTS)


def _results(market: Market, measured: Sequence[Measured]) -> Results:
    primary = measured[0]
    wrong, reported = _served(market)
    carried = _carried_over(market, primary)
    empty = sum(value is None for value in primary.values)
    strange = primary.strange / primary.events if primary.events else None
    checked = checks(wrong, reported, strange, carried, empty, len(market.slots))
    trustworthy = wrong == 0
    blocks = Counter(slot.treated for slot in market.slots)
    total = max(1, len(market.slots))
    experiment = market.experiment
    parts = Parts(
        verdict=verdict(_primary(market, primary), _story(market), trustworthy=trustworthy),
        checks=checked,
        variants=[
            variant_fact(v, blocks[not v.is_control], blocks[not v.is_control] / total, v.weight / 10_000)
            for v in market.variants
        ],
        metrics=[_metric(market, one) for one in measured],
        data_up_to=pipeline.data_up_to(experiment, market.as_of),
        more={"switchback": _switchback(market, primary, carried)},
    )
    return framed(experiment, market.as_of, parts)


def _served(market: Market) -> tuple[int, int]:
    """Return how many blocks had another variant than designed, and how many the app reported at all."""
    designed = {block_id(slot.region, slot.block): slot.treated for slot in market.slots}
    control = market.variants[0].pk
    rows = Enrolment.objects.filter(experiment=market.experiment).values_list("unit", "variant_id", "quarantined")
    known = [(unit, variant != control, quarantined) for unit, variant, quarantined in rows if unit in designed]
    return sum(quarantined or designed[unit] != had for unit, had, quarantined in known), len(known)


def _carried_over(market: Market, primary: Measured) -> float | None:
    """Return the p-value of the variant of the block before, by the same comparison: it should have none."""
    kept, before, values = [], [], []
    for index in range(1, len(market.slots)):
        slot, value = market.slots[index], primary.values[index]
        if market.slots[index - 1].region == slot.region and value is not None:
            kept.append(index)
            before.append(market.slots[index - 1].treated)
            values.append(value)
    if len(kept) < 8:
        return None
    levels: list[list[object]] = [*market.levels(kept), [market.slots[i].treated for i in kept]]
    found = block_effect(values, before, levels)
    return found.p_value if isinstance(found, BlockEffect) else None


def _primary(market: Market, one: Measured) -> Primary:
    metric, found = one.use.metric, one.found
    known = found if isinstance(found, BlockEffect) else None
    return Primary(
        name=metric.name,
        unit=DisplayUnit(metric.display_unit),
        currency=market.experiment.project.currency,
        difference=known.value if known else None,
        interval=known.interval if known else None,
        lift=known.value / known.control if known and known.control > 0 else None,
        p_value=known.p_value if known else None,
        randomisation_p_value=known.randomisation_p_value if known else None,
        reading=one.reading,
        reason=found.reason if isinstance(found, NotComputable) else "",
    )


def _story(market: Market) -> Story:
    experiment = market.experiment
    return Story(
        treatment=market.variants[1].name,
        is_over=_over(market),
        day=day_of(experiment.counts_from, experiment.stopped_at, market.as_of),
        planned_days=experiment.planned_days,
        blocks=len(market.slots),
        regions=len(market.design.places),
        block_minutes=market.design.block_minutes,
    )


def _metric(market: Market, one: Measured) -> MetricResult:
    metric, kind = one.use.metric, MetricKind(one.use.counted.kind)
    per_hour = kind in (MetricKind.COUNT, MetricKind.SUM, MetricKind.PROPORTION)
    return MetricResult(
        key=metric.key,
        name=f"{metric.name} an hour" if per_hour else metric.name,
        description=metric.description,
        kind=one.use.counted.kind,
        role=one.use.role,
        direction=metric.direction,
        display_unit=metric.display_unit,
        margin=None,
        comparisons=[_comparison(market, one)],
    )


def _comparison(market: Market, one: Measured) -> Comparison:
    found = one.found if isinstance(one.found, BlockEffect) else None
    base = found.control if found is not None and found.control > 0 else None
    return Comparison(
        variant=market.variants[1].key,
        control=market.variants[0].key,
        n=found.blocks[1] if found else 0,
        control_n=found.blocks[0] if found else 0,
        value=found.control + found.value if found else None,
        control_value=found.control if found else None,
        difference=found.value if found else None,
        difference_interval=found.interval if found else None,
        # The difference in units of the control's level, so that both exclude 0 together; that level's noise is not in.
        lift=found.value / base if found and base else None,
        lift_interval=(found.interval[0] / base, found.interval[1] / base) if found and base else None,
        p_value=found.p_value if found else None,
        standard_error=found.standard_error if found else None,
        degrees_of_freedom=float(found.df) if found else None,
        reading=one.reading,
        warnings=[one.found.reason] if isinstance(one.found, NotComputable) else [],
    )


def _switchback(market: Market, primary: Measured, carried: float | None) -> SwitchbackResult:
    known = primary.found if isinstance(primary.found, BlockEffect) else None
    points = [
        BlockPoint(region=slot.region, begins=slot.begins, treated=slot.treated, value=value)
        for slot, value in zip(market.slots, primary.values, strict=True)
    ]
    arms = Counter(slot.treated for slot in market.slots)
    return SwitchbackResult(
        regions=[_region(market, primary, place) for place in market.design.places],
        control_blocks=arms[False],
        treated_blocks=arms[True],
        block_minutes=market.design.block_minutes,
        burn_in_minutes=market.design.burn_in_minutes,
        switches=sum(slot.switched for slot in market.slots),
        rates=MetricKind(primary.use.counted.kind) not in (MetricKind.RATIO, MetricKind.MEAN),
        randomisation_p_value=known.randomisation_p_value if known else None,
        carried_over_p_value=carried,
        points=points[-MOST_POINTS:],
        upcoming=_upcoming(market),
    )


def _region(market: Market, primary: Measured, region: str) -> RegionEffect:
    arms: dict[bool, list[float]] = {False: [], True: []}
    blocks: Counter[bool] = Counter()
    for slot, value in zip(market.slots, primary.values, strict=True):
        if slot.region == region:
            blocks[slot.treated] += 1
            if value is not None:
                arms[slot.treated].append(value)
    means = {side: float(np.mean(values)) if values else None for side, values in arms.items()}
    return RegionEffect(
        region=region,
        control_blocks=blocks[False],
        treated_blocks=blocks[True],
        control=means[False],
        treatment=means[True],
    )


def _upcoming(market: Market) -> list[BlockPoint]:
    if market.experiment.status != "running":
        return []
    first = market.design.block_at(market.as_of)
    return [
        BlockPoint(
            region=region,
            begins=market.design.begins(block),
            treated=treated(market.experiment.salt, market.weights, market.experiment.allocation, region, block),
            value=None,
        )
        for region in market.design.places[:10]
        for block in range(first, first + UPCOMING)
    ]

"""Cities that take turns between two prices, with busy hours, large cities and slow ups and downs of their own."""

from datetime import timedelta

import numpy as np
from asgiref.sync import sync_to_async

from analysis.results.schema import Results
from config.demo.client import AppClient, Event, for_each
from config.demo.kinds.trial import Draft, Truth, Wish, event, metric_of, send, started
from config.demo.progress import Reporter
from experiments.domain.designs.switchback import SwitchbackDesign, block_id
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import DisplayUnit, MetricKind
from experiments.domain.units import UnitType

CITIES = ("Berlin", "Hamburg", "München", "Köln")
SIZES = np.array([1.6, 1.1, 0.8, 0.5])


async def run(client: AppClient, wish: Wish, reporter: Reporter) -> None:
    """Ask for every block, and have orders come as its price lets them."""
    metric = await sync_to_async(metric_of)(
        wish, "orders", "Orders", MetricKind.COUNT, "Ride Ordered", DisplayUnit.NUMBER
    )
    await sync_to_async(started)(
        wish,
        Draft(
            kind=ExperimentKind.SWITCHBACK,
            name="Does surge pricing pay?",
            hypothesis="Prices that follow demand bring drivers to where they are needed.",
            variants=(("control", "Fixed price"), ("treatment", "Surge price")),
            design=design_of(wish),
            unit_type=UnitType.BLOCK,
            metric=metric,
        ),
    )
    random = np.random.default_rng(wish.seed)
    design = design_of(wish)
    blocks = [(city, n) for city in range(len(CITIES)) for n in range(wish.days * 12)]
    rates = _rates(wish, random)
    draws = random.poisson(rates)
    more = random.poisson(np.maximum(0.0, rates * abs(wish.effect)))
    events: list[Event] = []
    await client.wait_until_served(wish.key)

    async def one(where: tuple[int, int]) -> None:
        city, n = where
        begins = wish.start + timedelta(hours=2 * n)
        unit = block_id(design.regions[city], design.block_at(begins))
        answer = await client.evaluate(wish.key, "someone", {"block_id": unit})
        change = int(np.sign(wish.effect)) * int(more[city, n]) if answer.variant == "treatment" else 0
        count = max(0, int(draws[city, n]) + change)
        for k in range(count):
            at = begins + timedelta(minutes=120 * (k + 0.5) / count)
            name = f"{wish.key}-{wish.seed}-{city}-{n}-{k}"
            events.append(event("Ride Ordered", at, name, {"city": design.regions[city]}, user=f"rider-{k}"))

    await for_each(blocks, client.connections, one)
    await send(client, events, reporter, "rides")


def design_of(wish: Wish) -> SwitchbackDesign:
    """Return blocks of two hours in cities that no other simulation has."""
    cities = tuple(city + wish.apart for city in CITIES)
    return SwitchbackDesign(block_minutes=120, burn_in_minutes=15, region_property="city", regions=cities)


def _rates(wish: Wish, random: np.random.Generator) -> np.ndarray:
    """Return how many orders each city has in each block on average, so that about the asked number comes in all."""
    slow = np.cumsum(random.normal(scale=0.08, size=(len(CITIES), wish.days * 12)), axis=1)
    hours = np.arange(wish.days * 12) % 12
    shape = SIZES[:, None] * (1 + 0.4 * np.sin(hours / 12 * 2 * np.pi)) * np.exp(slow - slow.mean())
    return np.asarray(wish.size * shape / shape.sum())


def truths(wish: Wish, results: Results) -> list[Truth]:
    """Return the true gain an hour over all blocks beside what is reported."""
    one = results.metrics[0].comparisons[0]
    low, high = one.difference_interval or (None, None)
    interval = (low, high) if low is not None and high is not None else None
    truth = wish.effect * float(_rates(wish, np.random.default_rng(wish.seed)).mean()) / 2  # a block has two hours
    return [Truth(name="orders an hour and city", truth=truth, value=one.difference, interval=interval)]

"""Drive simulated shoppers through the HTTP doors: ask for each one's variant, then report what they did."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np

from config.demo.catalogue import Story
from config.demo.client import AppClient, Event, RefusedError, ShopError, batches, for_each
from config.demo.predictions import scores
from config.demo.progress import Reporter
from config.demo.shop import (
    NO_EFFECT,
    Effects,
    Integers,
    Shop,
    ShopSettings,
    behaviour,
    lost_exposures,
    open_shop,
)
from config.demo.traffic import Kind, Names, activity, events, exposures, timeline

NEVER = -1
"""The variant number of a shopper who takes no part (the experiment's allocation leaves them out)."""

SERVED_SECONDS = 30.0
LONGEST_PREFIX = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One run: whose story, the names in its events, the first day's midnight, and the last moment (None: all).

    Shoppers are asked for by the story's key. The experiment that events name is another one where a holdback goes on
    measuring what a story shipped.

    ``settings`` are those of the shop; the usual ones when left out.
    """

    story: Story
    names: Names
    start: datetime
    until: datetime | None = None
    settings: ShopSettings | None = None

    @property
    def last_second(self) -> float | None:
        """Return ``until`` in seconds after ``start``."""
        return None if self.until is None else (self.until - self.start).total_seconds()


def names_of(story: Story, variants: Iterable[tuple[str, str]]) -> Names:
    """Return what the events of a story are called; another seed brings other shoppers."""
    return Names(
        experiment=story.key,
        experiment_name=story.name,
        variants=tuple(variants),
        prefix=f"{short(story.key)}-s{story.seed}",
    )


def short(key: str) -> str:
    """Return the key, or a name of it that leaves room in a message id (100 characters) when it is long."""
    if len(key) <= LONGEST_PREFIX:
        return key
    return f"{key[:30]}-{blake2b(key.encode(), digest_size=8).hexdigest()}"


async def run(client: AppClient, drive: Drive, reporter: Reporter) -> Shop:
    """Send one experiment's whole history. Sending it again counts nothing twice."""
    story = drive.story
    shop = open_shop(story.shoppers, story.days, drive.start.weekday(), story.seed, drive.settings)
    await wait_until_served(client, story.key)
    variant = await assign(client, drive, reporter)
    await send_all(client, list_of_events(drive, shop, variant), reporter, f"{story.key}: events")
    return shop


async def wait_until_served(client: AppClient, flag: str) -> None:
    """Wait until the server has heard of a new key and a new experiment."""
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            await client.evaluate(flag, "is-anyone-there")
            return
        except RefusedError as error:
            if error.status not in {401, 404} or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


async def assign(client: AppClient, drive: Drive, reporter: Reporter) -> Integers:
    """Ask the server for every shopper's variant, as an app would; return variant numbers, shape (shoppers,)."""
    numbers = {key: number for number, (key, _) in enumerate(drive.names.variants)}
    variant = np.full(drive.story.shoppers, NEVER, dtype=np.int64)
    with reporter.step(f"{drive.story.key}: shoppers", drive.story.shoppers) as advance:

        async def ask(shopper: int) -> None:
            answer = await client.evaluate(drive.story.key, drive.names.shopper(shopper))
            variant[shopper] = number_of(answer.variant, answer.reason, numbers)
            advance(1)

        await for_each(range(drive.story.shoppers), client.connections, ask)
    return variant


def number_of(key: str | None, reason: str | None, numbers: Mapping[str, int]) -> int:
    """Return the number of the variant that was served, or ``NEVER`` for a unit outside the experiment."""
    if reason != "SPLIT":
        return NEVER
    if key is None or key not in numbers:
        raise ShopError(f"The server answered the variant {key!r}; the experiment has {', '.join(numbers)}.")
    return numbers[key]


def list_of_events(drive: Drive, shop: Shop, variant: Integers) -> tuple[int, Iterable[Event]]:
    """Return how many events a drive sends, and the events: the pre-period's orders first."""
    effects = _effects(drive)
    felt = np.maximum(variant, 0)
    exposed = variant != NEVER
    if drive.story.lost_exposures:
        exposed &= ~lost_exposures(shop.shoppers, variant > 0, drive.story.lost_exposures)
    earlier = behaviour(shop.settings, shop.shoppers, shop.before, {0: NO_EFFECT}, np.zeros_like(variant))
    acts = behaviour(shop.settings, shop.shoppers, shop.during, effects, felt)
    before = timeline(shop.before, {Kind.ORDER: earlier.bought})
    during = timeline(shop.during, exposures(shop.during, exposed) | activity(acts), drive.last_second)

    predicted = scores(shop.shoppers, shop.during, felt, drive.story.score_drift)

    def both() -> Iterable[Event]:
        yield from events(drive.names, drive.start, shop.before, earlier, before, felt, "before")
        yield from events(drive.names, drive.start, shop.during, acts, during, felt, "during", predicted)

    return len(before) + len(during), both()


def _effects(drive: Drive) -> dict[int, Effects]:
    # Every treatment has the story's effects; the control has none.
    return {number: drive.story.effects if number else NO_EFFECT for number in range(len(drive.names.variants))}


async def send_all(client: AppClient, supply: tuple[int, Iterable[Event]], reporter: Reporter, name: str) -> None:
    """Send all events in full batches; an event that the server refuses is an error, for the demo sends none."""
    total, supplied = supply
    with reporter.step(name, total) as advance:

        async def send(batch: list[Event]) -> None:
            answer = await client.send(batch)
            if answer.refused:
                raise ShopError(f"The server refused {len(answer.refused)} events; the first: {answer.refused[0]}")
            advance(len(batch))

        await for_each(batches(supplied), min(4, client.connections), send)

"""An endless, modest feed of shoppers to whatever runs in the demo shop, so that a live experiment lives."""

import asyncio
import math
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections
from django.db.models import F

from config.demo.catalogue import model_effects
from config.demo.client import AppClient, Event, RefusedError, batches
from config.demo.drive import NEVER, number_of
from config.demo.predictions import scores
from config.demo.progress import Reporter
from config.demo.shop import (
    NO_EFFECT,
    Effects,
    Integers,
    Pages,
    Shoppers,
    ShopSettings,
    behaviour,
    draw_shoppers,
    pages_of,
)
from config.demo.traffic import LAST_EVENT_DELAY, Names, activity, events, exposures, timeline
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project

POPULATION = 30_000
"""Visitors come back, so that the unit tables of a demo that runs for weeks stay small."""
SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_BETWEEN_LINES = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An experiment that runs now, what apps ask for, and what each of its variants does relative to its control."""

    flag: str
    names: Names
    effects: tuple[Effects, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """Return each variant's number by its key."""
        return {key: number for number, (key, _) in enumerate(self.names.variants)}


@dataclass(slots=True, kw_only=True)
class Feed:
    """The live shop: its people, the experiments seen at the last look, and what was sent."""

    client: AppClient
    project: Project
    seed: int
    settings: ShopSettings = field(default_factory=ShopSettings)
    running: tuple[Running, ...] = ()
    shoppers_sent: int = 0
    events_sent: int = 0

    @property
    def prefix(self) -> str:
        """Return what the feed's user and message ids begin with."""
        return f"live-s{self.seed}"


def running_experiments(project: Project, prefix: str) -> tuple[Running, ...]:
    """Return what runs on users in a project. A variant acts as its model does; an unknown model does nothing.

    An experiment that started before it was created was filled by ``simulate_shop``; the feed would blur its truth.
    """
    found = Experiment.objects.filter(
        project=project, status=Status.RUNNING, unit_type=UnitType.USER, started_at__gte=F("created_at")
    )
    found = found.exclude(kind=ExperimentKind.HOLDOUT.value)  # no app asks for one: it is in every answer
    return tuple(_running(experiment, prefix) for experiment in found.select_related("parent").order_by("key"))


def _running(experiment: Experiment, prefix: str) -> Running:
    variants = list(experiment.variants.select_related("model_version"))
    models = [variant.model_version for variant in variants]
    truths = [NO_EFFECT if model is None else model_effects(model.name, model.version) for model in models]
    shipped = experiment.parent if experiment.kind == ExperimentKind.HOLDBACK else None
    return Running(
        flag=(shipped or experiment).key,  # apps go on asking for what was shipped
        names=Names(
            experiment=experiment.key,
            experiment_name=experiment.name,
            variants=tuple((variant.key, variant.name) for variant in variants),
            prefix=prefix,
        ),
        effects=tuple(truth.over(truths[0]) for truth in truths),
    )


async def run(feed: Feed, rate: float, reporter: Reporter) -> None:
    """Feed ``rate`` shoppers a second until SIGTERM or SIGINT; a server that is away is waited for."""
    task = asyncio.ensure_future(_for_ever(feed, rate, reporter))
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        reporter.say(f"Stopped after {feed.shoppers_sent:,} visits and {feed.events_sent:,} events.")


async def _for_ever(feed: Feed, rate: float, reporter: Reporter) -> None:
    # The population is the same after a restart, its visits are not.
    people = draw_shoppers(np.random.default_rng(feed.seed), POPULATION, np.ones(1), feed.settings)
    rng = np.random.default_rng()
    looked = spoke = -math.inf
    while True:
        began = time.monotonic()
        if began - looked >= SECONDS_BETWEEN_LOOKS:
            looked = began
            await _look(feed, reporter)
        if feed.running and (visitors := int(rng.poisson(rate))):
            await _one_second(feed, people, rng, visitors, reporter)
        if began - spoke >= SECONDS_BETWEEN_LINES and feed.events_sent:
            spoke = began
            names = ", ".join(running.names.experiment for running in feed.running) or "no experiment"
            reporter.say(f"Feeding {names}: {feed.shoppers_sent:,} visits, {feed.events_sent:,} events so far.")
        await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - began)))


async def _look(feed: Feed, reporter: Reporter) -> None:
    try:
        feed.running = await sync_to_async(_look_anew)(feed)
    except Error as error:
        # Shoppers do not stay away because a database does: go on with what ran a moment ago.
        reporter.say(f"The database is away ({str(error).strip().splitlines()[0]}); feeding on.")


def _look_anew(feed: Feed) -> tuple[Running, ...]:
    close_old_connections()  # one that a restarted database has dropped would fail for ever
    return running_experiments(feed.project, feed.prefix)


async def _one_second(
    feed: Feed, people: Shoppers, rng: np.random.Generator, visitors: int, reporter: Reporter
) -> None:
    who = rng.choice(POPULATION, size=visitors, replace=False).astype(np.int64)
    pages = pages_of(rng, who, np.zeros(visitors), feed.settings)
    # A visit is reported when it is over; these have just ended.
    start = datetime.fromtimestamp(time.time() - float(pages.second.max()) - LAST_EVENT_DELAY, UTC)
    try:
        variants = [await _assign(feed.client, running, who, reporter) for running in feed.running]
        sent = await _send(feed, _events(feed, people, pages, variants, start))
    except RefusedError as error:
        reporter.say(f"Refused: {error}")  # a key that was just revoked; the next look knows more
        return
    feed.shoppers_sent += visitors
    feed.events_sent += sent


async def _assign(client: AppClient, running: Running, who: Integers, reporter: Reporter) -> Integers:
    """Return every shopper's variant number, shape (POPULATION,); ``NEVER`` for those who are not here.

    One experiment that is not answered, as it was just stopped, does not keep shoppers from the others.
    """
    variant = np.full(POPULATION, NEVER, dtype=np.int64)
    try:
        for shopper in who.tolist():
            answer = await client.evaluate(running.flag, running.names.shopper(shopper))
            variant[shopper] = number_of(answer.variant, answer.reason, running.numbers)
    except RefusedError as error:
        reporter.say(f"Refused: {error}")
        variant[:] = NEVER
    return variant


def _events(feed: Feed, people: Shoppers, pages: Pages, variants: list[Integers], start: datetime) -> Iterable[Event]:
    felt, effects = combined(feed.running, variants, pages.shopper)
    acts = behaviour(feed.settings, people, pages, effects, felt)
    label = str(time.time_ns() // 1_000_000)
    for number, (running, variant) in enumerate(zip(feed.running, variants, strict=True)):
        when = timeline(pages, exposures(pages, variant != NEVER))
        predicted = scores(people, pages, variant)
        yield from events(running.names, start, pages, acts, when, variant, f"{label}x{number}", predicted)
    when = timeline(pages, activity(acts))
    yield from events(feed.running[0].names, start, pages, acts, when, felt, label)


def combined(
    running: tuple[Running, ...], variants: list[Integers], who: Integers
) -> tuple[Integers, dict[int, Effects]]:
    """Return what each shopper feels of all experiments at once: a number a shopper, and each number's effects."""
    kinds, inverse = np.unique(np.stack(variants)[:, who], axis=1, return_inverse=True)
    felt = np.zeros(len(variants[0]), dtype=np.int64)
    felt[who] = inverse.reshape(-1)
    effects = {}
    for number, kind in enumerate(kinds.T.tolist()):
        total = NO_EFFECT
        for experiment, variant in zip(running, kind, strict=True):
            total = total + (NO_EFFECT if variant == NEVER else experiment.effects[variant])
        effects[number] = total
    return felt, effects


async def _send(feed: Feed, supply: Iterable[Event]) -> int:
    sent = 0
    for batch in batches(supply):
        await feed.client.send(batch)
        sent += len(batch)
    return sent

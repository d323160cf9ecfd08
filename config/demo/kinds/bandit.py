"""Sessions that see one of several banners, day by day, while the shares follow what was clicked."""

from datetime import timedelta

import numpy as np
from asgiref.sync import sync_to_async

from analysis.bandits import moving
from analysis.results.schema import Results
from analysis.rollup.fold import fold
from config.demo.client import AppClient, Event, for_each
from config.demo.kinds.trial import Draft, Truth, Wish, event, metric_of, send, started
from config.demo.progress import Reporter
from config.demo.traffic import exposure
from experiments.domain.designs.bandit import BanditDesign
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import DisplayUnit, MetricKind
from experiments.domain.units import UnitType
from experiments.models import Experiment

BASE = 0.12
ARMS = (("control", "Banner in use"), ("banner-a", "Banner A"), ("banner-b", "Banner B"))
DRIFT = 0.04
"""How far click rates go up and down over the days, for all banners alike."""


def rates(effect: float) -> np.ndarray:
    """Return the true click rates: A is a little worse, B better by the effect."""
    return np.array([BASE, BASE * (1 - effect / 2), BASE * (1 + effect)])


def on_day(effect: float, day: int, days: int) -> np.ndarray:
    """Return the click rates of one day."""
    return np.asarray(rates(effect) + DRIFT * np.sin(2 * np.pi * day / max(1, days)))


async def run(client: AppClient, wish: Wish, reporter: Reporter) -> None:
    """Show banners for days on end; after each day the worker's own function moves the shares."""
    experiment = await sync_to_async(_prepare)(wish)
    random = np.random.default_rng(wish.seed)
    each = max(1, wish.size // wish.days)
    await client.wait_until_served(wish.key)
    for day in range(wish.days):
        events: list[Event] = []
        draws = random.random((each, 2)).tolist()

        async def one(numbered: tuple[int, list[float]], day: int = day, events: list[Event] = events) -> None:
            number, (when, luck) = numbered
            session = f"{wish.key}-{wish.seed}-{day}-{number}"
            answer = await client.evaluate(wish.key, "someone", {"session_id": session})
            variant = answer.variant or ARMS[0][0]
            place = next(k for k, (key, _) in enumerate(ARMS) if key == variant)
            # From half past midnight on, so that nobody was dealt while shares changed, and rewards have their hour.
            at = wish.start + timedelta(days=day, seconds=1_800 + when * 79_200)
            said = {**exposure(wish.key, experiment.name, variant, ARMS[place][1]), "session_id": session}
            events.append(event("Experiment Viewed", at, f"{session}-viewed", said))
            if luck < on_day(wish.effect, day, wish.days)[place]:
                later = at + timedelta(minutes=3)
                events.append(event("Banner Clicked", later, f"{session}-clicked", {"session_id": session}))

        await for_each(list(enumerate(draws)), client.connections, one)
        await send(client, events, reporter, f"day {day + 1}")
        if await sync_to_async(_next_day)(experiment, wish, day):
            await client.wait_for_change()


def _prepare(wish: Wish) -> Experiment:
    metric = metric_of(
        wish, "banner-click", "Banner clicks", MetricKind.PROPORTION, "Banner Clicked", DisplayUnit.PERCENT
    )
    experiment = started(
        wish,
        Draft(
            kind=ExperimentKind.BANDIT,
            name="Which banner should most people see?",
            hypothesis="One of the new banners is clicked more often.",
            variants=ARMS,
            design=BanditDesign(batch_hours=24, first_units=100, window_hours=1, floor=500),
            unit_type=UnitType.SESSION,
            metric=metric,
        ),
    )
    moving.move(experiment, wish.start)
    return experiment


def _next_day(experiment: Experiment, wish: Wish, day: int) -> bool:
    fold()
    return day + 1 < wish.days and moving.move(experiment, wish.start + timedelta(days=day + 1))


def truths(wish: Wish, results: Results) -> list[Truth]:
    """Return the true differences, which no drift changes, beside what is reported."""
    true = rates(wish.effect)
    names = {key: (place, name) for place, (key, name) in enumerate(ARMS)}
    found = []
    for one in results.metrics[0].comparisons:
        place, name = names[one.variant]
        low, high = one.difference_interval or (None, None)
        interval = (low, high) if low is not None and high is not None else None
        truth = float(true[place] - true[0])
        found.append(
            Truth(
                name=f"{name} less the control", truth=truth, value=one.difference, interval=interval, alpha=one.alpha
            )
        )
    return found

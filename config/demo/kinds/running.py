"""Run a simulation of a kind, refresh, and hold what is reported to the truth."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from analysis.results.schema import Results
from config.demo import report
from config.demo.client import AppClient
from config.demo.kinds import bandit, interleaving, offpolicy, switchback
from config.demo.kinds.trial import Truth, Wish, said
from config.demo.progress import Reporter
from experiments.models import Project, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """How one kind is simulated; sizes, days and effects are those of a run that says nothing else."""

    key: str
    run: Callable[[AppClient, Wish, Reporter], Awaitable[None]]
    truths: Callable[[Wish, Results], list[Truth]]
    size: int
    days: int
    effect: float


KINDS: dict[str, Simulation] = {
    "offpolicy": Simulation(
        key="would-it-earn", run=offpolicy.run, truths=offpolicy.truths, size=6_000, days=7, effect=0.5
    ),
    "interleaving": Simulation(
        key="which-ranker", run=interleaving.run, truths=interleaving.truths, size=4_000, days=8, effect=0.5
    ),
    "bandit": Simulation(key="which-banner", run=bandit.run, truths=bandit.truths, size=9_000, days=9, effect=0.3),
    "switchback": Simulation(
        key="surge-pricing", run=switchback.run, truths=switchback.truths, size=12_000, days=14, effect=0.15
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line said; None is as usual."""

    kind: str
    experiment: str | None
    size: int | None
    days: int | None
    seed: int
    effect: float | None


def wish_of(asked: Asked, project: Project, user: User, now: datetime | None = None) -> Wish:
    """Return what is to be simulated, in whole days that lie back."""
    usual = KINDS[asked.kind]
    days = asked.days or usual.days
    today = (now or datetime.now(UTC)).date()
    key = asked.experiment or usual.key
    return Wish(
        project=project,
        user=user,
        key=key,
        apart="" if key == usual.key else f" of {key}",
        size=asked.size or usual.size,
        days=days,
        seed=asked.seed,
        effect=usual.effect if asked.effect is None else asked.effect,
        # A day more than is simulated, so that everything has had its time.
        start=datetime.combine(today - timedelta(days=days + 1), time(), UTC),
    )


def simulate(address: tuple[str, str, int], kind: str, wish: Wish, reporter: Reporter) -> list[Truth]:
    """Simulate, refresh, print, and return the truths beside what is reported."""
    base_url, api_key, connections = address
    simulation = KINDS[kind]

    async def work() -> Results:
        async with AppClient(base_url, api_key, connections=connections) as client:
            await client.meet()
            await client.wait_for_key()
            await simulation.run(client, wish, reporter)
            return await report.refresh(client, wish.key)

    results = asyncio.run(work())
    found = simulation.truths(wish, results)
    for line in [*said(results), *(one.line() for one in found)]:
        reporter.say(line)
    return found

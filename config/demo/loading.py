"""Load the demo: every experiment of the catalogue, from its creation to its first result."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

from analysis import pipeline
from analysis.models import ResultSnapshot
from analysis.rollup import watermark
from config.demo import archive, bandit, drive, fading, replay
from config.demo.catalogue import SHIPPED, STORIES, Story
from config.demo.client import AppClient
from config.demo.progress import Reporter
from config.demo.project import ensure_demo_shop, ensure_digests, ensure_experiment, ensure_key, start_in_the_past
from config.demo.shop import ShopSettings
from events import partitions
from experiments import lifecycle
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project, User

Work = Callable[[AppClient], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Where the demo is loaded to, by whom, and who is told."""

    base_url: str
    connections: int
    user: User
    today: date
    reporter: Reporter

    def send(self, key: str, work: Work) -> None:
        """Do something with a client of the server."""

        async def connected() -> None:
            async with AppClient(self.base_url, key, connections=self.connections) as client:
                await client.wait_for_key()
                await work(client)

        asyncio.run(connected())

    def conclude(self, experiment: Experiment) -> None:
        """Compute the results now, in this process: a first start should not wait for the schedule."""
        with self.reporter.step(f"{experiment.key}: results", 100, " %") as advance:
            done = 0

            def follow(percent: int, _step: str) -> None:
                nonlocal done
                advance(max(0, percent - done))
                done = max(done, percent)

            watermark.wait_until_settled()  # the worker's transactions beside us would leave events for a later fold
            pipeline.refresh(experiment, follow)
            follow(100, "")


def load(base_url: str, connections: int, reporter: Reporter) -> None:
    """Load whatever is missing. What was broken off goes on where it stood, and nothing is counted twice."""
    project, user = ensure_demo_shop()
    ensure_digests(project, user)
    archive.ensure_north_star(project, user)
    loader = Loader(
        base_url=base_url, connections=connections, user=user, today=datetime.now(UTC).date(), reporter=reporter
    )
    archive.ensure_archive(project, user, loader.today)
    key = ensure_key(project, user)
    waiting = [(story, ensure_experiment(project, user, story)) for story in STORIES]
    waiting = [(story, experiment) for story, experiment in waiting if not is_told(story, experiment)]
    if waiting:
        partitions.ensure(loader.today - timedelta(days=oldest_day()), loader.today)
    for story, experiment in waiting:
        tell(loader, key, story, experiment)
    tell_what_faded(loader, key, project)
    load_real_data(loader)


def oldest_day() -> int:
    """Return how many days ago the demo's first event happened."""
    longest = max(story.first_day_ago for story in (*STORIES, SHIPPED))
    return longest + ShopSettings().pre_period_days


def is_told(story: Story, experiment: Experiment) -> bool:
    """Say whether a story is all there: it has run, has ended if it should, and has results."""
    if experiment.status == Status.DRAFT or (experiment.status == Status.RUNNING and story.ended is not None):
        return False
    return has_result(experiment)


def has_result(experiment: Experiment) -> bool:
    """Say whether a result was computed, which is the last thing that the demo does with an experiment."""
    return ResultSnapshot.objects.filter(experiment=experiment).exists()


def tell(loader: Loader, key: str, story: Story, experiment: Experiment) -> None:
    """Run one experiment of the demo: start it back then, send its shoppers, end it, compute its results."""
    if experiment.status == Status.DRAFT:
        first = midnight(loader.today - timedelta(days=story.first_day_ago))
        back_date(experiment, first - timedelta(days=1))
        start_in_the_past(experiment, loader.user, first)
    assert experiment.started_at is not None  # noqa: S101  (a started experiment says when; the database sees to it)
    start = experiment.started_at
    # The day on which an experiment still runs is not over: what it has brought so far, and no more.
    until = None if story.ended is not None else datetime.now(UTC)
    names = drive.names_of(story, experiment.variants.values_list("key", "name"))
    run = drive.Drive(story=story, names=names, start=start, until=until)
    loader.send(key, partial(drive.run, drive=run, reporter=loader.reporter))
    if story.ended is not None:
        lifecycle.stop(experiment, loader.user, story.why_stopped, at=start + timedelta(days=story.days))
    loader.conclude(experiment)


def tell_what_faded(loader: Loader, key: str, project: Project) -> None:
    """Tell the story of a launch whose gain has gone since: experiment, shipping, holdback, and what it says."""
    experiment = ensure_experiment(project, loader.user, SHIPPED)
    if not is_told(SHIPPED, experiment):
        partitions.ensure(loader.today - timedelta(days=oldest_day()), loader.today)
        tell(loader, key, SHIPPED, experiment)
    holdback = fading.ship(experiment, loader.user)
    if has_result(holdback):
        return
    for one in fading.drives(experiment, holdback):
        loader.send(key, partial(drive.run, drive=one, reporter=loader.reporter))
    loader.conclude(holdback)
    fading.watch(holdback)


def load_real_data(loader: Loader) -> None:
    """Replay the Open Bandit log into a project of its own."""
    project = replay.ensure_bandit_project(loader.user)
    experiments = {name: replay.ensure_campaign(project, loader.user, name) for name in bandit.CAMPAIGNS}
    waiting = {
        name: experiment
        for name, experiment in experiments.items()
        if experiment.status == Status.RUNNING or not has_result(experiment)
    }
    key = ensure_key(project, loader.user)
    for name, experiment in waiting.items():
        loader.send(key, partial(replay.send, title=experiment.name, campaign=name, reporter=loader.reporter))
        replay.close(experiment, loader.user)
        loader.conclude(experiment)


def back_date(experiment: Experiment, at: datetime) -> None:
    """Move the creation of a demo experiment back, so that lists are in the order in which things happened."""
    Experiment.objects.filter(pk=experiment.pk).update(created_at=at)


def midnight(day: date) -> datetime:
    """Return the first moment of a UTC day."""
    return datetime.combine(day, time(), UTC)

"""Run a whole programme of model experiments through the HTTP doors, and ask the API what it makes of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import msgspec
from scipy.stats import norm

from analysis.programme.schema import ProxyFinding, SlopeFact, Trust
from config.demo import drive, programme, report
from config.demo.client import AppClient, ShopError, for_each
from config.demo.programme import BUSINESS, FAMILY, OFFLINE_METRIC, PROXY, Trial
from config.demo.progress import Reporter
from config.demo.project import ensure_experiment, ensure_model, start_in_the_past
from events import partitions
from experiments import lifecycle, north_star
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Metric, Project, User

CHANCE = 0.001
"""Share of programmes whose slope may lie outside the interval that ``--check`` allows: it fails once in a thousand."""
REFRESHES_AT_ONCE = 2
PATIENCE = 600.0
"""Seconds that a server may stay silent: a programme is a load, and gives it time to breathe."""


class Said(msgspec.Struct, frozen=True):
    """What the API says of the programme; the rest is not needed here."""

    headline: str
    findings: list[ProxyFinding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The reported slope beside the true one, and the naive one."""

    headline: str
    finding: ProxyFinding
    slope: float

    @property
    def is_covered(self) -> bool:
        """Say whether the true slope lies inside the reported interval."""
        return _holds(self.finding.corrected, self.slope, 1.0)

    @property
    def is_beyond_chance(self) -> bool:
        """Say whether it lies so far outside that one programme in a thousand would."""
        wider = float(norm.isf(CHANCE / 2) / norm.isf(0.025))
        return not _holds(self.finding.corrected, self.slope, wider)

    @property
    def is_naive_wrong(self) -> bool:
        """Say whether the naive interval misses the truth."""
        return not _holds(self.finding.naive, self.slope, 1.0)


def _holds(found: SlopeFact, truth: float, wider: float) -> bool:
    if found.value is None or found.interval is None:
        return False
    low, high = (None if end is None else found.value + (end - found.value) * wider for end in found.interval)
    return (low is None or low <= truth) and (high is None or truth <= high)


def prepare(project: Project, user: User, drawn: Sequence[Trial], now: datetime) -> list[tuple[Trial, Experiment]]:
    """Set the programme up, each experiment started on its day in the past; return those that are not over yet."""
    partitions.ensure(programme.first_day(drawn, now.date()) - timedelta(days=1), now.date())
    for version, score in programme.versions(drawn).items():
        ensure_model(project, user, FAMILY, version, OFFLINE_METRIC, score)
    if project.north_star is None:
        north_star.choose(project, Metric.objects.get(project=project, key=BUSINESS), user, "Simulated programme")
    waiting = []
    for one in drawn:
        experiment = ensure_experiment(project, user, one.story)
        if experiment.status != Status.STOPPED:
            start_in_the_past(experiment, user, _start(one, now))
            waiting.append((one, experiment))
    return waiting


def _start(one: Trial, now: datetime) -> datetime:
    return datetime.combine(now.date() - timedelta(days=one.story.first_day_ago), time(), UTC)


async def send(client: AppClient, waiting: Sequence[tuple[Trial, Experiment]], reporter: Reporter) -> None:
    """Send the shoppers of every experiment, one after the other, as an app of that time would have."""
    quiet = Reporter(lambda _line: None)
    with reporter.step("experiments sent", len(waiting)) as advance:
        for one, experiment in waiting:
            names = drive.names_of(one.story, [("control", "Control"), ("treatment", "Treatment")])
            start = experiment.started_at
            assert start is not None  # noqa: S101  (``prepare`` has started it)
            run = drive.Drive(story=one.story, names=names, start=start, settings=programme.SETTINGS)
            await drive.run(client, run, quiet)
            advance(1)


def close(waiting: Sequence[tuple[Trial, Experiment]], user: User) -> None:
    """End every experiment on its last day."""
    for one, experiment in waiting:
        start = experiment.started_at
        assert start is not None  # noqa: S101  (``prepare`` has started it)
        lifecycle.stop(experiment, user, one.story.why_stopped, at=start + timedelta(days=one.story.days))


async def ask(client: AppClient, drawn: Sequence[Trial], slope: float, reporter: Reporter) -> Outcome:
    """Have every result computed over the API, then ask which proxy can be trusted."""
    with reporter.step("results", len(drawn)) as advance:

        async def refresh(one: Trial) -> None:
            await report.refresh(client, one.story.key)
            advance(1)

        await for_each(drawn, REFRESHES_AT_ONCE, refresh)
    # The reading that is kept may be older than the last result: a worker makes it anew, so ask until it is.
    for _ in range(100):
        body = await client.get(f"/api/v1/evidence?business={BUSINESS}&proxy={PROXY}")
        if not msgspec.json.decode(body)["stale"]:
            break
        await asyncio.sleep(0.5)
    said = msgspec.json.decode(body, type=Said)
    finding = next((one for one in said.findings if one.metric == PROXY), None)
    if finding is None:
        raise ShopError(f"The API knows nothing of {PROXY}: {said.headline}")
    return Outcome(headline=said.headline, finding=finding, slope=slope)


def failure(outcome: Outcome) -> str:
    """Say why the programme's answer does not do, or nothing."""
    if outcome.finding.trust is Trust.UNIDENTIFIED:
        return "The slope was not identified: send more experiments or shoppers."
    if outcome.is_beyond_chance:
        return "The true slope lies further outside its interval than chance explains."
    return ""


def lines(outcome: Outcome) -> list[str]:
    """Write what was reported beside what is true."""
    finding = outcome.finding
    rows = [("corrected", finding.corrected), ("naive", finding.naive), ("between users", finding.user_level)]
    covered = "inside" if outcome.is_covered else "OUTSIDE"
    wrong = "misses the truth" if outcome.is_naive_wrong else "holds the truth here"
    return [
        outcome.headline,
        f"  {finding.name}: {finding.trust.value}. {finding.sentence}",
        f"  {finding.experiments} experiments, strength {finding.strength or 0:.0f} (75 identify a slope)",
        *(f"  {name:<14}{_number(fact.value):>8}  {_span(fact)}" for name, fact in rows),
        f"  the true slope is {outcome.slope:+g}: {covered} the corrected interval; the naive interval {wrong}",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _span(fact: SlopeFact) -> str:
    if fact.interval is None:
        return ""
    low, high = fact.interval
    return f"[{'−∞' if low is None else f'{low:+.3f}'}, {'∞' if high is None else f'{high:+.3f}'}]"

"""What the product reports beside what is true, read from its own results API."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from scipy.stats import norm

from analysis.results.schema import Comparison, Interval, Results
from config.demo.client import AppClient, ShopError
from config.demo.shop import TrueLifts

REFRESH_SECONDS = 180.0
LINE = "  {:<24}{:>10}  {:<20}{:>10}   {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One metric's reported lift with its interval, and its true lift."""

    metric: str
    lift: float | None
    interval: Interval | None
    truth: float

    @property
    def inside(self) -> bool | None:
        """Say whether the truth lies inside the interval; None when there is no interval."""
        if self.interval is None:
            return None
        return _holds(self.interval, self.truth)

    def within_chance(self, of: int) -> bool | None:
        """Say whether the truth lies inside the interval as wide as it must be for ``of`` of them to hold at once.

        Bonferroni: each side is stretched by the ratio of the normal quantiles at 1 - .05 / (2 of) and .975.
        """
        if self.interval is None or self.lift is None:
            return None
        wider = float(norm.isf(0.025 / max(1, of)) / norm.isf(0.025))
        lower, upper = (None if end is None else self.lift + (end - self.lift) * wider for end in self.interval)
        return _holds((lower, upper), self.truth)


def _holds(bounds: Interval, truth: float) -> bool:
    lower, upper = bounds
    return (lower is None or lower <= truth) and (upper is None or truth <= upper)


class Run(msgspec.Struct, frozen=True):
    """A refresh as the API describes it."""

    id: int
    state: str
    percent: int = 0
    error: str | None = None


async def refresh(client: AppClient, key: str) -> Results:
    """Have the product compute an experiment's results anew over its API, and return them."""
    address = f"/api/v1/experiments/{key}"
    deadline = time.monotonic() + REFRESH_SECONDS
    run = msgspec.json.decode(await client.post(f"{address}/refresh"), type=Run)
    # A run that was under way already may have read the log before our last event; one that waits has not.
    joined = run.state != "queued"
    while run.state != "done" or joined:
        if run.state == "failed":
            raise ShopError(f"The refresh of {key} failed: {run.error}")
        if time.monotonic() > deadline:
            raise ShopError(
                f"The refresh of {key} was not done within {REFRESH_SECONDS:.0f} s ({run.state}, {run.percent} %). "
                "Is a worker running? `make run` starts one."
            )
        await asyncio.sleep(0.2)
        if run.state == "done":
            run, joined = msgspec.json.decode(await client.post(f"{address}/refresh"), type=Run), False
        else:
            run = msgspec.json.decode(await client.get(f"{address}/refresh/{run.id}"), type=Run)
    return msgspec.json.decode(await client.get(f"{address}/results"), type=Results)


def findings(results: Results, truth: TrueLifts, truth_of: Mapping[str, str]) -> list[Finding]:
    """Set every reported lift of the first treatment beside its truth; ``truth_of`` maps metric keys to truths."""
    return [
        Finding(
            metric=metric.name,
            lift=metric.comparisons[0].lift,
            interval=metric.comparisons[0].lift_interval,
            truth=getattr(truth, truth_of[metric.key]),
        )
        for metric in results.metrics
        if metric.key in truth_of and metric.comparisons
    ]


def lines(results: Results, found: list[Finding]) -> Iterator[str]:
    """Write what was reported and what is true, one line a metric."""
    yield f"{results.experiment.name} ({results.experiment.key})"
    yield f"  {results.verdict.headline}"
    counts = ", ".join(f"{variant.name} {variant.units:,}" for variant in results.variants)
    yield f"  Units: {counts}. Split: {_split(results)}."
    yield LINE.format("metric", "reported", "interval", "truth", "truth inside the interval")
    for finding in found:
        answer = {True: "yes", False: "NO", None: "no interval"}[finding.inside]
        yield LINE.format(finding.metric, share(finding.lift), interval(finding.interval), share(finding.truth), answer)


def _split(results: Results) -> str:
    p_value = results.health.srm.p_value
    worth = "as planned" if results.health.trustworthy else "NOT TRUSTWORTHY"
    return worth if p_value is None else f"{worth} (p {p_value:.2g})"


def share(value: float | None) -> str:
    """Write a fraction as a signed percentage with a true minus."""
    return "–" if value is None else f"{100 * value:+.2f} %".replace("-", "−")


def interval(bounds: Interval | None) -> str:
    """Write an interval's bounds; an unbounded side is ∞."""
    if bounds is None:
        return "–"
    lower, upper = bounds
    low = "−∞" if lower is None else f"{100 * lower:+.2f}".replace("-", "−")
    high = "∞" if upper is None else f"{100 * upper:+.2f}".replace("-", "−")
    return f"[{low}, {high}] %"


def conclusion(results: Results, found: list[Finding]) -> str:
    """Say in a sentence whether the truth lies inside the intervals, and what it means where it does not."""
    outside = [finding.metric for finding in found if finding.inside is False]
    if outside and not results.health.trustworthy:
        return f"The truth lies outside for {', '.join(outside)}, which is why the product withholds these numbers."
    if not outside:
        return "Every true lift lies inside its reported interval."
    if beyond_chance(found):
        return (
            f"The truth lies outside for {', '.join(outside)}, further than chance puts one of {len(found)} intervals."
        )
    return (
        f"The truth lies outside for {', '.join(outside)}. A 95 % interval misses one time in twenty by design, and "
        f"{len(found)} metrics of the same shoppers miss together: this is within what chance does."
    )


def beyond_chance(found: list[Finding]) -> list[str]:
    """Return the metrics whose truth lies too far outside for chance, or that have no interval."""
    return [finding.metric for finding in found if finding.within_chance(len(found)) is not True]


def z_of(comparison: Comparison) -> float:
    """Return the comparison's test statistic."""
    if comparison.difference is None or not comparison.standard_error:
        raise ShopError(f"The product computed no difference for {comparison.variant}: {comparison.warnings}")
    return comparison.difference / comparison.standard_error

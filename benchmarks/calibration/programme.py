"""Many experiments at work: sets that count once, archives, launches against a holdout, decays, pairs scanned daily."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.stats.confidence_sequence import always_valid_p
from analysis.stats.decay import Decay, decay, promised
from analysis.stats.multiplicity import Correction, correct
from analysis.stats.programme.archive import Archive, archive
from analysis.stats.programme.clustering import inflation
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.launches import Launch, account
from analysis.stats.programme.slopes import Slope, anderson_rubin, naive
from analysis.stats.programme.structural import Structure, deviance, structure
from analysis.stats.shrinkage import Prior, learn_prior
from benchmarks.calibration.evidence import LIMIT, _drawn
from benchmarks.calibration.figures import Figure, at_most, near, scenario, seeded
from benchmarks.calibration.samples import Array

SPREAD, NOISE = 0.02, 0.012  # of true effects and of an experiment's estimate, as log lifts


@scenario
def treatments_tried_thrice() -> Iterator[Figure]:
    """50 treatments, each in three experiments with noise of its own: 50 pieces of evidence and not 150.

    What a treatment does beside the slope is .36 of variance where noise adds .375, so that three experiments of one go
    together by about .5 and errors are √2 too small where they count as three: 1.96/√2 covers .83.
    """
    random, runs, slope = seeded("tried thrice"), 600, 0.5
    groups = np.repeat(np.arange(50), 3)
    by_set = alone = 0
    for _ in range(runs):
        sizes = np.exp(0.8 * random.normal(size=50) - 0.32)
        x = random.normal(size=50)
        true = np.repeat(np.column_stack([x, slope * x + 0.6 * random.normal(size=50)]), 3, axis=0)
        covariances = np.repeat(np.array([[1.0, 0.5], [0.5, 1.0]]) / 2 / sizes[:, None, None], 3, axis=0)
        noise = np.einsum("kij,kj->ki", np.linalg.cholesky(covariances), random.normal(size=(150, 2)))
        programme = Programme(effects=true + noise, covariances=covariances)
        fitted = structure(programme)
        assert isinstance(fitted, Structure)
        distance = deviance(programme, slope, best=fitted)
        assert isinstance(distance, float)
        by_set += distance / inflation(programme, fitted, groups) <= LIMIT
        alone += distance <= LIMIT
    title = {"method": "Proxy", "scenario": "50 treatments, each in three experiments, signal 2", "runs": runs}
    yield Figure(**title, what="likelihood ratio by set covers", measured=by_set / runs, low=0.92, high=0.98)
    yield Figure(**title, what="as 150 experiments covers", measured=alone / runs, high=0.9, control=True)


@scenario
def archives() -> Iterator[Figure]:
    random, runs = seeded("archives"), 150
    honest = heavy = winners = large = 0
    for _ in range(runs):
        honest += _doubted(_drawn(random, 100, 0.5, 2.0))
        heavy += _doubted(_drawn(random, 100, 0.5, 2.0, "t4"))
        whole = _drawn(random, 400, 0.5, 2.0)
        clear = np.abs(whole.effects[:, 1]) > 1.96 * np.sqrt(whole.covariances[:, 1, 1])
        clear &= whole.effects[:, 1] > 0
        kept = Programme(effects=whole.effects[clear], covariances=whole.covariances[clear])
        large += kept.count >= 20
        winners += kept.count >= 20 and _doubted(kept)
    title = {"method": "Archive", "scenario": "100 experiments, all kept", "runs": runs}
    yield Figure(**title, what="doubted", measured=honest / runs, **at_most(0.001, runs))
    title = {"method": "Archive", "scenario": "100 experiments, all kept, heavy tails (t, 4 df)", "runs": runs}
    yield Figure(**title, what="doubted", measured=heavy / runs, **at_most(0.001, runs))
    title = {"method": "Archive", "scenario": "400 experiments, clear gains alone kept (20 or more)", "runs": runs}
    yield Figure(**title, what="doubted", measured=winners / max(1, large), low=0.95)


def _doubted(programme: Programme) -> bool:
    fitted = structure(programme)
    found = archive(programme, fitted) if isinstance(fitted, Structure) else None
    return isinstance(found, Archive) and found.doubtful


@scenario
def launches_against_a_holdout() -> Iterator[Figure]:
    """Whatever looks clearly good is launched; a holdout measures the true sum. Nothing is left unexplained."""
    for count in (40, 12):
        random, runs, error = seeded(f"launches {count}"), 2000, 0.01
        held = plain = 0
        for _ in range(runs):
            true = SPREAD * random.normal(size=count)
            seen = true + NOISE * random.normal(size=count)
            chosen = np.flatnonzero(seen > 1.96 * NOISE)
            prior = learn_prior(seen.tolist(), [NOISE] * count)
            assert isinstance(prior, Prior)
            measured = float(true[chosen].sum()) + error * random.normal()
            launches = [Launch(effect=float(seen[k]), standard_error=NOISE, weight=1.0) for k in chosen]
            told = account(launches, prior, (measured, error), learned_from=[NOISE] * count)
            raw = account(launches, None, (measured, error))
            assert told.unexplained is not None
            assert raw.unexplained is not None
            held += told.unexplained.interval[0] <= 0 <= told.unexplained.interval[1]
            plain += raw.unexplained.interval[0] <= 0 <= raw.unexplained.interval[1]
        title = {
            "method": "Launches",
            "scenario": f"{count} experiments, clear gains launched, a holdout",
            "runs": runs,
        }
        yield Figure(**title, what="unexplained part covers 0, shrunk", measured=held / runs, low=0.92, high=0.98)
        yield Figure(**title, what="the same of plain estimates", measured=plain / runs, high=0.90, control=True)


BLOCKS = 13


def _blocks() -> tuple[Array, Array]:
    """Half a year of two-week blocks; units that differ for good make the blocks alike."""
    covariance = 0.012**2 * np.eye(BLOCKS) + 0.006**2
    return covariance, np.linalg.cholesky(covariance)


@scenario
def holdbacks_that_last() -> Iterator[Figure]:
    """Launches chosen for looking good, watched for half a year, block by block."""
    random, runs, error = seeded("holdbacks"), 2000, 0.01
    covariance, root = _blocks()
    prior = Prior(mean=0.0, variance=SPREAD**2)
    called = watched = 0
    while watched < runs:
        true = SPREAD * random.normal()
        seen = true + error * random.normal()
        if seen < 1.96 * error:
            continue
        watched += 1
        blocks = true + root @ random.normal(size=BLOCKS)
        found = decay(promised(seen, error, prior), blocks, covariance)
        assert isinstance(found, Decay)
        called += found.decayed
    title = {"method": "Decay", "scenario": "lasting lifts, chosen for looking good, 13 looks", "runs": runs}
    yield Figure(**title, what="called decayed", measured=called / runs, **at_most(0.01, runs))
    yield Figure(**title, what="z < -1.96 at any look", measured=_naive_decays(runs), low=0.08, control=True)


def _naive_decays(runs: int) -> float:
    """Compare the running mean with the plain estimate at every look, as one would without thinking."""
    random, error = seeded("naive decays"), 0.01
    covariance, root = _blocks()
    errors = np.array([math.sqrt(covariance[:k, :k].mean()) for k in range(1, BLOCKS + 1)])
    called = watched = 0
    while watched < runs:
        true = SPREAD * random.normal()
        seen = true + error * random.normal()
        if seen < 1.96 * error:
            continue
        watched += 1
        blocks = true + root @ random.normal(size=BLOCKS)
        running = np.cumsum(blocks) / np.arange(1, BLOCKS + 1)
        called += bool(((running - seen) / np.hypot(errors, error) < -1.96).any())
    return called / runs


@scenario
def holdbacks_that_fade() -> Iterator[Figure]:
    """A lift of 6 % that is gone from the fourth block on."""
    random, runs, error = seeded("fading"), 150, 0.01
    covariance, root = _blocks()
    delays = []
    for _ in range(runs):
        seen = 0.06 + error * random.normal()
        true = np.where(np.arange(BLOCKS) < 3, 0.06, 0.0)
        blocks = true + root @ random.normal(size=BLOCKS)
        promise = promised(seen, error, Prior(mean=0.0, variance=SPREAD**2))
        looks = (decay(promise, blocks[:k], covariance[:k, :k]) for k in range(1, BLOCKS + 1))
        first = next((k for k, one in enumerate(looks) if isinstance(one, Decay) and one.decayed), None)
        delays.append(math.inf if first is None else first - 2)
    title = {"method": "Decay", "scenario": "a lift of 6 % gone from the fourth block on", "runs": runs}
    yield Figure(**title, what="called within half a year", measured=float(np.isfinite(delays).mean()), low=0.9)
    yield Figure(**title, what="median blocks until the call", measured=float(np.median(delays)), high=4.0)


@scenario
def pairs_scanned_daily() -> Iterator[Figure]:
    """45 pairs of ten experiments, looked at on 28 days; effects add up, or three pairs disturb each other."""
    random, runs, pairs, days, daily = seeded("pairs"), 150, 45, 28, 1000
    n = daily * np.arange(1, days + 1)
    called = fixed = found = false = 0
    for _ in range(runs):
        steps = random.normal(size=(pairs, days))
        z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, days + 1))
        called += _any_called(z, n, daily * days)
        fixed += _any_fixed(z)
        shifted = z.copy()
        shifted[:3] += 4.5 * np.sqrt(n / n[-1])
        last = _p_values(shifted[:, -1], int(n[-1]), daily * days)
        told = np.array(correct(last, Correction.BENJAMINI_HOCHBERG, 0.05).called)
        found += told[:3].sum()
        false += told[3:].sum() / max(1, told.sum())
    title = {"method": "Interaction scan", "scenario": "45 pairs, 28 daily scans, effects add up", "runs": runs}
    yield Figure(**title, what="any pair called on any day", measured=called / runs, **at_most(0.05, runs))
    yield Figure(**title, what="the same with p-values of one look", measured=fixed / runs, low=0.1, control=True)
    title = {"method": "Interaction scan", "scenario": "45 pairs, three disturb each other by 4.5 errors", "runs": runs}
    yield Figure(**title, what="of those called", measured=found / 3 / runs, low=0.6)
    yield Figure(**title, what="false share of calls", measured=false / runs, **at_most(0.05, runs))


def _p_values(z: Array, n: int, tuned: int) -> list[float]:
    return [always_valid_p(float(one), n, 0.05, tuned) for one in z]


def _any_called(z: Array, n: Array, tuned: int) -> bool:
    return any(
        any(correct(_p_values(z[:, day], int(n[day]), tuned), Correction.BENJAMINI_HOCHBERG, 0.05).called)
        for day in range(len(n))
    )


def _any_fixed(z: Array) -> bool:
    p = 2 * stats.norm.sf(np.abs(z))
    return any(any(correct(list(p[:, day]), Correction.BENJAMINI_HOCHBERG, 0.05).called) for day in range(z.shape[1]))


@scenario
def proxies_elsewhere_on_the_grid() -> Iterator[Figure]:
    """Corners of the grid that the other scenarios leave out: a slope of 1, noise that shares nothing or more."""
    for slope, shared in ((1.0, 0.5), (0.0, 0.6)):
        yield from _corner(slope, shared, 0.8)


@scenario
def proxies_whose_noise_shares_nothing() -> Iterator[Figure]:
    """The one corner where the naive line has nothing to pull it: no slope, and noise that shares nothing.

    Its interval is that of least squares and asks for errors of one size. Where experiments differ in size, the small
    ones lie far out on both axes, and it covers less than it says even here.
    """
    yield from _corner(0.0, 0.0, 0.0)
    yield from _corner(0.0, 0.0, 0.8)


def _corner(slope: float, shared: float, spread: float) -> Iterator[Figure]:
    runs = 300
    random = seeded(f"corner {slope} {shared} {spread}")
    rows = []
    for _ in range(runs):
        programme = _shared(random, 200, slope, 1.0, shared, spread)
        fitted, simple = structure(programme), naive(programme)
        assert isinstance(fitted, Structure)
        assert isinstance(simple, Slope)
        assert simple.region is not None
        distance = deviance(programme, slope, best=fitted)
        assert isinstance(distance, float)
        held = anderson_rubin(programme).holds(slope), simple.region.holds(slope)
        rows.append((fitted.slopes[0], distance <= LIMIT, *held, simple.value))
    yield from _of_corner(np.array(rows, dtype=np.float64), slope, shared, spread)


def _of_corner(found: NDArray[np.float64], slope: float, shared: float, spread: float) -> Iterator[Figure]:
    sizes = "of one size" if spread == 0 else "of many sizes"
    name = f"200 experiments {sizes}, slope {slope:g}, signal 1, noise correlated by {shared:g}"
    title = {"method": "Proxy", "scenario": name, "runs": len(found)}
    median = float(np.median(found[:, 0]))
    yield Figure(**title, what="structural slope, median", measured=median, low=slope - 0.05, high=slope + 0.05)
    yield Figure(**title, what="likelihood ratio covers", measured=found[:, 1].mean(), low=0.91, high=0.985)
    yield Figure(**title, what="Anderson-Rubin covers", measured=found[:, 2].mean(), low=0.91, high=0.985)
    covers = found[:, 3].mean()
    if (slope, shared) != (0.0, 0.0):
        yield Figure(**title, what="naive interval covers", measured=covers, high=0.3, control=True)
        return
    yield Figure(**title, what="naive slope, median", measured=float(np.median(found[:, 4])), low=-0.05, high=0.05)
    if spread == 0:
        yield Figure(**title, what="naive interval covers", measured=covers, **near(0.95, len(found)))
    else:
        yield Figure(**title, what="naive interval covers", measured=covers, high=0.93, control=True)


def _shared(
    random: np.random.Generator, count: int, slope: float, signal: float, shared: float, spread: float
) -> Programme:
    """Experiments as in the other scenarios, whose noise is correlated by ``shared`` and whose log sizes spread."""
    sizes = np.exp(spread * random.normal(size=count) - spread**2 / 2)
    x = random.normal(size=count)
    y = slope * x + 0.3 * random.normal(size=count)
    base = np.array([[1.0, shared], [shared, 1.0]]) / signal
    noise = random.normal(size=(count, 2)) @ np.linalg.cholesky(base).T / np.sqrt(sizes)[:, None]
    return Programme(effects=np.column_stack([x, y]) + noise, covariances=base / sizes[:, None, None])

"""Across experiments: does a proxy's slope come out right, and is it left unsaid where it cannot be known?"""

import math
from collections.abc import Iterator

import numpy as np

from analysis.stats.moments import Moments
from analysis.stats.programme.calibration import OfflineOnline, offline_online, predict
from analysis.stats.programme.crossfold import cross_fold
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.identification import Identification, identification
from analysis.stats.programme.log_lifts import LogLifts, log_lifts
from analysis.stats.programme.quality import Prediction
from analysis.stats.programme.slopes import Slope, anderson_rubin, naive, weighted_total_covariance
from analysis.stats.programme.structural import Structure, deviance, structure
from benchmarks.calibration.figures import Figure, at_most, near, scenario, seeded
from benchmarks.calibration.samples import Array, vector_moments

LIMIT = 3.841  # of the likelihood ratio, 5 %
RUNS, REGIONS = 1000, 6000  # the moments cost little


def _drawn(random: np.random.Generator, count: int, slope: float, signal: float, kind: str = "normal") -> Programme:
    """Experiments of uneven size; x ~ N(0, 1), y = slope x + N(0, .3²), noise correlated by .5."""
    sizes = np.exp(0.8 * random.normal(size=count) - 0.32)
    x = random.normal(size=count)
    if kind == "t4":
        x = random.standard_t(4, count) / math.sqrt(2)
    other = 0.3 * random.normal(size=count)
    y = slope * x + (0.3 * (0.6 * x + 0.8 * other / 0.3) if kind == "confounded" else other)
    base = np.array([[1.0, 0.5], [0.5, 1.0]]) / signal
    noise = random.normal(size=(count, 2)) @ np.linalg.cholesky(base).T / np.sqrt(sizes)[:, None]
    return Programme(effects=np.column_stack([x, y]) + noise, covariances=base / sizes[:, None, None])


def _one(programme: Programme, slope: float) -> tuple[float, ...]:
    """Naive slope and its interval's answer, weighted slope, likelihood's slope, coverages, rejections, open or not."""
    fitted, simple = structure(programme), naive(programme)
    assert isinstance(fitted, Structure)
    assert isinstance(simple, Slope)
    assert simple.region is not None
    weighted = weighted_total_covariance(programme)
    region, told = anderson_rubin(programme), identification(programme, best=fitted)
    at_truth, at_zero = deviance(programme, slope, best=fitted), deviance(programme, 0.0, best=fitted)
    assert isinstance(at_truth, float)
    assert isinstance(at_zero, float)
    assert isinstance(told, Identification)
    return (
        simple.value,
        simple.region.holds(slope),
        weighted.value if isinstance(weighted, Slope) else math.nan,
        float(fitted.slopes[0]),
        at_truth <= LIMIT,
        at_zero > LIMIT,
        region.holds(slope),
        not region.holds(0.0),
        not region.bounded,
        told.identified,
    )


def _many(name: str, count: int, slope: float, signal: float, runs: int, kind: str = "normal") -> Array:
    random = seeded(f"programme {name} {count} {slope} {signal}")
    return np.array([_one(_drawn(random, count, slope, signal, kind), slope) for _ in range(runs)], dtype=np.float64)


def _regions(count: int, slope: float, signal: float) -> Array:
    """Whether Anderson-Rubin's region holds the truth, calls a slope, and has no end."""
    random = seeded(f"regions {count} {slope} {signal}")
    found = [anderson_rubin(_drawn(random, count, slope, signal)) for _ in range(REGIONS)]
    return np.array([(one.holds(slope), not one.holds(0.0), not one.bounded) for one in found], dtype=np.float64)


def _cell(count: int, slope: float, signal: float) -> Iterator[Figure]:
    """One cell of the grid of STATISTICS section 2."""
    found = _many("grid", count, slope, signal, RUNS)
    simple, simple_holds, weighted, fitted, covers, calls = found.T[:6]
    regions = _regions(count, slope, signal)
    title = {"method": "Proxy", "scenario": f"{count} experiments, slope {slope:g}, signal {signal:g}", "runs": RUNS}
    wide = {**title, "runs": REGIONS}
    wanted = {"low": slope - 0.05, "high": slope + 0.05}
    yield Figure(**title, what="structural slope, median", measured=float(np.median(fitted)), **wanted)
    yield Figure(**title, what="weighted moments, median", measured=float(np.nanmedian(weighted)), **wanted)
    yield Figure(**title, what="likelihood ratio covers", measured=covers.mean(), low=0.92, high=0.98)
    yield Figure(**wide, what="Anderson-Rubin covers", measured=regions[:, 0].mean(), low=0.92, high=0.98)
    error = float(np.sqrt(np.mean((fitted - slope) ** 2)))
    yield Figure(**title, what="structural slope, error (RMSE)", measured=error, high=0.35)
    most = 0.3 if count * signal < 100 else 0.1 if count < 100 else 0.01
    yield Figure(**wide, what="Anderson-Rubin unbounded", measured=regions[:, 2].mean(), high=most)
    if slope == 0:
        yield Figure(**title, what="likelihood ratio calls a slope", measured=calls.mean(), **at_most(0.05, RUNS))
        called = regions[:, 1].mean()
        yield Figure(**wide, what="Anderson-Rubin calls a slope", measured=called, **at_most(0.05, REGIONS))
    else:
        wrong = (np.sign(fitted) != np.sign(slope)).mean()
        yield Figure(**title, what="wrong sign, structural", measured=wrong, high=0.15)
    if slope != 0.5:  # the users' own slope is .5: there the naive answer is right by accident
        held = simple_holds.mean()
        yield Figure(**title, what="naive interval covers", measured=held, high=0.2, control=True)
    if slope < 0:
        wrong = (np.sign(simple) != np.sign(slope)).mean()
        yield Figure(**title, what="wrong sign, naive", measured=wrong, low=0.9, control=True)
    if count * signal >= 200:
        yield Figure(**title, what="said to be identified", measured=found[:, 9].mean(), low=0.95)


@scenario
def proxies_weak() -> Iterator[Figure]:
    for slope in (0.0, 0.5, -0.3):
        yield from _cell(150, slope, 0.5)


@scenario
def proxies_strong() -> Iterator[Figure]:
    for count, slope in ((150, 0.0), (150, 0.5), (50, 0.5)):
        yield from _cell(count, slope, 2.0)


@scenario
def proxies_hopeless() -> Iterator[Figure]:
    """Too little signal: the answer must be that there is none."""
    for count, signal in ((50, 0.5), (20, 0.5), (100, 0.1)):
        found = _many("hopeless", count, 0.0, signal, 200)
        title = {"method": "Proxy", "scenario": f"{count} experiments, slope 0, signal {signal:g}", "runs": 200}
        yield Figure(**title, what="said to be identified", measured=found[:, 9].mean(), high=0.1)
        yield Figure(**title, what="Anderson-Rubin unbounded", measured=found[:, 8].mean(), low=0.5)
        yield Figure(**title, what="likelihood ratio calls a slope", measured=found[:, 5].mean(), **at_most(0.05, 200))
        if count >= 50:  # fewer leave the naive slope itself so uncertain that it is not always wrong
            yield Figure(**title, what="naive interval covers", measured=found[:, 1].mean(), high=0.2, control=True)


@scenario
def proxies_otherwise() -> Iterator[Figure]:
    """Heavy tails must not matter; direct effects that go with the proxy's cannot be told from a slope."""
    title = {"method": "Proxy", "runs": 200}
    heavy = _many("heavy", 150, 0.0, 2.0, 200, "t4")
    name = "150 experiments, effects with heavy tails (t, 4 df)"
    yield Figure(**title, scenario=name, what="Anderson-Rubin covers", measured=heavy[:, 6].mean(), low=0.9, high=0.99)
    yield Figure(
        **title, scenario=name, what="likelihood ratio covers", measured=heavy[:, 4].mean(), low=0.9, high=0.99
    )
    mixed = _many("confounded", 150, 0.0, 2.0, 200, "confounded")
    name = "150 experiments, direct effects that go with the proxy's"
    measured = mixed[:, 6].mean()
    yield Figure(**title, scenario=name, what="Anderson-Rubin covers", measured=measured, high=0.9, control=True)


@scenario
def programmes_as_they_are() -> Iterator[Figure]:
    """The same treatment tried twice must count once; an archive of shipped experiments alone misleads."""
    random, runs, slope = seeded("programmes as they are"), 3000, 0.5
    once = twice = 0
    groups = np.repeat(np.arange(75), 2)
    for _ in range(runs):
        half = _drawn(random, 75, slope, 2.0)
        noise = np.linalg.cholesky(half.covariances)
        again = half.effects + np.einsum("kij,kj->ki", noise, random.normal(size=(75, 2)))
        effects = np.stack([half.effects, again], axis=1).reshape(150, 2)
        # both carry their own noise; the second one's is doubled, as it began at the first one's estimate
        covariances = np.stack([half.covariances, 2 * half.covariances], axis=1).reshape(150, 2, 2)
        both = Programme(effects=effects, covariances=covariances)
        once += anderson_rubin(both, groups=groups).holds(slope)
        twice += anderson_rubin(both).holds(slope)
    title = {"method": "Proxy", "scenario": "75 treatments in two experiments each, signal 2", "runs": runs}
    yield Figure(**title, what="Anderson-Rubin by treatment covers", measured=once / runs, low=0.92, high=0.98)
    yield Figure(**title, what="experiments as independent cover", measured=twice / runs, high=0.92, control=True)
    values = []
    for _ in range(400):
        whole = _drawn(random, 300, slope, 2.0)
        shipped = whole.effects[:, 1] > 1.96 * np.sqrt(whole.covariances[:, 1, 1])
        kept = Programme(effects=whole.effects[shipped], covariances=whole.covariances[shipped])
        found = weighted_total_covariance(kept)
        values.append(found.value if isinstance(found, Slope) else math.nan)
    title = {"method": "Proxy", "scenario": "300 experiments, only significant ones archived, slope .5", "runs": 400}
    measured = float(np.nanmedian(values))
    yield Figure(**title, what="slope, median", measured=measured, high=0.4, control=True)


@scenario
def buckets() -> Iterator[Figure]:
    """The slope from hash buckets needs no covariances."""
    random, runs, folds, slope = seeded("buckets"), 1000, 10, -0.3
    held = wrong = 0
    values = np.empty(runs)
    root = np.linalg.cholesky([[1.0, 0.5], [0.5, 1.0]]).T * math.sqrt(folds)
    for i in range(runs):
        x = random.normal(size=150)
        true = np.stack([x, slope * x + 0.3 * random.normal(size=150)], axis=-1)
        d = true[:, None] + random.normal(size=(150, folds, 2)) @ root
        found = cross_fold(d)
        assert isinstance(found, Slope)
        assert found.region is not None
        values[i] = found.value
        held += found.region.holds(slope)
        whole = d.mean(axis=1)
        wrong += np.polyfit(whole[:, 0], whole[:, 1], 1)[0] > 0
    title = {"method": "Proxy", "scenario": "150 experiments in 10 buckets, slope -0.3, signal 1", "runs": runs}
    yield Figure(**title, what="cross-fold slope, median", measured=float(np.median(values)), low=-0.35, high=-0.25)
    yield Figure(**title, what="its region covers", measured=held / runs, low=0.92, high=0.98)
    yield Figure(**title, what="wrong sign, naive", measured=wrong / runs, low=0.5, control=True)


def _shop(random: np.random.Generator, users: int, clicks: float, buys: float) -> Moments:
    """Clicks and purchases of users who differ in how active they are; only their moments are kept."""
    seen = random.poisson(10 * random.gamma(2.0, 0.5, users))
    clicked = random.binomial(seen, 0.1 * math.exp(clicks))
    bought = random.binomial(clicked, 0.2 * math.exp(buys))
    return vector_moments(np.column_stack([clicked, bought]).astype(np.float64))


@scenario
def shoppers() -> Iterator[Figure]:
    """Users who see, click and buy; the programme keeps log lifts and covariances alone."""
    random, runs, count, users = seeded("shoppers"), 120, 80, 2500
    for slope in (0.0, 1.0):
        values, simple, held, simple_held = np.empty(runs), np.empty(runs), 0, 0
        for i in range(runs):
            lifts = []
            for _ in range(count):
                x = 0.045 * random.normal()
                y = slope * x + 0.03 * random.normal()
                found = log_lifts(_shop(random, users, 0.0, 0.0), _shop(random, users, x, y - x))
                assert isinstance(found, LogLifts)
                lifts.append(found)
            programme = Programme(
                effects=np.array([one.values for one in lifts]), covariances=np.array([one.covariance for one in lifts])
            )
            fitted, fooled = structure(programme), naive(programme)
            assert isinstance(fitted, Structure)
            assert isinstance(fooled, Slope)
            assert fooled.region is not None
            values[i], simple[i] = fitted.slopes[0], fooled.value
            held += anderson_rubin(programme).holds(slope)
            simple_held += fooled.region.holds(slope)
        title = {"method": "Proxy", "scenario": f"80 simulated shops' experiments, slope {slope:g}", "runs": runs}
        yield Figure(
            **title,
            what="structural slope, median",
            measured=float(np.median(values)),
            low=slope - 0.1,
            high=slope + 0.1,
        )
        yield Figure(**title, what="Anderson-Rubin covers", measured=held / runs, **near(0.95, runs))
        if slope == 0:
            yield Figure(**title, what="naive slope, median", measured=float(np.median(simple)), low=0.2, control=True)
            yield Figure(**title, what="naive interval covers", measured=simple_held / runs, high=0.5, control=True)


@scenario
def next_models() -> Iterator[Figure]:
    """Offline gains of forty models, and what the next one does online."""
    random, runs, count = seeded("next models"), 250, 40
    held = point = 0
    for _ in range(runs):
        gain = 0.5 + random.normal(size=count + 1)
        online = 0.1 + 0.8 * gain + 0.3 * random.normal(size=count + 1)
        variances = 0.2 * np.exp(0.5 * random.normal(size=(2, count + 1)))
        seen = np.stack([gain, online]) + np.sqrt(variances) * random.normal(size=(2, count + 1))
        found = offline_online(seen[0, :-1], variances[0, :-1], seen[1, :-1], variances[1, :-1])
        assert isinstance(found, OfflineOnline)
        said = predict(found, float(seen[0, -1]), float(variances[0, -1]))
        assert isinstance(said, Prediction)
        held += said.interval[0] <= online[-1] <= said.interval[1]
        line = np.polyfit(seen[0, :-1], seen[1, :-1], 1, cov=True)
        spread = math.sqrt(max(0.0, line[1][0, 0]) * (seen[0, -1] - seen[0, :-1].mean()) ** 2 + line[1][1, 1])
        point += abs(np.polyval(line[0], seen[0, -1]) - online[-1]) <= 1.96 * spread
    title = {"method": "Offline to online", "scenario": "40 past models, slope .8", "runs": runs}
    yield Figure(**title, what="prediction interval covers the next", measured=held / runs, **near(0.95, runs))
    yield Figure(**title, what="interval of the regression line covers", measured=point / runs, high=0.8, control=True)

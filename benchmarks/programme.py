"""Evidence across experiments: how near the answers come to a known truth, and how long the pages take over thousands.

    .venv/bin/python -m benchmarks.programme [--programmes 200] [--experiments 2000] [--metrics 10]

Takes a few minutes and leaves nothing behind. It starts a PostgreSQL of its own. Seeds are counted up from 1, and every
programme drawn is in the figures.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.refresh import database

Array = NDArray[np.float64]
EXPERIMENTS = 120
SPREAD, OWN_WAY = 0.1, 0.02
"""Of the true effects on clicks, and of what orders do besides, as log lifts: the simulated shop's."""
NOISE = 0.1**2 * np.array([[1.0, 1.0], [1.0, 1.4]])
"""Of an experiment of ordinary size: as large as the effects, and between users orders follow clicks one to one."""
ROUNDS = 40


def draw(random: np.random.Generator, slope: float) -> tuple[Array, Array]:
    """Return seen effects and covariances of one programme."""
    clicks = SPREAD * random.normal(size=EXPERIMENTS)
    true = np.column_stack([clicks, slope * clicks + OWN_WAY * random.normal(size=EXPERIMENTS)])
    covariances = NOISE / np.exp(0.5 * random.normal(size=EXPERIMENTS))[:, None, None]
    noise = np.einsum("kij,kj->ki", np.linalg.cholesky(covariances), random.normal(size=(EXPERIMENTS, 2)))
    return true + noise, covariances


def slopes(programmes: int) -> None:
    """Compare the corrected slope and the naive one with the truth."""
    from analysis.stats.programme.effects import Programme
    from analysis.stats.programme.slopes import Slope, naive
    from analysis.stats.programme.structural import structural_slope

    print("true slope | corrected: mean, typical miss, interval holds | naive: mean, typical miss, interval holds")
    for slope in (0.0, 0.5, -0.3):
        found: dict[str, list[tuple[float, bool]]] = {"corrected": [], "naive": []}
        for seed in range(1, programmes + 1):
            effects, covariances = draw(np.random.default_rng(seed), slope)
            programme = Programme(effects=effects, covariances=covariances)
            for name, one in (("corrected", structural_slope(programme)), ("naive", naive(programme))):
                if not isinstance(one, Slope) or one.region is None:
                    continue
                found[name].append((one.value, one.region.holds(slope)))
        print(f"{slope:+.1f}", *(_shown(found[name], slope) for name in ("corrected", "naive")), sep=" | ")


def _shown(found: list[tuple[float, bool]], truth: float) -> str:
    values = np.array([value for value, _ in found])
    held = np.mean([holds for _, holds in found])
    return f"{values.mean():+.3f}, {np.sqrt(((values - truth) ** 2).mean()):.3f}, {held:.1%} of {len(found)}"


def launches(programmes: int) -> None:
    """Compare what launches are said to have brought with what they did, each programme with its holdout."""
    from analysis.stats.programme.launches import Launch, account
    from analysis.stats.shrinkage import Prior, learn_prior

    spread, error = 0.02, 0.012
    told: list[tuple[float, float, float, bool]] = []
    for seed in range(1, programmes + 1):
        random = np.random.default_rng([seed, 2])
        true = spread * random.normal(size=60)
        seen = true + error * random.normal(size=60)
        chosen = np.flatnonzero(seen > 1.96 * error)
        prior = learn_prior(seen.tolist(), [error] * 60)
        if not isinstance(prior, Prior):
            continue
        shipped = [Launch(effect=float(seen[k]), standard_error=error, weight=1.0) for k in chosen]
        real = float(true[chosen].sum())
        found = account(shipped, prior, (real + 0.01 * random.normal(), 0.01), learned_from=[error] * 60)
        low, high = found.expected.interval
        told.append((real, float(seen[chosen].sum()), found.expected.value, low <= real <= high))
    real_, plain, believed, held = np.array(told, dtype=np.float64).T
    print(f"launches of 60 experiments, {len(told)} programmes: true sum {real_.mean():.3f} (log lift)")
    for name, values in (("as measured", plain), ("believed", believed)):
        print(f"  {name}: {values.mean():.3f}, typical miss {np.sqrt(((values - real_) ** 2).mean()):.3f}")
    print(f"  interval of what is believed holds the truth: {held.mean():.1%}")


# --- the pages ----------------------------------------------------------------------------------------------------


def fill(experiments: int, metrics: int) -> Any:
    """Make a project of stopped experiments with effect vectors, a fifth of them shipped; no events behind them."""
    from experiments.domain.access import Role
    from experiments.domain.metrics import Direction, DisplayUnit, MetricKind
    from experiments.models import Membership, Metric, Project, User

    home = Project.objects.create(slug="programme", name="Programme")
    user = User.objects.create(email="reader@programme.example", name="Reader")
    Membership.objects.create(project=home, user=user, role=Role.ADMIN)
    keys = ["click-through", "orders", *(f"metric-{k}" for k in range(metrics - 2))]
    made = [
        Metric.objects.create(
            project=home, key=key, name=key.capitalize(), kind=MetricKind.COUNT, event=key,
            direction=Direction.INCREASE, display_unit=DisplayUnit.NUMBER,
        )
        for key in keys
    ]  # fmt: skip
    home.north_star = made[1]
    home.save(update_fields=["north_star"])
    random = np.random.default_rng(1)
    for first in range(0, experiments, 200):
        batch(random, home, user, keys, range(first, min(first + 200, experiments)))
    return user


def batch(random: np.random.Generator, home: Any, user: Any, keys: list[str], numbers: range) -> None:
    from analysis.models import EffectVector
    from experiments.domain.lifecycle import Status
    from experiments.models import Experiment, Variant

    now = datetime.now(UTC)
    made = Experiment.objects.bulk_create(
        Experiment(
            project=home, key=f"e{k:04}", name=f"Idea {k}", status=Status.STOPPED, planned_days=14, owner=user,
            started_at=now - timedelta(days=20 + k % 700), stopped_at=now - timedelta(days=6 + k % 700),
        )
        for k in numbers
    )  # fmt: skip
    arms = [
        Variant(experiment=one, key=name, name=name.capitalize(), position=place, weight=5000)
        for one in made
        for place, name in enumerate(("control", "treatment"))
    ]
    Variant.objects.bulk_create(arms)
    treatments = arms[1::2]
    EffectVector.objects.bulk_create(
        vector(random, one, treatment, keys) for one, treatment in zip(made, treatments, strict=True)
    )
    for one, treatment in list(zip(made, treatments, strict=True))[::5]:
        Experiment.objects.filter(pk=one.pk).update(
            shipped_variant=treatment, shipped_at=one.stopped_at, shipped_share=10_000
        )


def vector(random: np.random.Generator, one: Any, treatment: Any, keys: list[str]) -> Any:
    from analysis.models import EffectVector
    from analysis.programme.vectors import FOLDS

    width, upper = len(keys), np.triu_indices(len(keys))
    true = 0.05 * random.normal(size=width)
    true[1] = 0.5 * true[0] + 0.015 * random.normal()
    noise = (np.eye(width) / 2 + 0.5) * 0.035**2 / np.exp(0.5 * random.normal())
    seen = random.multivariate_normal(true, noise)
    folds = seen + np.sqrt(FOLDS) * random.multivariate_normal(np.zeros(width), noise, size=FOLDS)
    return EffectVector(
        project=one.project, experiment=one, phase=one.phase, variant=treatment, definition="d", as_of=one.stopped_at,
        trustworthy=True, units=10_000, control_units=10_000, metrics=keys, control=[2.0] * width,
        differences=(2 * np.expm1(seen)).tolist(), covariance=(4 * noise)[upper].tolist(), log_lifts=seen.tolist(),
        log_covariance=noise[upper].tolist(), folds=folds.ravel().tolist(),
    )  # fmt: skip


def pages(experiments: int, metrics: int) -> None:
    """Time the worker's reading and the pages' answers, made in this process without a network."""
    from django.conf import settings
    from django.test import Client
    from django.urls import reverse

    from config.settling import import_pages

    busy = time.process_time()
    import_pages()  # as a server does when it starts, before its first visitor
    print(f"a server's start, pages and statistics imported: {time.process_time() - busy:.2f} s of processor")
    settings.ALLOWED_HOSTS = ["*"]
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    user = fill(experiments, metrics)
    client = Client()
    client.force_login(user)
    print(f"{experiments:,} experiments x {metrics} metrics | first answer s | processor s | then p50 ms | p99 ms")
    for said, name in (
        ("which proxies can we trust", "evidence"),
        ("what moved the north star", "evidence_north_star"),
    ):
        path, busy = reverse(name, args=["programme"]), time.process_time()
        answers = timed(client, path)
        first, spent = next(answers), time.process_time() - busy
        p50, p99 = (1000 * np.quantile(list(answers), [0.5, 0.99])).tolist()
        print(f"{said} | {first:.2f} | {spent:.2f} | {p50:.0f} | {p99:.0f}")
    busy, began = time.process_time(), time.perf_counter()
    client.post(reverse("evidence_renew", args=["programme"]))
    wall, spent = time.perf_counter() - began, time.process_time() - busy
    print(f"which proxies, read again now | {wall:.2f} | {spent:.2f}")


def timed(client: Any, path: str) -> Iterator[float]:
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        status = client.get(path).status_code
        if status != 200:
            raise SystemExit(f"{path} answered {status}; 200 was expected")
        yield time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programmes", type=int, default=200)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--metrics", type=int, default=10)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    slopes(options.programmes)
    launches(10 * options.programmes)
    with database():
        pages(options.experiments, options.metrics)


if __name__ == "__main__":
    main()

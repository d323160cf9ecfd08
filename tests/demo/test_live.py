"""Live shoppers feel every running experiment at once, and a refusal does not end the feed."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

from config.demo import live
from config.demo.client import AppClient, Evaluation, RefusedError
from config.demo.drive import NEVER
from config.demo.live import Feed, Running, combined
from config.demo.progress import Reporter
from config.demo.shop import NO_EFFECT, Effects, ShopSettings, draw_shoppers, pages_of
from config.demo.traffic import Names
from experiments.models import Project


def running(key: str, **effect: float) -> Running:
    names = Names(
        experiment=key, experiment_name=key, variants=(("control", "C"), ("treatment", "T")), prefix="live-s1"
    )
    return Running(flag=key, names=names, effects=(NO_EFFECT, Effects(**effect)))


def feed(*experiments: Running) -> Feed:
    client = AppClient("http://127.0.0.1:1", "k", patience=0.1)
    return Feed(client=client, project=Project(slug="shop"), seed=1, running=experiments)


def test_combined__treatments_of_two_experiments_multiply():
    both = (running("a", ctr=0.1), running("b", ctr=0.2, latency=0.5))
    variants = [np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])]
    felt, effects = combined(both, variants, np.arange(4))
    assert [effects[number].ctr for number in felt.tolist()] == pytest.approx([0, 0.1, 0.2, 0.32])
    assert [effects[number].latency for number in felt.tolist()] == pytest.approx([0, 0, 0.5, 0.5])


def test_combined__a_shopper_outside_an_experiment_feels_nothing_of_it():
    felt, effects = combined((running("a", ctr=0.1),), [np.array([NEVER, 1])], np.arange(2))
    assert [effects[number].ctr for number in felt.tolist()] == pytest.approx([0, 0.1])


def live_events(variants: list[np.ndarray], *experiments: Running) -> list[dict]:
    rng = np.random.default_rng(3)
    people = draw_shoppers(rng, live.POPULATION, np.ones(1), ShopSettings())
    who = np.array([5, 9], dtype=np.int64)
    pages = pages_of(rng, who, np.zeros(2), ShopSettings())
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    return list(live._events(feed(*experiments), people, pages, variants, start))


def everywhere(number: int) -> np.ndarray:
    return np.full(live.POPULATION, number, dtype=np.int64)


def test_live_events__report_one_exposure_for_each_experiment_and_everything_else_once():
    sent = live_events([everywhere(1), everywhere(0)], running("a"), running("b"))
    views = Counter(
        (event["userId"], event["properties"]["experiment_id"])
        for event in sent
        if event["event"] == "Experiment Viewed"
    )
    assert views == {("live-s1-000005", "a"): 1, ("live-s1-000005", "b"): 1, ("live-s1-000009", "a"): 1,
                     ("live-s1-000009", "b"): 1}  # fmt: skip
    ids = [event["messageId"] for event in sent]
    assert len(set(ids)) == len(ids)


def test_live_events__of_shoppers_outside_an_experiment__hold_no_exposure_to_it():
    sent = live_events([everywhere(NEVER)], running("a"))
    assert {event["event"] for event in sent} >= {"Product List Viewed"}
    assert "Experiment Viewed" not in {event["event"] for event in sent}


def test_live_feed__a_database_that_is_away__does_not_keep_shoppers_away(monkeypatch):
    from django.db import OperationalError

    def away(_feed: Feed) -> tuple[Running, ...]:
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr(live, "_look_anew", away)
    said: list[str] = []
    known = feed(running("a"))
    asyncio.run(live._look(known, Reporter(said.append)))
    assert said == ["The database is away (connection refused); feeding on."]
    assert [item.names.experiment for item in known.running] == ["a"]


def test_live_feed__one_experiment_that_is_refused__does_not_keep_shoppers_from_the_others(monkeypatch):
    async def evaluate(_client: AppClient, flag: str, _unit: str) -> Evaluation:
        if flag == "gone":
            raise RefusedError(404, "There is no running experiment or flag 'gone'")
        return Evaluation(key=flag, variant="treatment", reason="SPLIT")

    monkeypatch.setattr(AppClient, "evaluate", evaluate)
    said: list[str] = []
    who = np.array([5, 9], dtype=np.int64)
    client = feed(running("gone")).client
    kept, lost = (
        asyncio.run(live._assign(client, running(key), who, Reporter(said.append))) for key in ("here", "gone")
    )
    assert set(kept[who].tolist()) == {1}
    assert set(lost.tolist()) == {NEVER}
    assert len(said) == 1
    assert "gone" in said[0]

"""The demo's commands against the whole product: what goes through the doors comes out of the results API."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from config import paths
from config.stack.running import RunningStack, StackError, running_stack
from tests import prepared

SIMULATE = ("simulate_shop", "--experiment", "known-truth", "--shoppers", "2000", "--days", "7", "--seed", "20")
TRUTH = ("--ctr-effect", "0.25", "--purchase-effect", "0.1", "--value-effect", "0.05", "--latency-effect", "0.15")
BOTH_CAMPAIGNS = [
    "all: click-through .38 % (random) → .42 % (Thompson sampling), z 0.448, p .654, 20,000 impressions",
    "men: click-through .46 % (random) → .69 % (Thompson sampling), z 2.151, p .0315, 20,000 impressions",
]


@pytest.fixture(scope="module")
def stack(embedded_servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(prepared.furnish(tmp_path_factory.mktemp("demo"))) as running:
        yield running


def findings(output: str) -> list[str]:
    """The lines with figures, without progress and its seconds."""
    return [line for line in output.splitlines() if not re.search(r" in \d+\.\d s$", line)]


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.2)


def test_simulate_shop__known_truth__lies_inside_every_reported_interval_and_twice_counts_once(stack: RunningStack):
    # The salt comes from key and seed, so on each weekday this is one fixed outcome; on all seven the truth is inside.
    first = stack.manage(*SIMULATE, *TRUTH, "--check")
    assert "Every true lift lies inside its reported interval." in first
    assert len(re.findall(r"[+−]\d+\.\d\d % +yes$", first, re.MULTILINE)) == 6
    assert "+25.00 %   yes" in first
    units = re.search(r"Units: Control ([\d,]+), Treatment ([\d,]+)\.", first)
    assert units is not None
    assert sum(int(count.replace(",", "")) for count in units.groups()) == 2_000
    assert findings(stack.manage(*SIMULATE, *TRUTH, "--check")) == findings(first)


@pytest.mark.slow
def test_simulate_shop__check_of_a_wrong_truth__exits_with_1(stack: RunningStack):
    # The same shop as above is in the log already; only what is said to be true differs.
    stack.manage(*SIMULATE, *TRUTH)
    with pytest.raises(StackError, match="The truth lies further outside than chance explains"):
        stack.manage(*SIMULATE, "--ctr-effect", "-0.5", "--latency-effect", "0.15", "--check")


@pytest.mark.slow
def test_simulate_shop__with_and_without_drift__is_told_apart_by_the_scores_that_came_through_the_doors(
    stack: RunningStack,
):
    for key, drift, lasting in (("steady", "0", "none"), ("drifting", "-0.35", "large")):
        stack.manage(
            "simulate_shop", "--experiment", key, "--shoppers", "6000", "--days", "14", "--seed", "7",
            "--score-drift", drift, "--report",
        )  # fmt: skip
        plain = (stack.home / "demo-api-key").read_text().strip()
        address = f"{stack.base_url}/api/v1/experiments/{key}/drift"
        answer = httpx.get(address, headers={"Authorization": f"Bearer {plain}"}, timeout=30)
        control, treatment = answer.raise_for_status().json()["variants"]
        assert control["lasting"] == "none"
        assert treatment["lasting"] == lasting
        assert treatment["launch_units"] > 500
    assert "0 differences" in stack.manage("recompute", "--check")


@pytest.mark.slow
def test_simulate_shop__with_a_broken_split__is_reported_as_not_trustworthy(stack: RunningStack):
    said = stack.manage(
        "simulate_shop", "--experiment", "broken", "--shoppers", "4000", "--days", "3",
        "--split", "broken", "--lost-exposures", "0.25", "--report",
    )  # fmt: skip
    assert "NOT TRUSTWORTHY" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "size", "said"),
    [
        ("offpolicy", ("--shoppers", "1500"), "Worth an A/B test"),
        ("interleaving", ("--shoppers", "900", "--ctr-effect", "0.8"), "People prefer New ranker"),
        ("bandit", ("--shoppers", "2400", "--days", "4", "--ctr-effect", "0.8"), "Banner B is better"),
        ("switchback", ("--shoppers", "3000", "--days", "7", "--ctr-effect", "0.4"), "Surge price is better"),
    ],
)
def test_simulate_kind__known_truth__is_reported_as_it_is(
    stack: RunningStack, kind: str, size: tuple[str, ...], said: str
):
    found = stack.manage("simulate_shop", "--kind", kind, *size, "--check")
    assert said in found
    assert "reported: nothing" not in found


def test_replay__of_both_campaigns__prints_the_known_figures_and_the_lesson_twice_the_same(stack: RunningStack):
    first = stack.manage("replay_open_bandit")
    assert [line for line in findings(first) if line in BOTH_CAMPAIGNS] == BOTH_CAMPAIGNS
    assert "Holm-adjusted p over 2 campaigns (all, men): all .654, men .0629" in first
    assert findings(stack.manage("replay_open_bandit")) == findings(first)
    assert findings(stack.manage("replay_open_bandit", "--campaign", "men"))[0] == BOTH_CAMPAIGNS[1]


def test_live_feed__a_server_killed_under_it__comes_back_to_its_shoppers(stack: RunningStack, tmp_path: Path):
    make_experiment(stack, "fed-live")
    log = tmp_path / "live.log"
    command = [sys.executable, str(paths.REPOSITORY / "manage.py"), "simulate_shop", "--live", "--rate", "20"]
    with log.open("wb") as output:
        feed = subprocess.Popen(command, env=dict(stack.environment), stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: exposures(stack) > 20)
        killed = stack.state.children["web"]
        subprocess.run(["kill", "-9", str(killed)], check=True)
        wait_until(lambda: stack.state.children["web"] != killed)
        before = exposures(stack)
        wait_until(lambda: exposures(stack) > before + 20)
        feed.send_signal(signal.SIGTERM)
        assert feed.wait(20) == 0
    finally:
        if feed.poll() is None:
            feed.kill()
            feed.wait()
    assert re.search(r"Stopped after [\d,]+ visits and [\d,]+ events\.", log.read_text())


@pytest.mark.slow
def test_load_demo__again__adds_nothing(tmp_path: Path):
    with running_stack(tmp_path / "home", demo=True, seconds=600) as loaded:
        before = counts(loaded)
        assert "The demo is loaded." in loaded.manage("load_demo")
        assert counts(loaded) == before
        assert before["experiments_experiment"] == 7


def make_experiment(stack: RunningStack, key: str) -> None:
    """Create and start an experiment as a person would do on its page."""
    stack.manage(
        "shell", "--no-imports", "-c",
        "from config.demo.catalogue import story; from config.demo.project import ensure_demo_shop, ensure_experiment;"
        "from experiments import lifecycle; from dataclasses import replace;"
        "shop, user = ensure_demo_shop();"
        f"lifecycle.start(ensure_experiment(shop, user, replace(story('live-ranker'), key='{key}')), user)",
    )  # fmt: skip


def counts(stack: RunningStack) -> dict[str, int]:
    tables = (
        "events_log",
        "experiments_experiment",
        "analysis_resultsnapshot",
        "analysis_digest",
        "experiments_apikey",
    )
    return {table: query(stack, f"SELECT count(*) FROM {table}") for table in tables}


def exposures(stack: RunningStack) -> int:
    return query(stack, "SELECT count(*) FROM events_log WHERE experiment = 'fed-live'")


def query(stack: RunningStack, statement: str) -> int:
    import psycopg

    with psycopg.connect(paths.embedded_database_url(stack.home)) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[call-overload]
    return int(row[0])

"""Parts of a running product are killed under load, one after the other and all at once; the supervisor alone helps."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from config import env, paths
from config.stack.running import RunningStack, running_stack
from tests import prepared
from tests.faults.ledger import STORED, Ledger, Shop, settle
from tests.faults.ledger import counted as counted_of
from tests.stack.conftest import free_port, wait_until
from tests.stack.test_life import children_of
from tests.stack.test_running import running_again

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
CLIENTS = 3
SETTLE_SECONDS = 150
MAKE = """
from experiments.domain.access import Scope
from experiments.keys import issue_key
from tests import prepared
from tests.faults.conftest import counting_experiment
made = counting_experiment("{slug}")
print(made.project_id, issue_key(made.project, "app", [Scope.INGEST], None)[1])
"""
SLOW_ROLLUP = """
CREATE FUNCTION test_faults_pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(6); RETURN NULL; END $$;
CREATE TRIGGER test_faults_pause AFTER INSERT ON analysis_unitday
FOR EACH STATEMENT EXECUTE FUNCTION test_faults_pause()
"""
QUICK_ROLLUP = "DROP TRIGGER test_faults_pause ON analysis_unitday; DROP FUNCTION test_faults_pause"
MID_ROLLUP = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@dataclass
class Run:
    """One project of a stack, its clients, and how to look at and ask for its rollup."""

    stack: RunningStack
    project: int
    key: str
    ledger: Ledger

    def query(self, statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        with psycopg.connect(paths.embedded_database_url(self.stack.home)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(paths.embedded_database_url(self.stack.home), autocommit=True) as connection:
            connection.execute(statement)

    def ask_to_fold(self) -> None:
        """Queue what the schedule queues every minute; a broker that is away is asked again by the next call."""
        with (
            contextlib.suppress(OperationalError),
            Celery(broker=env.broker_url(paths.embedded_redis_url(self.stack.home))) as app,
        ):
            app.send_task("analysis.refresh_running", retry=False, expires=20)

    def kill(self, part: str) -> None:
        """Kill a part and its children in one moment, and wait until the supervisor has started it again."""
        pid = self.stack.state.children[part]
        for each in [*([] if part == "postgres" else children_of(pid)), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        wait_until(lambda: running_again(self.stack, part, pid), 60)

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Let clients deliver batches until the block ends, and then what they still hold."""
        stop = threading.Event()

        def work(seed: int) -> None:
            shop = Shop(seed)
            with httpx.Client(timeout=20, headers={"x-api-key": self.key}) as client:
                while not stop.is_set():
                    self.deliver(client, shop.batch())
                    time.sleep(0.01)

        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(work, seed) for seed in range(CLIENTS)]
            try:
                yield
            finally:
                stop.set()
            for each in clients:
                each.result()

    def deliver(self, client: httpx.Client, batch: list[dict[str, Any]]) -> None:
        """Send a batch again and again until it is acknowledged, as client libraries do."""
        while True:
            self.ledger.offer(batch)
            try:
                answer: object = client.post(f"{self.stack.base_url}/v1/batch", json={"batch": batch}).status_code
            except httpx.TransportError:
                answer = "no answer"
            self.ledger.answered(batch, answer)
            if answer == 200:
                return
            assert answer in (429, 503, "no answer"), answer
            time.sleep(0.1)

    def fold_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.ask_to_fold()
            time.sleep(0.5)

    def settle(self, name: str) -> None:
        """Wait until the workers have caught up, then hold the four numbers to each other."""
        until = time.monotonic() + SETTLE_SECONDS
        while counted_of(self.query, self.project) != self.ledger.expected() and time.monotonic() < until:
            self.fold_for(1)
        assert self.query(STORED, [self.project])[0][0] > 0
        settle(name, self.ledger, self.query, self.project)


def begin(stack: RunningStack, slug: str) -> Run:
    project, key = stack.manage("shell", "-v0", "-c", MAKE.format(slug=slug)).split()[-2:]
    asked = {"url": f"{stack.base_url}/v1/batch", "json": {"batch": []}, "headers": {"x-api-key": key}}
    wait_until(lambda: httpx.post(**asked).status_code != 401, 60)
    return Run(stack, int(project), key, Ledger())


@pytest.fixture(scope="module")
def stack(embedded_servers, tmp_path_factory) -> Iterator[RunningStack]:
    with running_stack(prepared.furnish(tmp_path_factory.mktemp("faults"), durable=True), seconds=300) as running:
        yield running


@pytest.mark.parametrize("part", ["postgres", "valkey", "web", "worker"])
def test_part__killed_twice_under_load__what_was_acknowledged_is_counted_once(stack, part):
    run = begin(stack, f"kill-{part}")
    with run.loading():
        for _ in range(2):
            run.fold_for(2)
            run.kill(part)
        run.fold_for(2)
    run.settle(f"kill -9 of {part}, twice, under load")


def test_worker__killed_mid_rollup__its_half_chunk_is_counted_once(stack):
    run = begin(stack, "kill-mid-rollup")
    with run.loading():
        run.fold_for(2)
        run.execute(SLOW_ROLLUP)
        run.ask_to_fold()
        wait_until(lambda: run.query(MID_ROLLUP, [])[0][0] > 0, 90)
        run.kill("worker")
        run.execute(QUICK_ROLLUP)
    run.settle("kill -9 of the worker while its rollup is under way")


def test_everything__stopped_and_started_again_under_load__what_was_acknowledged_is_counted_once(
    embedded_servers, tmp_path
):
    port = free_port()
    with running_stack(prepared.furnish(tmp_path / "home", durable=True), port, seconds=300) as stack:
        run = begin(stack, "restart")
        loading = contextlib.ExitStack()
        loading.enter_context(run.loading())
        run.fold_for(3)
    with running_stack(tmp_path / "home", port, seconds=300) as run.stack:
        run.fold_for(3)
        loading.close()
        run.settle("everything stopped and started again under load")

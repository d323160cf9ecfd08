"""Faults that need no whole stack: the doors, the sink and the fold on a real PostgreSQL, broken on purpose."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from analysis.rollup import sql
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from tests.faults import doors
from tests.faults.conftest import query
from tests.faults.doors import Doors, address, encoded
from tests.faults.ledger import Shop, clock_set_back, settle
from tests.server.test_disk_full import full_disk, make_room

SECONDS = 1.5
CHUNK = 400


@contextmanager
def loading(served: Doors, clients: int = 3, seconds: float = SECONDS) -> Iterator[Callable[[], bool]]:
    """Let clients deliver batches beside the block, for so many seconds; yields whether they still do."""
    until = time.monotonic() + seconds

    def work(seed: int) -> None:
        shop = Shop(seed)
        while time.monotonic() < until:
            served.deliver(shop.batch())
            time.sleep(0.005)

    with ThreadPoolExecutor(clients) as pool:
        under_way = [pool.submit(work, seed) for seed in range(clients)]
        yield lambda: not all(each.done() for each in under_way)
        for each in under_way:
            each.result()


def end(name, ledger, experiment):
    fold(chunk_events=CHUNK)
    figures = settle(name, ledger, query, experiment.project_id)
    assert check([experiment]).differences == []
    return figures


@pytest.mark.slow  # it has to fall into the middle of a load, which a busy machine may miss
def test_disk_full__in_the_middle_of_a_load__everything_acknowledged_is_counted_once(experiment, ledger):
    with Doors(experiment.project, ledger) as served, loading(served) as under_way:
        time.sleep(SECONDS / 4)
        with full_disk():
            room = threading.Timer(SECONDS / 3, make_room)
            room.start()
            while under_way():
                fold(chunk_events=CHUNK)
                time.sleep(0.02)
            room.join()
    assert ledger.answers[503] > 0
    end("disk full in the middle", ledger, experiment)


@pytest.mark.slow  # it has to fall into the middle of a load, which a busy machine may miss
def test_log_connections__cut_again_and_again__everything_acknowledged_is_counted_once(experiment, ledger):
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'truelift events'"
    cuts = 0
    with Doors(experiment.project, ledger) as served, loading(served) as under_way:
        while under_way():
            for _ in range(3):
                cuts += query(cut, [])[0][0]
                time.sleep(0.05)
            fold(chunk_events=CHUNK)
    assert cuts > 2
    end("database connections cut", ledger, experiment)


def test_client__repeats_every_request_three_times__counts_once(experiment, ledger):
    shop = Shop()
    with Doors(experiment.project, ledger) as served, ThreadPoolExecutor(3) as pool:
        for _ in range(20):
            batch = shop.batch()
            for done in [pool.submit(served.send, batch) for _ in range(3)]:
                assert done.result() == 200
            fold(chunk_events=CHUNK)
            assert served.send(batch) == 200
    assert ledger.requests == 80
    end("every request three times at once, and once after the fold", ledger, experiment)


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1)], ids=["an hour", "a day"])
def test_clock_set_back__between_exposure_and_order__counts_the_order(experiment, ledger, back):
    behind, shop = clock_set_back(back), Shop()
    with Doors(experiment.project, ledger) as served:
        for _ in range(10):
            exposures, orders = split(shop.batch())
            served.deliver(exposures)
            for order in orders:
                order["timestamp"] = behind().isoformat()
            served.deliver(orders or shop_again(shop), behind)
            fold()
            served.deliver(exposures, behind)  # a retry keeps its time stamp, and says another time of sending
    before = "SELECT count(*) FROM events_log l JOIN analysis_enrolment e ON e.unit = l.user_id WHERE l.ts < e.first_at"
    assert query(before, [])[0][0] > 50, "the time stamps alone would put every order before its exposure"
    end(f"clock set back by {back}", ledger, experiment)


def split(batch):
    views = [one for one in batch if one["event"] == "Experiment Viewed"]
    return views, [one for one in batch if one not in views]


def shop_again(shop):
    """Return a batch for the seldom case that nobody ordered anything."""
    return shop.batch()


def test_two_workers__fold_while_events_arrive__every_event_is_counted_once(experiment, ledger):
    folded, stop = [], threading.Event()

    def worker():
        try:
            while not stop.is_set():
                folded.append(fold(chunk_events=20).events)
        finally:
            connection.close()

    with Doors(experiment.project, ledger) as served, ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(worker) for _ in range(2)]
        with loading(served):
            pass
        stop.set()
        for each in workers:
            each.result()
    folded.append(fold().events)
    figures = end("two workers fold at the same time", ledger, experiment)
    assert sum(folded) == figures.counted


def test_worker__dies_at_every_statement_of_a_fold__every_event_is_counted_once(experiment, ledger, monkeypatch):
    whole, died, shop = sql.run, 0, Shop()
    with Doors(experiment.project, ledger) as served:
        for dies_at in range(1, 26):
            left = [dies_at]

            def run(statement, parameters=None, left=left):
                left[0] -= 1
                if left[0] == 0:
                    raise ConnectionResetError("the worker was killed here")
                whole(statement, parameters)

            served.deliver(shop.batch())
            monkeypatch.setattr(sql, "run", run)
            try:
                fold(chunk_events=5)
            except ConnectionResetError:
                died += 1
            monkeypatch.setattr(sql, "run", whole)
    assert died > 20
    end("a worker dies at each statement of a fold", ledger, experiment)


def test_transactions_that_commit_out_of_order__are_counted_once__where_a_last_id_loses_rows(experiment, ledger):
    """Writers hold their transactions open for a while, as a busy or swapping server does."""
    until = time.monotonic() + SECONDS

    def write(seed):
        shop, choice = Shop(seed), random.Random(seed)  # noqa: S311  (a schedule, not a secret)
        with psycopg.connect(address()) as writer:
            while time.monotonic() < until:
                batch = shop.batch(1)
                ledger.offer(batch)
                doors.write(writer, encoded(batch, experiment.project_id))
                time.sleep(choice.choice([0.0, 0.0, 0.01, 0.1]))
                writer.commit()
                ledger.answered(batch, 200)

    found: set[object] = set()
    with serial_numbers(), psycopg.connect(address()) as slowest, ThreadPoolExecutor(7) as pool:
        first = Shop(6).batch(1)
        ledger.offer(first)
        doors.write(slowest, encoded(first, experiment.project_id))
        writers = [pool.submit(write, seed) for seed in range(6)]
        naive = pool.submit(read_above_the_last_serial, writers, found)
        while not found and not naive.done():
            time.sleep(0.002)
        slowest.commit()  # begun before all others, and seen after some of them
        ledger.answered(first, 200)
        while not naive.done():
            fold(chunk_events=40)
        for each in writers:
            each.result()
    figures = end("transactions commit out of order", ledger, experiment)
    naive.result()
    lost = figures.stored - len(found)
    print(f"  a watermark 'id > last' in the same run lost {lost} of {figures.stored} ({lost / figures.stored:.1%})")
    assert lost > 0


def read_above_the_last_serial(writers, found):
    """Collect what a watermark of the last serial number finds: once more after every writer has ended."""
    last = 0
    with psycopg.connect(address(), autocommit=True) as reader:
        while True:
            ended = all(each.done() for each in writers)
            rows = reader.execute("SELECT serial, id FROM test_faults_serial WHERE serial > %s", [last]).fetchall()
            found.update(identity for _, identity in rows)
            last = max([last, *(serial for serial, _ in rows)])
            if ended:
                return
            time.sleep(0.002)


@contextmanager
def serial_numbers() -> Iterator[None]:
    """Number the log's rows as they are written, as a table with a serial id does."""
    with psycopg.connect(address(), autocommit=True) as own:
        own.execute("""
            CREATE TABLE test_faults_serial (serial bigserial, id uuid);
            CREATE FUNCTION test_faults_number() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO test_faults_serial (id) VALUES (NEW.id); RETURN NEW; END $$;
            CREATE TRIGGER test_faults_number AFTER INSERT ON events_log
            FOR EACH ROW EXECUTE FUNCTION test_faults_number()
        """)
        try:
            yield
        finally:
            own.execute("""
                DROP TRIGGER test_faults_number ON events_log;
                DROP FUNCTION test_faults_number; DROP TABLE test_faults_serial
            """)

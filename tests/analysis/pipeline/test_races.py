"""Several connections at once: rows commit out of order, workers race, and every row is folded exactly once."""

import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection

from analysis.models import UnitDay, Watermark
from analysis.rollup import watermark
from analysis.rollup.fold import fold
from experiments.domain.metrics import MetricKind
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
INSERT = """
INSERT INTO events_log (project_id, id, ts, at, received_at, name, user_id, experiment, variant, props)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, '{}')
"""


def connect():
    named = connection.get_connection_params()
    return psycopg.connect(dbname=named["dbname"], user=named.get("user"), host=named.get("host"))


def counting(home):
    return builders.experiment(home, primary=builders.metric(home, kind=MetricKind.COUNT))


def order(cursor, project_id, unit):
    cursor.execute(INSERT, [project_id, uuid.uuid4(), T0, T0, T0, "Order Completed", unit, None, None])


def counted():
    return sum(row.numerator for row in UnitDay.objects.all())


def in_own_connection(work):
    try:
        return work()
    finally:
        connection.close()


def test_fold__a_transaction_still_open__is_waited_for_and_not_skipped():
    home = builders.project()
    builders.expose(counting(home), "u1", "control")
    with connect() as slow:
        order(slow.cursor(), home.pk, "u1")
        builders.log(home, "Order Completed", "u1")  # begun later, committed earlier
        fold()
        assert counted() == 0
    fold()
    assert counted() == 2


def test_fold__slow_writers_that_commit_out_of_order__loses_and_doubles_nothing():
    home = builders.project()
    builders.expose(counting(home), "u1", "control")
    fold()
    written, stop = [], time.monotonic() + 1.5

    def write(seed):
        choice = random.Random(seed)  # noqa: S311  (a schedule, not a secret)
        kept = 0
        with connect() as writer:
            while time.monotonic() < stop:
                rows = choice.randint(1, 6)
                for _ in range(rows):
                    order(writer.cursor(), home.pk, "u1")
                    time.sleep(choice.random() * 0.004)
                if choice.random() < 0.1:
                    writer.rollback()
                else:
                    writer.commit()
                    kept += rows
        written.append(kept)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(6)]
    for writer in writers:
        writer.start()
    chunks_beside_writers = 0
    while any(writer.is_alive() for writer in writers):
        chunks_beside_writers += fold(chunk_events=7).chunks
    fold()
    assert chunks_beside_writers > 3
    assert counted() == sum(written) > 100


def test_fold__two_workers_at_once__take_turns_and_count_once():
    home = builders.project()
    counting_experiment = counting(home)
    for index in range(60):
        builders.expose(counting_experiment, f"u{index}", "control")
        builders.log(home, "Order Completed", f"u{index}")
    watermark.make()
    start = threading.Barrier(2)

    def work():
        start.wait()
        return fold(chunk_events=5).events

    with ThreadPoolExecutor(2) as pool:
        folded = [each.result() for each in [pool.submit(in_own_connection, work) for _ in range(2)]]
    assert sum(folded) == 120
    assert counted() == 60


def test_fold__a_worker_that_dies_in_a_chunk__leaves_no_half_of_it(monkeypatch):
    home = builders.project()
    builders.expose(counting(home), "u1", "control")
    builders.log(home, "Order Completed", "u1")
    monkeypatch.setattr("analysis.rollup.fold.statements.REMEMBER_PROJECTS", "SELECT 1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        fold()
    assert counted() == 0
    assert Watermark.objects.get().xid == 0
    monkeypatch.undo()
    fold()
    assert counted() == 1

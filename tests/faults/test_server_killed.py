"""The server process is killed in the middle of a batch, and its successor is sent the same batch again."""

import contextlib
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from analysis.rollup.check import check
from analysis.rollup.fold import fold
from experiments.domain.access import Scope
from experiments.keys import issue_key
from tests.faults import doors
from tests.faults.conftest import query
from tests.faults.ledger import Shop, settle
from tests.server.conftest import start_server, test_database_url
from tests.stack.conftest import wait_until
from tests.stack.test_life import children_of

HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'truelift events' AND wait_event_type = 'Lock'"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_server__killed_while_its_batch_is_being_written__the_retry_counts_once(experiment, ledger, tmp_path):
    key = issue_key(experiment.project, "app", [Scope.INGEST], None)[1]
    batch = Shop().batch(20)

    def send(url):
        ledger.offer(batch)
        answer = "no answer"
        with contextlib.suppress(httpx.TransportError):
            headers = {"x-api-key": key}
            answer = httpx.post(f"{url}/v1/batch", json={"batch": batch}, headers=headers, timeout=30).status_code
        ledger.answered(batch, answer)
        return answer

    with started(tmp_path) as server, psycopg.connect(doors.address()) as holder, ThreadPoolExecutor(1) as pool:
        doors.write(holder, doors.encoded(batch, experiment.project_id)[-1:])  # the batch's last row must wait for it
        lost = pool.submit(send, server.url)
        wait_until(lambda: query(HELD, [])[0][0] > 0)
        for pid in [*children_of(server.process.pid), server.process.pid]:
            os.kill(pid, signal.SIGKILL)
        server.process.wait()
        assert lost.result() == "no answer"
        holder.rollback()
    with started(tmp_path) as server:
        assert [send(server.url), send(server.url)] == [200, 200]
    fold()
    settle("kill -9 of the server while its batch is being written", ledger, query, experiment.project_id)
    assert check([experiment]).differences == []


@contextlib.contextmanager
def started(home):
    server = start_server(home, test_database_url(), home)
    try:
        yield server
    finally:
        server.stop()

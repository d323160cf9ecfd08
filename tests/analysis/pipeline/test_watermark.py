"""What can be folded: what has settled, which a transaction anywhere in the server can hold up."""

import threading

import psycopg
import pytest
from django.db import connection

from analysis.rollup import watermark


@pytest.fixture
def elsewhere(transactional_db):
    """A transaction of somebody else that has written."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_current_xact_id()")
        yield other
        other.rollback()


def test_wait_until_settled__beside_an_open_transaction__waits_for_its_end(elsewhere):
    connection.cursor().execute("SELECT pg_current_xact_id()")
    assert not watermark.wait_until_settled(0.2)
    end = threading.Timer(0.3, elsewhere.rollback)
    end.start()
    assert watermark.wait_until_settled(10)
    end.join()

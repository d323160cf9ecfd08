"""The event log of the test database, empty before and after each test that uses it."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from config import paths
from events import log


@pytest.fixture
def address(transactional_db) -> Iterator[str]:
    """Return libpq's address of the test database, whose event log is empty."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_log")
    yield f"host={paths.socket_directory(paths.home())} user=truelift dbname={connection.settings_dict['NAME']}"
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_log")


@pytest.fixture
def writer(address) -> Iterator[psycopg.Connection]:
    """Open a connection as the sink does."""
    with log.connect(address) as opened:
        yield opened

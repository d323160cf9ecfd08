from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection


@pytest.fixture(autouse=True, scope="session")
def collected_static_files():
    """The directory that a server has after collectstatic; without it every request warns."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def log(transactional_db):
    """An empty event log whose rows are really committed: the fold reads no row of a transaction under way."""
    _empty()
    yield
    _empty()


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_log")

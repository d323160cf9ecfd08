import pytest
from django.db import connection


@pytest.fixture
def log(transactional_db):
    """An empty event log whose rows are really committed: the fold reads no row of a transaction under way."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_log")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_log")

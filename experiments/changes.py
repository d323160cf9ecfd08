"""Tell every edge process that what it serves has changed."""

from django.db import connection

from experiments.domain.changes import CHANNEL


def announce() -> None:
    """Have PostgreSQL notify the edges when the current transaction commits, and never if it rolls back.

    Call it in the transaction of the change itself. Several calls in one transaction arrive as one notification.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")

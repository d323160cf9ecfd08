"""Run the statements of the fold."""

import re
from collections.abc import Mapping
from typing import Any

from django.db import connection

Parameter = str | int | float | list[int] | list[str] | list[bool] | list[float] | list[float | None]


def run(statement: str, parameters: Mapping[str, Parameter] | None = None) -> None:
    """Run one statement that returns nothing."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def rows(statement: str, parameters: Mapping[str, Parameter] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of one query."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def number(statement: str, parameters: Mapping[str, Parameter] | None = None, default: int = 0) -> int:
    """Return the one number that a query gives, or ``default`` when it gives no row."""
    found = rows(statement, parameters)
    return int(found[0][0]) if found else default


_MADE = re.compile(r"CREATE TEMP TABLE IF NOT EXISTS (\w+)")


def make_empty(scratch: str) -> None:
    """Have temporary tables, empty. They are so at the beginning of a transaction, where they were made before."""
    names = _MADE.findall(scratch)
    if not number(f"SELECT (to_regclass('pg_temp.{names[-1]}') IS NOT NULL)::int"):
        run(scratch)
    elif rows(" UNION ALL ".join(f"(SELECT FROM {name} LIMIT 1)" for name in names)):
        run(f"TRUNCATE {', '.join(names)}")

"""What each of the log's indexes costs those who write: the same COPY into one day's table with fewer of them.

    .venv/bin/python -m benchmarks.indexes [--rounds 5]

Takes about a minute and leaves nothing behind. All sets of indexes take turns, so that what else the machine does hits
them alike; each number is the median of the rounds.
"""

import argparse
import json
import os
import platform
import statistics
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.ingest import PLACE, message
from benchmarks.refresh import database

ROWS, FILL = 20_000, 200_000
"""Rows of a COPY, and how many the table holds before it is measured: an index in which little is costs little."""

SETS = {
    "unique id, transaction, BRIN by time": [],
    "and the unit's: user, device": ["user_id", "anonymous_id"],
    "and exposures": ["user_id", "anonymous_id", "experiment"],
    "and session, account, impression: all nine": [
        "user_id", "anonymous_id", "experiment", "session_id", "account_id", "impression_id",
    ],
}  # fmt: skip


def definitions() -> list[str]:
    """Return the definitions of the log's own indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'events_log'")
        return [str(definition) for (definition,) in cursor.fetchall()]


def table(name: str, kept: list[str], found: list[str]) -> None:
    """Make a table like one day of the log with the indexes that it always has and those that name a kept column."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} (LIKE events_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        for number, definition in enumerate(found):
            plain = not any(column in definition for column in SETS["and session, account, impression: all nine"])
            if plain or any(column in definition for column in kept):
                made = definition.replace(" ON ONLY public.events_log ", f" ON {name} ")
                start = (
                    f"CREATE {'UNIQUE ' if made.startswith('CREATE UNIQUE') else ''}INDEX {name}_{number} ON {name} "
                )
                cursor.execute(start + made.split(f" ON {name} ", 1)[1])


def encoded(raw: list[dict[str, Any]], turn: int) -> list[bytes]:
    from events.intake.fields import Arrival
    from events.row import encode
    from events.segment.message import accept

    arrival = Arrival(project_id=1, received_at=datetime.now(UTC))
    filled = [json.dumps(one).encode().replace(PLACE, b"%08d" % turn) for one in raw]
    return [encode(accept(one, arrival)) for one in filled]


def shoppers() -> list[dict[str, Any]]:
    """Return messages of which every tenth is an exposure and all name user and device, as a browser's do."""
    made = []
    for number in range(ROWS):
        one = {**message(number), "anonymousId": f"device-{PLACE.decode()}-{number % 50}"}
        if number % 10 == 0:
            named = {"experiment_id": "new-ranker", "variation_id": "control"}
            one = {**one, "event": "Experiment Viewed", "properties": named}
        made.append(one)
    return made


def measure(rounds: int) -> None:
    from events import log

    found, raw = definitions(), shoppers()
    spent: dict[str, list[float]] = {name: [] for name in SETS}
    names = {name: f"indexes_{number}" for number, name in enumerate(SETS)}
    for name, kept in SETS.items():
        table(names[name], kept, found)
    with log.connect(log.conninfo()) as connection:
        for turn in range(FILL // ROWS + rounds):
            rows = encoded(raw, turn)
            for name, target in names.items():
                began = time.perf_counter()
                log._copy(connection, log._COPY.replace("events_log", target), rows)
                if turn >= FILL // ROWS:
                    spent[name].append(time.perf_counter() - began)
    whole = statistics.median(spent[list(SETS)[-1]])
    for name, times in spent.items():
        middle = statistics.median(times)
        print(f"{name:<46}{ROWS / middle:>10,.0f} rows/s{whole / middle:>7.2f} times as fast as with all nine")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    with database():
        measure(rounds)


if __name__ == "__main__":
    main()

"""Does the roll-up keep up? Events over HTTP through the real server, then rolled up, then both at once.

    .venv/bin/python -m benchmarks.keeping_up [--seconds 8]

Takes about a minute and leaves nothing behind. A shop with four metrics (``benchmarks.refresh``) is sent visits of five
events, an exposure first, in batches of 200, as fast as it takes them; two thirds or more of the visitors are new. The
load generator shares the machine with all that is measured, and is not counted in seconds of processor: those are of
the server and its connections to the database for taking events in, and of the fold and its connection for rolling
them up. What PostgreSQL does beside (autovacuum, checkpoints) is in neither.
"""

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.ingest import BATCH, PLACE, WHO, over_http, request, running, wait_for_partitions
from benchmarks.loading import processor_seconds
from benchmarks.refresh import KEY, processor, shop

VISIT = 5
CONNECTIONS = 16
LONGEST_CATCHING_UP = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was done: events, seconds by the clock, seconds of processor."""

    events: int
    seconds: float
    processor: float

    def __str__(self) -> str:
        by_clock, by_processor = self.events / self.seconds, self.events / self.processor
        return (
            f"{self.events:>9,} events {by_clock:>9,.0f}/s by the clock {by_processor:>9,.0f} for a second of processor"
        )


def visit(number: int) -> list[dict[str, Any]]:
    """Return the messages of one visit of a batch; who it is of and its messages' ids are filled in as it is sent."""
    visitor = f"user-{WHO.decode()}-{number}"
    variant = ("control", "treatment")[number % 2]
    did: list[tuple[str, dict[str, Any]]] = [
        ("Experiment Viewed", {"experiment_id": KEY, "variation_id": variant}),
        ("Product List Viewed", {"ms": 40 + number * 7 % 600}),
        ("Product List Viewed", {"ms": 55 + number * 11 % 600}),
        ("Product Clicked", {"product_id": f"p-{number}"}),
        ("Order Completed", {"order_id": f"o-{number}", "revenue": 49.5, "currency": "EUR"})
        if number % 4 == 0
        else ("Product Clicked", {"product_id": f"q-{number}"}),
    ]
    now = datetime.now(UTC).isoformat()
    return [
        {
            "type": "track", "event": event, "userId": visitor, "properties": properties, "timestamp": now,
            "messageId": f"{PLACE.decode()}-{number}-{step}",
            "context": {"library": {"name": "analytics-python", "version": "2.4.0"}}, "integrations": {},
        }
        for step, (event, properties) in enumerate(did)
    ]  # fmt: skip


def template(key: str) -> bytes:
    """Return a whole request with a batch of visits."""
    messages = [message for number in range(BATCH // VISIT) for message in visit(number)]
    return request("/v1/batch", key, json.dumps({"batch": messages}).encode())


def prepare() -> tuple[Any, str]:
    """Make the shop with its running experiment, and a key to it."""
    from experiments.domain.access import Scope
    from experiments.keys import issue_key
    from experiments.models import Project

    Project.objects.filter(slug="shop").update(slug="another")
    experiment = shop(datetime.now(UTC) - timedelta(hours=1), adjusted=False)
    return experiment, issue_key(experiment.project, "app", [Scope.INGEST], None)[1]


def measured(work: Callable[[], int], used: Callable[[], float]) -> Cost:
    """Do something; ``used`` tells the seconds of processor so far of what does it."""
    before, began = used(), time.perf_counter()
    events = work()
    return Cost(events=events, seconds=time.perf_counter() - began, processor=used() - before)


def by_server(server: int) -> Callable[[], float]:
    """Return what tells the processor time of the server and of all connections but ours."""
    from django.db import connection

    def used() -> float:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return processor_seconds(server) + sum(processor_seconds(pid) for (pid,) in cursor.fetchall())

    return used


class Sender:
    """Sends batches of visits as fast as they are taken, each with messages of its own."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.filled, self.requests = port, template(key), 0

    def send(self, seconds: float) -> int:
        """Return how many events were acknowledged."""
        found = over_http(self.port, self.filled, CONNECTIONS, seconds, first=self.requests + 1)
        self.requests += int(found["requests"])
        return int(found["requests"] - found["refused"]) * BATCH


def roll_up() -> int:
    from analysis.rollup import watermark
    from analysis.rollup.fold import fold

    watermark.wait_until_settled()
    return fold().events


def at_once(sender: Sender, seconds: float) -> tuple[float, int, float]:
    """Take in and roll up at once; return events taken in a second, how many waited then, and for how many seconds."""
    from analysis.rollup.fold import fold

    taken: list[int] = []
    sending = threading.Thread(target=lambda: taken.append(sender.send(seconds)))
    folded, began = 0, time.perf_counter()
    sending.start()
    while sending.is_alive():
        folded += fold().events
        time.sleep(0.05)
    ended = time.perf_counter()
    waited = taken[0] - folded
    while folded < taken[0] and time.perf_counter() < ended + LONGEST_CATCHING_UP:
        folded += roll_up()
    if folded != taken[0]:
        raise SystemExit(f"{taken[0]:,} events were acknowledged and {folded:,} rolled up.")
    return taken[0] / (ended - began), waited, time.perf_counter() - ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="of sending, each time (default 8)")
    seconds = parser.parse_args().seconds
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with running() as (address, port, _, server):
        os.environ.update(DATABASE_URL=address, TRUELIFT_LOG_LEVEL="WARNING")
        import django

        django.setup()
        from django.db import connection

        wait_for_partitions(address)
        compare(port, server, seconds)
        connection.close()


def compare(port: int, server: int, seconds: float) -> None:
    from analysis import moments

    experiment, key = prepare()
    time.sleep(2)  # until the server knows the key
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    sender = Sender(port, key)
    sender.send(2)
    roll_up()
    moments.keep(experiment)
    taken = measured(lambda: sender.send(seconds), by_server(server))
    print(f"taken in alone  {taken}", flush=True)
    rolled = measured(roll_up, processor)
    print(f"rolled up after {rolled}", flush=True)
    if rolled.events != taken.events:
        raise SystemExit("What was acknowledged is not what was rolled up.")
    ratio = taken.processor / rolled.processor
    print(f"taking events in costs {ratio:.2f} times the processor of rolling them up", flush=True)
    rate, waited, after = at_once(sender, seconds)
    print(f"both at once    {rate:>9,.0f}/s taken in; {waited:,} waited at the end, rolled up {after:.1f} s later")


if __name__ == "__main__":
    main()

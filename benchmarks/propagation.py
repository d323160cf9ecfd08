"""How long a change takes from its commit until every server process answers with it.

    .venv/bin/python -m benchmarks.propagation [--experiments 200] [--processes 3] [--changes 100]

Starts a PostgreSQL and several server processes of its own, changes the traffic of one experiment after the other, and
asks every process again and again, over a connection that stays open, until its answer has changed. Takes a minute.
"""

import argparse
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle

from assignment.ofrep import FLAGS
from benchmarks import evaluate, in_process

LONGEST_SECONDS = 30.0


class Process:
    """A connection to one server process."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def outcome(self, flag: str) -> str:
        """Return what happens to a unit in the flag, in one word."""
        body = json.dumps({"context": {"targetingKey": "user-1"}})
        self._connection.request("POST", f"{FLAGS}/{flag}", body, self._headers)
        answer = json.loads(self._connection.getresponse().read())
        return str(answer["metadata"]["outcome"])


def change(flag: str, allocation: int) -> float:
    """Give an experiment other traffic, as the product does it; return when it was committed."""
    from django.db import transaction

    from experiments.changes import announce
    from experiments.models import Experiment

    with transaction.atomic():
        Experiment.objects.filter(key=flag).update(allocation=allocation)
        announce()
    return time.perf_counter()


def delays(processes: list[Process], flags: list[str], changes: int) -> Iterator[list[float]]:
    """Yield for each change the seconds after which each process answered with it."""
    for number, flag in zip(range(changes), cycle(flags), strict=False):
        closing = number // len(flags) % 2 == 0
        began = change(flag, 0 if closing else 10_000)
        waiting = dict(enumerate(processes))
        found = [LONGEST_SECONDS] * len(processes)
        while waiting and time.perf_counter() - began < LONGEST_SECONDS:
            for place, process in list(waiting.items()):
                if (process.outcome(flag) == "not_in_traffic") is closing:
                    found[place] = time.perf_counter() - began
                    del waiting[place]
        yield found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--changes", type=int, default=100)
    options = parser.parse_args()
    with evaluate.filled(options.experiments) as (home, key), ExitStack() as running:
        ports = [running.enter_context(evaluate.serving(home))[0] for _ in range(options.processes)]
        processes = [Process(port, key) for port in ports]
        flags = [f"experiment-{number:04}" for number in range(options.experiments)]
        rounds = list(delays(processes, flags, options.changes))
    each = sorted(seconds for found in rounds for seconds in found)
    last = sorted(map(max, rounds))
    print(in_process.machine())
    print(f"\n| {options.changes} changes, {options.experiments} experiments, {options.processes} processes ", end="")
    print("| p50 ms | p90 ms | p99 ms | most ms |\n|---|---:|---:|---:|---:|")
    for name, found in (("until a process answers with it", each), ("until the last process does", last)):
        shares = (found[min(len(found) - 1, len(found) * share // 100)] * 1000 for share in (50, 90, 99, 100))
        print(f"| {name} | " + " | ".join(f"{milliseconds:.0f}" for milliseconds in shares) + " |")


if __name__ == "__main__":
    main()

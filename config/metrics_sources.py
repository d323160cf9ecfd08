"""Where each metric of a server process comes from."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from assignment.doors.exposing import ExposureLog
from assignment.doors.streams import Streams
from assignment.edge import Edge
from assignment.engine.native import NATIVE
from config.metrics import Collector, Family, counter, gauge
from config.metrics_of_data import of_data
from events.row import Door
from events.sink import Sink
from events.watch import Refusal, Watching

DATABASE_COLLECTORS: dict[str, Collector] = {"data": of_data}
"""Metrics that need the database, by name. Each is asked at every scrape while the edge hears from the database."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STARTED = time.time()


class CountingWatch:
    """Counts what arrives, and passes it on to whoever shows it to people."""

    def __init__(self, inner: Watching) -> None:
        self._inner = inner
        self._counts: Counter[str] = Counter(accepted=0, refused=0)

    def accepted(self, project_id: int, environment: int, names: Mapping[str, int]) -> None:
        """Count events that are on disk."""
        self._counts["accepted"] += sum(names.values())
        self._inner.accepted(project_id, environment, names)

    def refused(self, project_id: int, refusal: Refusal) -> None:
        """Count one that was not kept."""
        self._counts["refused"] += 1
        self._inner.refused(project_id, refusal)

    def collect(self) -> Iterable[Family]:
        """Return the counts."""
        yield counter(
            "truelift_events_total",
            "Events of the doors for events: on disk, or refused for what they are.",
            "outcome",
            self._counts,
        )


def of_edge(edge: Edge) -> Collector:
    """Return what is served, and how old it is."""

    def collect() -> Iterable[Family]:
        version = edge.version
        yield Family(
            name="truelift_snapshot_info",
            kind="gauge",
            help="The version of the snapshot being served.",
            samples=() if version is None else (("", (("version", version),), 1.0),),
        )
        yield gauge("truelift_snapshot_age_seconds", "Since the database last confirmed the snapshot.", edge.age)
        yield gauge(
            "truelift_snapshot_refused",
            "Flags and experiments that cannot be served as they are; the last good ones are.",
            len(edge.refusals),
        )
        yield gauge("truelift_database_connected", "1 while the edge hears of changes.", float(edge.connected))

    return collect


def of_sink(sink: Sink) -> Collector:
    """Return what waits for the event log."""

    def collect() -> Iterable[Family]:
        yield gauge("truelift_event_log_available", "1 while the log takes events.", float(sink.available))
        yield gauge("truelift_sink_waiting_requests", "Requests that wait for their commit.", sink.waiting)
        yield gauge("truelift_sink_waiting_bytes", "Bytes of events that wait for their commit.", sink.waiting_bytes)
        yield counter(
            "truelift_log_rows_total",
            "Events that reached the log: new ones, and ones that it held already.",
            "outcome",
            {"stored": sink.stored, "duplicate": sink.duplicates},
        )
        yield counter(
            "truelift_repeated_events_total",
            "Production's events that came again, by door; none of them is kept twice.",
            "door",
            {door.name.lower(): sink.by_door[door] for door in Door},
        )

    return collect


def while_connected(edge: Edge, collector: Collector) -> Collector:
    """Return a collector that tells nothing while the database is away, and so waits for none."""
    return lambda: collector() if edge.connected else ()


def of_streams(streams: Streams) -> Collector:
    """Return how many streams are open."""
    return lambda: [gauge("truelift_streams_open", "Streams of changes that are open.", streams.open)]


def of_exposures(log: ExposureLog) -> Collector:
    """Return what became of exposures of single evaluations."""
    return lambda: [
        counter(
            "truelift_evaluation_exposures_total",
            "Evaluations that asked for their exposure to be logged, by what became of it.",
            "outcome",
            {outcome.value: count for outcome, count in list(log.outcomes.items())},
        )
    ]


def of_process() -> Iterable[Family]:
    """Return the process's own size and age, under the names that every Prometheus client uses, and its engine."""
    yield gauge(
        "truelift_engine_compiled", "1 where units are hashed by compiled code, 0 in Python.", NATIVE is not None
    )
    yield gauge("process_start_time_seconds", "When the process started, as seconds since 1970.", _STARTED)
    statm = Path("/proc/self/statm")
    if statm.exists():
        resident = int(statm.read_text().split()[1]) * _PAGE_BYTES
        yield gauge("process_resident_memory_bytes", "Memory in use.", resident)

"""Counts and times of one server process, in Prometheus' text format.

A registry of our own: the event loop alone counts, so plain integers do, and one request costs under a microsecond.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from math import isfinite, isnan
from typing import Literal

from msgspec import Struct

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency buckets in seconds: an assignment takes one millisecond, a page a hundred."""

Labels = tuple[tuple[str, str], ...]
NO_LABELS: Labels = ()


class Family(Struct, frozen=True, kw_only=True):
    """One metric: its samples by their labels. A histogram's samples come with the suffix of their name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[tuple[str, Labels, float], ...]


Collector = Callable[[], Iterable[Family]]


def gauge(name: str, text: str, value: float | None) -> Family:
    """Return a gauge without labels; None is no sample, which is not 0."""
    samples = () if value is None else (("", NO_LABELS, float(value)),)
    return Family(name=name, kind="gauge", help=text, samples=samples)


def counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> Family:
    """Return a counter with one label."""
    samples = tuple(("", ((label, value),), float(count)) for value, count in sorted(counts.items()))
    return Family(name=name, kind="counter", help=text, samples=samples)


class Traffic:
    """Requests by door and status, and how long each door took."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def count(self, door: str, status: int) -> None:
        """Count a request whose time says nothing, such as a stream's."""
        name = (door, status)
        self._requests[name] = self._requests.get(name, 0) + 1

    def observe(self, door: str, status: int, seconds: float) -> None:
        """Count a request and its time."""
        self.count(door, status)
        buckets = self._buckets.get(door)
        if buckets is None:
            buckets = self._buckets[door] = [0] * (len(BOUNDS) + 1)
            self._seconds[door] = 0.0
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[door] += seconds

    def collect(self) -> Iterable[Family]:
        """Return both families."""
        requests = tuple(
            ("", (("door", door), ("status", str(status))), float(count))
            for (door, status), count in sorted(self._requests.items())
        )
        yield Family(
            name="truelift_requests_total", kind="counter", help="Requests answered, by door.", samples=requests
        )
        times = tuple(sample for door in sorted(self._buckets) for sample in self._histogram(door))
        yield Family(
            name="truelift_request_seconds", kind="histogram", help="Time until the answer, by door.", samples=times
        )

    def _histogram(self, door: str) -> Iterable[tuple[str, Labels, float]]:
        total = 0
        for bound, count in zip((*map(_number, BOUNDS), "+Inf"), self._buckets[door], strict=True):
            total += count
            yield "_bucket", (("door", door), ("le", bound)), float(total)
        yield "_sum", (("door", door),), self._seconds[door]
        yield "_count", (("door", door),), float(total)


class Registry:
    """What there is to tell of this process; anyone may add a collector.

    A collector that fails costs its own metrics and no others', and is told as a metric itself.
    """

    def __init__(self) -> None:
        self._collectors: list[tuple[str, Collector]] = []

    def register(self, name: str, collector: Collector) -> None:
        """Ask this collector too, from now on; it is called in any thread and should take milliseconds."""
        self._collectors.append((name, collector))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format 0.0.4."""
        failed: dict[str, int] = {}
        families: list[Family] = []
        for name, collector in self._collectors:
            try:
                families.extend(collector())
            except Exception:
                logger.exception("The metrics of %s could not be collected", name)
                failed[name] = 1
            else:
                failed[name] = 0
        samples = tuple(("", (("collector", name),), float(value)) for name, value in sorted(failed.items()))
        families.append(
            Family(
                name="truelift_collector_failed",
                kind="gauge",
                help="1 where metrics could not be collected.",
                samples=samples,
            )
        )
        return "".join(map(_written, families)).encode()


def _written(family: Family) -> str:
    lines = [f"# HELP {family.name} {_escaped(family.help, quote=False)}", f"# TYPE {family.name} {family.kind}"]
    for suffix, labels, value in family.samples:
        inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
        lines.append(f"{family.name}{suffix}{f'{{{inside}}}' if inside else ''} {_number(value)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str, *, quote: bool = True) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quote else escaped


def _number(value: float) -> str:
    if not isfinite(value):
        return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)

import logging
import re

import pytest

from config.logs import KeylessFormatter
from config.metrics import BOUNDS, Family, Registry, Traffic, counter, gauge

# The text format's own grammar for a sample (Prometheus, "Exposition formats", version 0.0.4).
SAMPLE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
    r'(,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*")*\})? (-?[0-9.]+(e[+-]?[0-9]+)?|NaN|[+-]Inf)'
)


def text(*families: Family) -> list[str]:
    registry = Registry()
    registry.register("mine", lambda: families)
    return registry.text().decode().splitlines()


def test_traffic__each_request__is_in_one_bucket_and_the_buckets_add_up():
    traffic = Traffic()
    for seconds in (0.0001, BOUNDS[0], 0.3, 99.0):
        traffic.observe("ofrep", 200, seconds)
    lines = text(*traffic.collect())
    assert 'truelift_requests_total{door="ofrep",status="200"} 4' in lines
    assert 'truelift_request_seconds_bucket{door="ofrep",le="0.0005"} 2' in lines
    assert 'truelift_request_seconds_bucket{door="ofrep",le="0.25"} 2' in lines
    assert 'truelift_request_seconds_bucket{door="ofrep",le="0.5"} 3' in lines
    assert 'truelift_request_seconds_bucket{door="ofrep",le="10"} 3' in lines
    assert 'truelift_request_seconds_bucket{door="ofrep",le="+Inf"} 4' in lines
    assert 'truelift_request_seconds_count{door="ofrep"} 4' in lines


def test_traffic__a_stream__counts_but_has_no_time():
    traffic = Traffic()
    traffic.count("sdk_stream", 200)
    lines = text(*traffic.collect())
    assert 'truelift_requests_total{door="sdk_stream",status="200"} 1' in lines
    assert not any("request_seconds_bucket" in line for line in lines)


def test_text__every_sample__follows_the_grammar_and_its_family_is_announced_first():
    traffic = Traffic()
    traffic.observe("ofrep", 200, 0.0000123)
    odd = [
        gauge("truelift_odd", "With \\ and\na new line.", 1e-9),
        gauge("truelift_huge", "Large.", 2.5e300),
        gauge("truelift_none", "Unknown.", None),
        gauge("truelift_infinite", "No end.", float("inf")),
        gauge("truelift_no_number", "Not a number.", float("nan")),
        counter("truelift_labels_total", "Labels.", "name", {'say "hi"': 1, "back\\slash": 2, "new\nline": 3}),
    ]
    announced = ""
    for line in text(*traffic.collect(), *odd):
        if line.startswith("# TYPE"):
            announced = line.split()[2]
        elif not line.startswith("# HELP"):
            assert SAMPLE.fullmatch(line), line
            assert line.startswith(announced)


def test_registry__a_collector_that_fails__costs_only_its_own_metrics(caplog):
    registry = Registry()

    def broken():
        raise RuntimeError("no database")

    registry.register("broken", broken)
    registry.register("fine", lambda: [gauge("truelift_fine", "Fine.", 7)])
    with caplog.at_level(logging.ERROR):
        lines = registry.text().decode().splitlines()
    assert "truelift_fine 7" in lines
    assert 'truelift_collector_failed{collector="broken"} 1' in lines
    assert 'truelift_collector_failed{collector="fine"} 0' in lines
    assert "no database" in caplog.text


KEY = "tl_" + "aB3-_" * 8 + "xyz"


@pytest.mark.parametrize(
    "line", [f"GET /api/features/{KEY} failed", f"/api/features/{KEY}/", f"Bearer {KEY}, again {KEY}"]
)
def test_log__a_line_with_a_key__is_written_without_it(line):
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, "%s", (line,), None)
    written = KeylessFormatter("%(levelname)s %(message)s").format(record)
    assert KEY[3:] not in written
    assert "tl_…" in written


def test_log__a_traceback_with_a_key__is_written_without_it():
    try:
        raise ValueError(f"no such key: {KEY}")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), (type(error), error, None))
    written = KeylessFormatter("%(message)s").format(record)
    assert "ValueError: no such key: tl_…" in written
    assert KEY not in written


def test_log__a_token_of_a_stream__is_cut_as_well():
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "/ofrep/v1/stream?token=WzEsInBybyJd.abc", (), None)
    assert KeylessFormatter("%(message)s").format(record) == "/ofrep/v1/stream?token=…"

"""Reported beside true: what is inside, what is not, and results that have seen every event."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from analysis.results.schema import Results
from config.demo import report
from config.demo.client import AppClient, ShopError
from config.demo.report import Finding
from config.demo.shop import Effects, true_lifts
from tests.demo.test_client import http, run

AT = datetime(2026, 3, 16, tzinfo=UTC).isoformat()


def results(lift_interval: tuple[float | None, float | None] | None = (0.02, 0.18)) -> dict[str, object]:
    comparison = {
        "variant": "treatment", "control": "control", "n": 510, "control_n": 490, "value": 0.22, "control_value": 0.2,
        "difference": 0.02, "difference_interval": [0.004, 0.036], "lift": 0.1, "lift_interval": lift_interval,
        "p_value": 0.01, "standard_error": 0.008, "degrees_of_freedom": 900.0, "reading": "Better",
    }  # fmt: skip
    metric = {
        "key": "ctr", "name": "Click-through", "description": "", "kind": "ratio", "role": "primary",
        "direction": "increase", "display_unit": "percent", "margin": None, "comparisons": [comparison],
    }  # fmt: skip
    variants = [
        {"key": key, "name": key, "is_control": key == "control", "weight": 5000, "units": units,
         "expected_share": 0.5, "share": units / 1000}
        for key, units in (("control", 490), ("treatment", 510))
    ]  # fmt: skip
    return {
        "schema": 1, "engine_version": "1", "as_of": AT, "data_up_to": AT, "alpha": 0.05, "variants": variants,
        "experiment": {"key": "e", "name": "E", "hypothesis": "", "unit_type": "user", "status": "running",
                       "started_at": AT, "stopped_at": None, "planned_days": 14, "day": 14, "currency": "EUR"},
        "health": {"trustworthy": True, "quarantined_units": 0, "checks": [],
                   "srm": {"p_value": 0.53, "counts": {}, "expected": {}, "threshold": 0.001}},
        "verdict": {"decision": "ship", "tone": "good", "headline": "Clicks rose 10%.", "explanation": "",
                    "reasons": [], "next_step": ""},
        "metrics": [metric], "effect_over_time": [], "exposures_per_day": [],
    }  # fmt: skip


def written(truth: float, interval: tuple[float | None, float | None] | None = (0.02, 0.18)) -> list[str]:
    shape = msgspec.convert(results(interval), Results)
    found = report.findings(shape, true_lifts(Effects(ctr=truth), 14, 0), {"ctr": "click_through"})
    return [*report.lines(shape, found), report.conclusion(shape, found)]


def test_lines__truth_inside__says_yes_beside_reported_and_true_lift():
    lines = written(0.1)
    assert lines[0] == "E (e)"
    assert "Units: control 490, treatment 510. Split: as planned (p 0.53)." in lines[2]
    assert lines[4].split() == ["Click-through", "+10.00", "%", "[+2.00,", "+18.00]", "%", "+10.00", "%", "yes"]
    assert lines[5] == "Every true lift lies inside its reported interval."


def test_lines__truth_outside__says_no_and_what_chance_does():
    lines = written(0.2)
    assert lines[4].endswith("NO")
    assert lines[5] == "The truth lies outside for Click-through, further than chance puts one of 1 intervals."


def test_within_chance__one_of_many_intervals__may_miss_by_a_little():
    near = Finding(metric="m", lift=0.1, interval=(0.02, 0.18), truth=0.19)
    assert (near.inside, near.within_chance(1), near.within_chance(6)) == (False, False, True)
    far = Finding(metric="m", lift=0.1, interval=(0.02, 0.18), truth=0.25)
    assert report.beyond_chance([near, *[far] * 5]) == ["m"] * 5


def test_conclusion__of_a_broken_split__blames_the_split_and_not_chance():
    shape = msgspec.convert(results(), Results)
    broken = msgspec.structs.replace(shape, health=msgspec.structs.replace(shape.health, trustworthy=False))
    said = report.conclusion(broken, [Finding(metric="Clicks", lift=0.1, interval=(0.05, 0.2), truth=0.0)])
    assert said == "The truth lies outside for Clicks, which is why the product withholds these numbers."


def test_lines__no_interval__is_neither_yes_nor_no():
    assert written(0.1, None)[4].endswith("no interval")


@pytest.mark.parametrize(
    ("interval", "inside"),
    [((None, 0.1), True), ((0.06, None), False), ((0.05, 0.05), True), ((None, None), True), ((0.0, 0.04), False)],
)
def test_inside__an_open_side_is_unbounded(interval: tuple[float | None, float | None], inside: bool):
    assert Finding(metric="m", lift=0.05, interval=interval, truth=0.05).inside is inside


def test_findings__of_a_metric_without_a_known_truth__are_left_out():
    shape = msgspec.convert(results(), Results)
    assert report.findings(shape, true_lifts(Effects(), 14, 0), {"other": "click_through"}) == []


def served(posts: list[dict[str, object]], gets: list[dict[str, object]]) -> tuple[list[str], Results]:
    """Refresh against a server whose refresh endpoint answers these in turn."""
    asked: list[str] = []

    def script(number: int, line: str, headers: dict[str, str], body: bytes) -> bytes:
        method, path, _ = line.split(" ")
        asked.append(f"{method} {path.removeprefix('/api/v1/experiments/e')}")
        if path.endswith("/results"):
            return http(200, json.dumps(results()).encode())
        return http(202, json.dumps((posts if method == "POST" else gets).pop(0)).encode())

    found: list[Results] = []

    async def use(client: AppClient) -> None:
        found.append(await report.refresh(client, "e"))

    run(script, use)
    return asked, found[0]


def test_refresh__waits_until_its_run_is_done():
    asked, shape = served([{"id": 7, "state": "queued"}], [{"id": 7, "state": "running"}, {"id": 7, "state": "done"}])
    assert asked == ["POST /refresh", "GET /refresh/7", "GET /refresh/7", "GET /results"]
    assert shape.verdict.headline == "Clicks rose 10%."


def test_refresh__that_joins_a_run_under_way__asks_once_more_for_it_may_have_missed_the_last_events():
    asked, _ = served(
        [{"id": 7, "state": "running"}, {"id": 8, "state": "queued"}],
        [{"id": 7, "state": "done"}, {"id": 8, "state": "done"}],
    )
    assert asked == ["POST /refresh", "GET /refresh/7", "POST /refresh", "GET /refresh/8", "GET /results"]


def test_refresh__that_fails__says_why():
    with pytest.raises(ShopError, match="The refresh of e failed: No disk left"):
        served([{"id": 7, "state": "queued"}], [{"id": 7, "state": "failed", "error": "No disk left."}])


def test_refresh__without_a_worker__is_given_up_with_what_to_do(monkeypatch):
    monkeypatch.setattr(report, "REFRESH_SECONDS", 0.1)
    with pytest.raises(ShopError, match=r"not done within 0 s \(queued, 0 %\)\. Is a worker running"):
        served([{"id": 7, "state": "queued"}], [{"id": 7, "state": "queued"}] * 5)

"""Every kind beside the A/B test is set up, started and stopped by the REST API alone."""

import pytest

from tests import builders
from tests.experiments.api.conftest import draft

USES = [{"metric": "buys", "role": "primary"}]
BODIES = {
    "off_policy": ({"metrics": USES}, "user", {"source": "events", "reward_by": "decision", "window_hours": 24}),
    "interleaving": ({}, "user", {"shown_event": "Ranking Shown", "item_property": "item_id", "length": 10}),
    "bandit": ({"metrics": USES}, "session", {"policy": "thompson", "floor": 500, "batch_hours": 24}),
    "switchback": ({"metrics": USES}, "block", {"block_minutes": 60, "burn_in_minutes": 10, "regions": []}),
}


@pytest.mark.parametrize("kind", BODIES)
def test_kind__asked_for_with_no_more_than_it_needs__has_its_usual_unit_and_design_and_lives(api, home, kind):
    builders.metric(home, "buys", kind="count")
    more, unit, design = BODIES[kind]
    body = draft("asked", kind=kind)
    del body["metrics"]
    made = api.ok("POST", "/experiments", {**body, **more})
    assert (made["kind"], made["unit_type"]) == (kind, unit)
    assert design.items() <= made["design"].items()
    assert api.ok("POST", "/experiments/asked/start")["status"] == "running"
    assert api.ok("POST", "/experiments/asked/stop", {"why": "seen enough"})["status"] == "stopped"
    assert api.ok("GET", "/experiments/asked")["design"] == made["design"]

import json
import re
import shlex

import pytest

from experiments.domain.metrics import MetricKind
from experiments.pages.calls import calls
from tests import builders


def body(command: str) -> dict:
    words = shlex.split(command.replace("\\\n", " "))
    return json.loads(words[words.index("-d") + 1])


@pytest.mark.parametrize(
    ("unit_type", "names"),
    [("user", {"userId": "user-1"}), ("device", {"anonymousId": "device-1"}), ("session", {"anonymousId": "anyone"})],
)
def test_calls__each_unit_type__is_named_where_the_log_looks_for_it(db, unit_type: str, names):
    home = builders.project()
    tested = builders.experiment(home, primary=builders.metric(home), unit_type=unit_type)
    made = calls("http://localhost:8000", tested, "treatment", list(tested.plan.select_related("metric")))
    event = body(made.exposure)["batch"][0]
    assert {name: event[name] for name in names} == names
    assert event["properties"].get("session_id") == ("session-1" if unit_type == "session" else None)
    assert body(made.evaluate) == {"context": {"targetingKey": f"{unit_type}-1"}}


def test_calls__a_sum_metric__sends_its_property(db):
    home = builders.project()
    revenue = builders.metric(home, "revenue", kind=MetricKind.SUM, property="revenue")
    tested = builders.experiment(home, primary=revenue)
    event = body(calls("http://x", tested, "control", list(tested.plan.all())).event)["batch"][0]
    assert (event["event"], event["properties"]) == ("Order Completed", {"revenue": 19.9})


def test_calls__a_quote_in_an_event_name__does_not_end_the_shells_string(db):
    home = builders.project()
    tested = builders.experiment(home, primary=builders.metric(home, event="Owner's choice; $(rm -rf /)"))
    made = calls("http://x", tested, "control", list(tested.plan.all()))
    assert body(made.event)["batch"][0]["event"] == "Owner's choice; $(rm -rf /)"
    assert len(re.findall("'", made.event)) == 4

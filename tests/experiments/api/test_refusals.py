"""What is refused, how it is said, and that nothing was changed by it."""

import msgspec
import pytest

from experiments.api.bodies import LARGEST_BODY
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.keys import issue_key, revoke
from experiments.models import AuditEntry, Experiment, Flag
from tests import builders
from tests.experiments.api.asking import Api, error
from tests.experiments.api.conftest import draft, flag


def test_key__missing_or_unknown_or_revoked__is_401(home, api):
    key, plain = issue_key(home, "old", [Scope.WRITE], None)
    revoke(key, None)
    assert error(Api()("GET", "/flags")) == (401, "key_missing", None)
    assert error(Api("tl_nothing")("GET", "/flags")) == (401, "key_unknown", None)
    assert error(Api(plain)("POST", "/flags", flag())) == (401, "key_unknown", None)


def test_key__in_the_other_header__is_taken(home):
    plain = issue_key(home, "report", [Scope.READ], None)[1]
    assert Api()("GET", "/flags", x_api_key=plain).status_code == 200


@pytest.mark.parametrize("scopes", [[Scope.READ], [Scope.EVALUATE, Scope.INGEST]])
def test_key__without_write__changes_nothing(home, scopes):
    asks = Api(issue_key(home, "report", scopes, None)[1])
    assert error(asks("POST", "/flags", flag())) == (403, "scope_missing", None)
    assert not Flag.objects.exists()


def test_key__that_may_only_write__reads_nothing(home):
    asks = Api(issue_key(home, "deploys", [Scope.WRITE], None)[1])
    assert error(asks("GET", "/flags")) == (403, "scope_missing", None)


def test_stranger__finds_nothing_of_another_project(api, stranger):
    api.ok("POST", "/experiments", draft())
    api.ok("POST", "/flags", flag())
    rule = api.ok("POST", "/flags/checkout/rules", {"kind": "force", "value": True})["rules"][0]["id"]
    version = api.ok("POST", "/model-versions", {"name": "ranker", "version": "1"})["id"]
    override = api.ok("POST", "/experiments/new-ranker/overrides", {"unit_id": "a", "variant": "control"})["id"]
    asked = [
        ("GET", "/experiments/new-ranker", None),
        ("PATCH", "/experiments/new-ranker", {"name": "Mine"}),
        ("POST", "/experiments/new-ranker/start", {}),
        ("GET", "/experiments/new-ranker/results", None),
        ("DELETE", f"/experiments/new-ranker/overrides/{override}", None),
        ("GET", "/flags/checkout", None),
        ("DELETE", f"/flags/checkout/rules/{rule}", None),
        ("GET", "/metrics/purchase-rate", None),
        ("GET", f"/model-versions/{version}", None),
    ]
    for method, path, body in asked:
        assert error(stranger(method, path, body)) == (404, "not_found", None)
    assert stranger.ok("GET", "/audit?subject=flag:checkout")["audit"] == []
    assert stranger.ok("GET", "/experiments")["experiments"] == []


def test_rule__of_another_flag__is_404(api):
    api.ok("POST", "/flags", flag())
    api.ok("POST", "/flags", flag("cart"))
    rule = api.ok("POST", "/flags/checkout/rules", {"kind": "force", "value": True})["rules"][0]["id"]
    assert error(api("DELETE", f"/flags/cart/rules/{rule}")) == (404, "not_found", None)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"key": "a"', b"[" * 100_000, b'{"key": "\\ud800"}'])
def test_body__that_is_no_json__is_400(api, body):
    assert error(api("POST", "/flags", body))[0] in (400, 422)
    assert not Flag.objects.exists()


def test_body__of_another_type__is_415(api):
    asks = api.client.generic("POST", "/api/v1/flags", b"<a/>", "text/xml", headers=api.headers)
    assert error(asks) == (415, "not_json", None)


def test_body__too_long__is_413(api):
    assert error(api("POST", "/flags", b" " * (LARGEST_BODY + 1))) == (413, "too_large", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nmae": "x"}, "nmae"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\0b"}, None),
        ({"traffic": 0}, "traffic"),
        ({"planned_days": "14"}, "planned_days"),
        ({"key": "a b"}, "key"),
        ({"reading": "group_sequential"}, "planned_units"),
        ({"variants": [{"key": "control", "weight": 5000}]}, "variants"),
        ({"variants": [{"key": "a", "weight": 5000}, {"key": "b", "weight": 4000}]}, "variants"),
        ({"variants": [{"key": "a", "weight": 5000}, {"key": "b", "wieght": 5000}]}, "variants[1].wieght"),
        ({"metrics": []}, "metrics"),
        ({"metrics": [{"metric": "nothing", "role": "primary"}]}, "metrics[0].metric"),
        ({"metrics": [{"metric": "purchase-rate", "role": "guardrail"}]}, "metrics"),
    ],
)
def test_experiment__with_a_bad_value__is_422_and_names_the_field(api, change, field):
    assert error(api("POST", "/experiments", draft(**change))) == (422, "bad_value", field)
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/flags", flag(default_value=3), None),
        ("/flags", flag(value_type="money"), "value_type"),
        ("/flags/checkout/rules", {"kind": "force", "value": "yes"}, None),
        ("/flags/checkout/rules", {"kind": "force", "value": True, "targeting": {"$what": 1}}, "targeting"),
        ("/flags/checkout/rules", {"kind": "experiment"}, "experiment"),
        ("/segments", {"key": "s", "name": "S", "kind": "list"}, "unit_attribute"),
        ("/segments", {"key": "s", "name": "S", "kind": "condition"}, "targeting"),
        ("/metrics", {"key": "m", "name": "M", "kind": "sum", "event": "E"}, "property"),
        ("/metrics", {"key": "m", "name": "M", "kind": "ratio", "event": "E"}, "denominator_event"),
        ("/model-versions", {"name": "m", "version": "1", "offline_value": 1.0}, "offline_value"),
        ("/holdouts", {"size": 5000, "metrics": ["purchase-rate"]}, "size"),
    ],
)
def test_value__that_can_never_be_right__is_422(api, path, body, field):
    if path.startswith("/flags/"):
        api.ok("POST", "/flags", flag())
    assert error(api("POST", path, body)) == (422, "bad_value", field)


def test_step__from_where_it_does_not_lead__is_409_and_says_from_where(api):
    api.ok("POST", "/experiments", draft())
    response = api("POST", "/experiments/new-ranker/pause", {"why": "x"})
    assert error(response) == (409, "wrong_status", None)
    assert "draft; only what is running can pause" in response.json()["error"]["message"]
    api.ok("POST", "/experiments/new-ranker/start")
    assert api.ok("POST", "/experiments/new-ranker/start")["status"] == "running"
    assert error(api("PATCH", "/experiments/new-ranker", {"name": "Other"})) == (409, "refused", None)
    assert error(api("POST", "/experiments/new-ranker/traffic", {"traffic": 10})) == (409, "refused", None)
    assert AuditEntry.objects.filter(action="experiment.start").count() == 1


@pytest.mark.parametrize("path", ["/experiments", "/flags", "/metrics", "/audit", "/layers"])
def test_list__with_a_cursor_that_is_none__is_400(reader, path):
    assert error(reader("GET", f"{path}?cursor=x")) == (400, "bad_page", "cursor")
    assert error(reader("GET", f"{path}?limit=0"))[:2] == (422, "bad_value")
    assert error(reader("GET", f"{path}?lmit=5")) == (422, "bad_value", "lmit")


def test_list__by_pages__shows_each_once(api):
    keys = [f"flag-{number}" for number in range(5)]
    for key in keys:
        api.ok("POST", "/flags", flag(key))
    path, seen = "/flags?limit=2&search=flag", []
    while path:
        body = api.ok("GET", path)
        seen += [row["key"] for row in body["flags"]]
        path = (body["next"] or "").partition("/api/v1")[2]
    assert seen == keys[::-1]


def test_experiments__are_found_by_words_and_status(api):
    api.ok("POST", "/experiments", draft("one", hypothesis="Shorter queues sell more."))
    api.ok("POST", "/experiments", draft("two"))
    api.ok("POST", "/experiments/two/start")
    found = {path: [row["key"] for row in api.ok("GET", f"/experiments{path}")["experiments"]]
             for path in ("?search=QUEUES", "?status=running", "?status=stopped")}  # fmt: skip
    assert found == {"?search=QUEUES": ["one"], "?status=running": ["two"], "?status=stopped": []}


def test_api__leaves_no_cookie_and_needs_no_token(api):
    api.client.handler.enforce_csrf_checks = True
    response = api("POST", "/flags", flag())
    assert response.status_code == 201
    assert not response.cookies


def test_key__of_something_else__is_409_and_says_so(api):
    api.ok("POST", "/flags", flag())
    api.ok("POST", "/experiments", draft("taken"))
    taken = (409, "key_taken", "key")
    assert error(api("POST", "/flags", flag(name="Other"))) == taken
    assert error(api("POST", "/experiments", draft("checkout"))) == taken
    assert error(api("POST", "/experiments", draft("taken", name="Other"))) == taken
    assert error(api("POST", "/metrics", {"key": "purchase-rate", "name": "M", "kind": "count", "event": "E"})) == taken


@pytest.mark.parametrize("value", ["1e999", "9007199254740993", '"\\u0000"', "1" + "0" * 400])
def test_variant__with_a_value_that_clients_cannot_read__is_refused(api, value):
    body = msgspec.json.encode(draft()).replace(
        b'{"key":"treatment"', b'{"value":' + value.encode() + b',"key":"treatment"'
    )
    assert error(api("POST", "/experiments", body))[:2] == (422, "bad_value")
    assert not Experiment.objects.exists()


def test_draft__whose_value_changes_its_type_alone__is_changed(api):
    def with_value(value):
        return [{"key": "control", "weight": 5000, "value": 0}, {"key": "treatment", "weight": 5000, "value": value}]

    api.ok("POST", "/experiments", draft(variants=with_value(1)))
    changed = api.ok("PATCH", "/experiments/new-ranker", {"variants": with_value(True)})
    assert changed["variants"][1]["value"] is True
    assert changed["revision"] == 2
    again = api.ok("PATCH", "/experiments/new-ranker", {"variants": with_value(True)})
    assert again == changed


@pytest.mark.parametrize("kind", ["flags", "layers", "metrics", "segments", "experiments"])
def test_list__of_more_rows__takes_no_more_queries(reader, home, kind, django_assert_max_num_queries):
    for number in range(12):
        builders.a_flag(home, f"flag-{number}")
        builders.metric(home, f"metric-{number}")
        builders.a_segment(home, f"segment-{number}")
        layer = builders.a_layer(home, f"layer-{number}")
        builders.experiment(home, f"e-{number}", layer=layer, layer_ranges=[[0, 100]])
    with django_assert_max_num_queries(6):
        assert len(reader.ok("GET", f"/{kind}")[kind]) == 12


def test_layer__that_an_experiment_left_by_stopping__is_free_again(api, home):
    layer = builders.a_layer(home)
    builders.experiment(home, "gone", layer=layer, layer_ranges=[[0, 4000]], status=Status.STOPPED)
    builders.experiment(home, "held", layer=layer, layer_ranges=[[0, 100], [200, 300]])
    shown = api.ok("GET", "/layers/checkout")
    assert (shown["free"], shown["holders"]) == (9800, [{"experiment": "held", "share": 200}])


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"kind": "off_policy", "design": {"colour": "red"}}, "design", "colour"),
        ({"kind": "off_policy", "design": {"window_hours": "a day"}}, "design", "int"),
        ({"kind": "off_policy", "design": {"window_hours": 0}}, "window_hours", "1 to 1440 hours"),
        ({"design": {"window_hours": 1}}, "design", "has no design"),
        ({"kind": "holdout"}, "kind", "not set up by itself"),
        ({"kind": "bandit", "design": {"floor": 9000}}, "floor", "with 2 variants"),
        ({"kind": "bandit", "unit_type": "user"}, "unit_type", "deals sessions or impressions"),
        ({"unit_type": "block"}, "unit_type", "Blocks are the units of switchbacks"),
    ],
)
def test_design__that_does_not_fit_its_kind__is_refused_with_its_field(api, fields, field, words):
    response = api("POST", "/experiments", draft(**fields))
    assert response.status_code == 422, response.content
    error = response.json()["error"]
    assert words in error["message"]
    assert error["field"] == field


def test_decisions__a_file_that_cannot_be_read__is_422_and_nothing_is_kept(api, stranger):
    policies = [{"key": "logged", "weight": 5000}, {"key": "new-model", "weight": 5000}]
    api.ok("POST", "/experiments", draft("would-it", kind="off_policy", design={"source": "file"}, variants=policies))
    early = api("POST", "/experiments/would-it/decisions", b"a,b\n1,2\n")
    assert early.status_code == 409
    api.ok("POST", "/experiments/would-it/start")
    response = api("POST", "/experiments/would-it/decisions", b"a,b\n1,2\n")
    assert (response.status_code, response.json()["error"]["field"]) == (422, "body")
    assert "there is no column" in response.json()["error"]["message"]
    assert stranger("POST", "/experiments/would-it/decisions", b"a,b\n1,2\n").status_code == 404

"""Each operation answers as the OpenAPI document says; ``Api`` holds every single answer to it."""

import jsonschema
import pytest
from django.test import Client
from django.urls import get_resolver

from analysis.api.urls import OPERATIONS
from analysis.mail import tasks
from analysis.models import OutboxMessage, ResultSnapshot
from analysis.results.schema import to_payload
from experiments.api.operations import ROOT
from experiments.models import Experiment, Membership, ModelVersion, Project, Variant
from tests import builders
from tests.analysis.pages.test_depth import keep
from tests.analysis.programme import samples
from tests.experiments.api.asking import DOCUMENT
from tests.experiments.api.conftest import draft, flag
from tests.experiments.registries import registry_of

pytestmark = pytest.mark.django_db
WHY = {"why": "to see"}


@pytest.fixture(autouse=True)
def nothing_leaves(monkeypatch, settings):
    monkeypatch.setattr(tasks, "deliver_soon", lambda: None)
    settings.WEBHOOK_PRIVATE = True


def test_every_operation__in_one_life__succeeds_and_answers_what_is_described(api, alice):
    catalogue(api)
    experiments(api)
    results(api)
    beginnings(api)
    people(api, alice)
    decisions(api)
    flags(api)
    layers_and_segments(api)
    holdout(api)
    evidence(api)
    notifications(api)
    alarms(api)
    all_together(api)
    assert api.ok("GET", "/audit?limit=1")["next"]
    assert api.done == {(one.method, one.path) for one in OPERATIONS}


def catalogue(api):
    revenue = {"key": "revenue", "name": "Revenue", "kind": "sum", "event": "Order Completed", "property": "revenue"}
    api.ok("POST", "/metrics", revenue)
    assert {one["key"] for one in api.ok("GET", "/metrics")["metrics"]} == {"revenue", "purchase-rate"}
    assert api.ok("GET", "/metrics/revenue")["property"] == "revenue"
    metrics(api)
    version = {"name": "ranker", "version": "v7", "offline_metric": "ndcg@10", "offline_value": 0.431}
    made = api.ok("POST", "/model-versions", version)
    assert api.ok("GET", "/model-versions")["model_versions"] == [made]
    assert api.ok("GET", f"/model-versions/{made['id']}")["offline_value"] == 0.431
    fresh = {"name": "ranker", "version": "v8", "parent": "v7", "metrics": [{"name": "AUC", "value": 0.8}]}
    newer = api.ok("PUT", "/model-versions", fresh)
    assert newer["parent"] == "v7"
    for one, right in ((made, 30), (newer, 33)):
        sent = api.upload(f"/model-versions/{one['id']}/scores", scores(right), evaluation_set="held-out")
        assert sent.json()["is_new"]
    with registry_of({"name": "ranker", "version": "1", "description": "First."}) as uri:
        assert api.ok("POST", "/model-versions/pull", {"uri": uri, "model": "ranker", "name": "other"})["new"] == ["1"]
    found = api.ok("GET", f"/model-versions/{newer['id']}/comparison?old={made['id']}")["comparisons"][0]
    assert (found["examples"], found["changed"]) == (40, 0.075)


def scores(right: int) -> bytes:
    """A file of 40 examples, of which the first are right."""
    rows = [f"e{number},1,{int(number < right)}" for number in range(40)]
    return "\n".join(["example,label,prediction", *rows]).encode()


def metrics(api):
    one = "/metrics/revenue"
    filters = [{"property": "country", "operator": "in", "value": ["DE", 1, True]}]
    changed = api.ok("PATCH", one, {"filters": filters, "cap_value": 200.5, "note": "Germany alone"})
    assert (changed["version"], changed["filters"], changed["cap_value"]) == (2, filters, 200.5)
    assert api.ok("PATCH", one, {"description": "What they paid"})["version"] == 2
    versions = api.ok("GET", f"{one}/versions")["versions"]
    assert [(row["version"], row["note"], row["filters"]) for row in versions] == [
        (2, "Germany alone", filters), (1, "", []),
    ]  # fmt: skip
    assert api.ok("POST", f"{one}/certify", {"version": 2})["certified_version"] == 2
    assert api.ok("POST", f"{one}/uncertify")["certified_version"] is None
    assert api.ok("POST", f"{one}/archive")["archived_at"]
    assert [row["key"] for row in api.ok("GET", "/metrics?archived=true")["metrics"]] == ["revenue"]
    assert api.ok("POST", f"{one}/restore")["archived_at"] is None
    steps = [{"event": "A"}, {"event": "B", "filters": [{"property": "x", "operator": "exists"}]}]
    funnel = api.ok("POST", "/metrics", {"key": "checkout", "name": "Checkout", "kind": "funnel", "steps": steps})
    assert (funnel["event"], funnel["steps"][1]["filters"][0]["operator"]) == ("B", "exists")
    assert api.ok("GET", "/metrics/checkout/preview")["reason"]
    tried = api.ok("POST", "/metric-previews", {"kind": "count", "event": "Order Completed"})
    assert tried["sentence"] == "Number of Order Completed per user."
    old = {"key": "latency", "name": "Latency", "kind": "average", "event": "Search", "property": "ms"}
    assert api.ok("POST", "/metrics", old)["kind"] == "mean"


def experiments(api):
    made = api.ok("POST", "/experiments", draft(unit_type="device"))
    assert (made["status"], made["unit_type"], made["traffic"]) == ("draft", "device", 10_000)
    one = "/experiments/new-ranker"
    assert api.ok("GET", one) == made
    variants = [{"key": "control", "weight": 4000}, {"key": "v7", "weight": 6000, "value": 7,
                "model": {"name": "ranker", "version": "v7"}}]  # fmt: skip
    changed = api.ok("PATCH", one, {"variants": variants, "unit_type": "user", "traffic": 1000})
    assert changed["variants"][1]["model"] == {"name": "ranker", "version": "v7"}
    assert (changed["name"], changed["traffic"]) == ("New ranker", 1000)
    api.ok("PUT", f"{one}/audience", {"targeting": {"country": "DE"}, "fallback_unit_type": "device"})
    assert api.ok("GET", f"{one}/audience")["targeting"] == {"country": "DE"}
    api.ok("PUT", f"{one}/schedule", {"ends_at": "2090-01-01T00:00:00Z"})
    api.ok("PUT", f"{one}/ramp", {"steps": [{"share": 1000, "after_hours": 24}, {"share": 5000}]})
    assert api.ok("GET", f"{one}/business")["stands_for"] == {"purchase-rate": None}
    stated = api.ok("PATCH", f"{one}/business", {"stands_for": {"purchase-rate": "business"}, "monthly_cost": 5000})
    assert (stated["stands_for"], stated["monthly_cost"]) == ({"purchase-rate": "business"}, 5000)
    override = api.ok("POST", f"{one}/overrides", {"unit_id": "tester", "variant": "v7"})
    assert api.ok("GET", f"{one}/overrides")["overrides"] == [override]
    assert api.ok("DELETE", f"{one}/overrides/{override['id']}") is None
    api.ok("POST", f"{one}/start")
    for step, body in [("ramp/hold", WHY), ("ramp/release", {}), ("pause", WHY), ("resume", {})]:
        api.ok("POST", f"{one}/{step}", body)
    api.ok("PATCH", "/metrics/purchase-rate", {"window_hours": 168, "note": "one week"})
    pinned = api.ok("PUT", f"{one}/metrics/purchase-rate/version", {"version": 2, "why": "the first was wrong"})
    use = {"metric": "purchase-rate", "role": "primary", "margin": None, "version": 2, "stands_for": "business"}
    assert pinned["metrics"] == [use]
    api.ok("PATCH", "/metrics/purchase-rate", {"window_hours": None, "note": "no window after all"})
    assert api.ok("POST", f"{one}/traffic", {"traffic": 2000})["traffic"] == 2000
    assert api.ok("POST", f"{one}/phases", {**WHY, "weights": {"control": 5000, "v7": 5000}})["phase"] == 2
    shipped = api.ok("POST", f"{one}/ship", {**WHY, "variant": "v7", "holdback": 500})
    assert (shipped["status"], shipped["shipped"]["holdback"]) == ("stopped", 500)
    assert api.ok("GET", "/experiments?kind=holdback")["experiments"][0]["key"] == "new-ranker-holdback"
    assert api.ok("POST", f"{one}/withdraw", WHY)["shipped"] is None
    api.ok("POST", "/experiments", draft("second"))
    api.ok("POST", "/experiments/second/start")
    assert api.ok("POST", "/experiments/second/stop", WHY)["status"] == "stopped"
    assert api.ok("PUT", "/experiments/second/tags", {"tags": ["Search", "price"]})["tags"] == ["price", "search"]
    assert api.ok("POST", "/experiments/second/archive")["archived_at"]
    assert api.ok("POST", "/experiments/second/restore")["archived_at"] is None


def beginnings(api):
    one = "/experiments/second"
    said = {"decision": "iterate", "reason": "Flat", "learned": "Season is weak", "tags": ["Search"]}
    made = api.ok("POST", f"{one}/conclusions", said)
    assert (made["state"], made["tags"], made["recommendation"]) == ("made", ["search"], None)
    assert api.ok("GET", f"{one}/conclusions")["conclusions"] == [made]
    copy = api.ok("POST", f"{one}/duplicate", {"key": "third-try"})
    assert (copy["key"], copy["status"], copy["metrics"][0]["metric"]) == ("third-try", "draft", "purchase-rate")
    kept = api.ok("POST", "/templates", {"experiment": "second", "key": "our-way", "name": "Our way"})
    assert api.ok("GET", "/templates")["templates"][0] == kept
    begun = api.ok("POST", "/templates/our-way/experiments", {"key": "fourth", "name": "Fourth"})
    assert begun["metrics"] == copy["metrics"]
    assert api.ok("POST", "/templates/pricing/experiments", {"key": "fifth", "name": "Fifth"})["unit_type"] == "account"
    assert api.ok("DELETE", "/templates/our-way") is None
    versions = ModelVersion.objects.order_by("pk")[:2]
    for variant, version in zip(Variant.objects.filter(experiment__key="fourth"), versions, strict=False):
        Variant.objects.filter(pk=variant.pk).update(model_version=version)
    held = api.ok("POST", "/experiments/fourth/serving-guardrails")["metrics"]
    assert {use["metric"] for use in held} >= {"model-latency-p95", "model-cost"}
    assert api.ok("PUT", "/experiments/fourth/page", {"page_address": "https://shop.example/"})["page_address"]


def people(api, alice):
    Membership.objects.create(project=Project.objects.get(slug="rest-shop"), user=alice, role="admin")
    made = api.ok("POST", "/invitations", {"email": "new@example.com", "role": "viewer"})
    listed = api.ok("GET", "/members")
    assert listed["invitations"] == [made]
    (admin,) = listed["members"]
    assert api("PUT", f"/members/{admin['id']}", {"role": "viewer"}).status_code == 409  # the last admin
    bob = Membership.objects.create(
        project=Project.objects.get(slug="rest-shop"), user=builders.user("bob@example.com"), role="viewer"
    )
    assert api.ok("PUT", f"/members/{bob.pk}", {"role": "editor"})["role"] == "editor"
    assert api.ok("PUT", "/experiments/fourth/owner", {"email": "Bob@example.com"})["owner"] == "bob@example.com"
    assert api.ok("DELETE", f"/members/{bob.pk}") is None
    assert api.ok("DELETE", f"/invitations/{made['id']}") is None


def results(api):
    second = Experiment.objects.get(key="second")
    shape = to_payload(builders.results(second))
    ResultSnapshot.objects.create(experiment=second, as_of=builders.T0, engine_version="1", payload=shape)
    assert api.ok("GET", "/experiments/second/results")["verdict"] == shape["verdict"]
    beside_results(api, second)
    run = api.ok("POST", "/experiments/second/refresh")
    assert api.ok("GET", f"/experiments/second/refresh/{run['id']}")["state"] == "queued"


def beside_results(api, second):
    made = api.ok("POST", "/experiments/second/shares", {"purpose": "The board", "newest": False})
    assert "/shared/" in made["address"]
    assert api.ok("GET", "/experiments/second/shares")["shares"] == [{**made, "address": None}]
    assert not api.ok("DELETE", f"/experiments/second/shares/{made['id']}")["is_open"]
    note = api.ok("POST", "/experiments/second/notes", {"text": "An outage on Tuesday."})
    api.ok("PUT", f"/experiments/second/notes/{note['id']}", {"text": "An outage on Wednesday."})
    assert api.ok("GET", "/experiments/second/notes")["notes"][0]["text"] == "An outage on Wednesday."
    api.ok("DELETE", f"/experiments/second/notes/{note['id']}")
    keep(second, second.plan.first().metric.key)
    assert api.ok("GET", f"/experiments/second/results/metrics/{second.plan.first().metric.key}")["spread"]["bins"]


def decisions(api):
    policies = [{"key": "logged", "weight": 5000}, {"key": "new-model", "weight": 5000}]
    # The purchase rate has a window by now, which an evaluation of plain events refuses.
    api.ok("POST", "/metrics", {"key": "buys", "name": "Buys", "kind": "proportion", "event": "Order Completed"})
    plain = [{"metric": "buys", "role": "primary"}]
    asked = draft("would-it", kind="off_policy", design={"source": "file"}, variants=policies, metrics=plain)
    made = api.ok("POST", "/experiments", asked)
    assert (made["kind"], made["design"]["source"], made["design"]["window_hours"]) == ("off_policy", "file", 24)
    changed = api.ok("PATCH", "/experiments/would-it", {"design": {"window_hours": 2}})
    assert (changed["design"]["source"], changed["design"]["window_hours"]) == ("file", 2)
    api.ok("POST", "/experiments/would-it/start")
    header = "unit,action,propensity,reward,target_propensity.new-model"
    rows = [f"u{i},a{i % 2},0.5,{int(i % 10 == 1)},{0.9 if i % 2 else 0.1}" for i in range(400)]
    found = api.ok("POST", "/experiments/would-it/decisions", "\n".join([header, *rows]).encode())
    assert found["off_policy"]["policies"][0]["estimates"][0]["value"] == pytest.approx(0.18)


def flags(api):
    assert api.ok("POST", "/flags", flag())["environments"] == dict.fromkeys(
        ["development", "production", "staging"], False
    )
    one = "/flags/checkout"
    assert api.ok("PATCH", one, {"name": "Fast checkout"})["default_value"] is False
    assert api.ok("PUT", f"{one}/environments/production", {"enabled": True})["environments"]["production"] is True
    first = api.ok("POST", f"{one}/rules", {"kind": "force", "value": True, "targeting": {"country": "DE"}})
    second = api.ok("POST", f"{one}/rules", {"kind": "rollout", "value": True, "share": 1000})
    ids = [rule["id"] for rule in second["rules"]]
    assert ids[0] == first["rules"][0]["id"]
    turned = api.ok("PUT", f"{one}/rules/order", {"order": ids[::-1]})
    assert [rule["kind"] for rule in turned["rules"]] == ["rollout", "force"]
    api.ok("PUT", f"{one}/rules/{ids[1]}", {"kind": "rollout", "value": True, "share": 2000})
    assert [rule["share"] for rule in api.ok("GET", f"{one}/rules")["rules"]] == [2000, 10_000]
    assert len(api.ok("DELETE", f"{one}/rules/{ids[0]}?why=done")["rules"]) == 1
    api.ok("POST", "/flags", flag("cart"))
    api.ok("PUT", "/flags/cart/prerequisites", {"prerequisites": {"checkout": True}})
    assert api.ok("GET", "/flags/cart/prerequisites") == {"prerequisites": {"checkout": True}}
    api.ok("POST", "/flags/cart/archive")
    assert [row["key"] for row in api.ok("GET", "/flags")["flags"]] == ["checkout"]
    assert api.ok("GET", one)["name"] == "Fast checkout"


def layers_and_segments(api):
    api.ok("POST", "/layers", {"key": "search", "name": "Search"})
    api.ok("POST", "/experiments", draft("third"))
    assert api.ok("PUT", "/experiments/third/layer", {"layer": "search", "share": 2500})["layer"]["share"] == 2500
    assert api.ok("GET", "/layers/search")["free"] == 7500
    assert api.ok("GET", "/layers")["layers"][0]["holders"] == [{"experiment": "third", "share": 2500}]
    assert api.ok("DELETE", "/experiments/third/layer")["layer"] is None
    api.ok("PUT", "/experiments/third/prerequisites", {"prerequisites": {"checkout": True}})
    assert api.ok("GET", "/experiments/third/prerequisites")["prerequisites"] == {"checkout": True}
    staff = {"key": "staff", "name": "Staff", "kind": "list", "unit_attribute": "id", "values": ["a"]}
    api.ok("POST", "/segments", staff)
    replaced = {**staff, "values": ["a", "b"]}
    del replaced["key"]
    assert api.ok("PUT", "/segments/staff", replaced)["revision"] == 2
    assert api.ok("GET", "/segments")["segments"][0]["size"] == 2
    assert api.ok("GET", "/segments/staff")["values"] == ["a", "b"]
    assert api.ok("POST", "/segments/staff/archive")["archived_at"]


def holdout(api):
    made = api.ok("POST", "/holdouts", {"size": 500, "metrics": ["purchase-rate"]})
    assert api.ok("GET", "/holdouts")["holdouts"] == [made]
    assert api.ok("GET", f"/holdouts/{made['key']}") == made
    assert api.ok("POST", f"/holdouts/{made['key']}/stop", WHY)["status"] == "stopped"


def evidence(api):
    assert api.ok("GET", "/north-star") == {"metric": None}
    assert api.ok("PUT", "/north-star", {"metric": "revenue", "why": "we live on it"}) == {"metric": "revenue"}
    assert api.ok("GET", "/evidence")["business"] is None
    home = Experiment.objects.get(key="second").project
    builders.metric(home, samples.PROXY)
    samples.programme(home, 20)
    assert api.ok("GET", "/evidence?period=year")["findings"][0]["metric"] == "click-through"
    assert api.ok("GET", "/evidence/north-star?quarter=2026-Q1")["metric"] == "revenue"
    assert api.ok("GET", "/evidence/interactions")["tested"] == 0
    assert api.ok("GET", "/evidence/holdbacks")["holdbacks"]
    past = b"experiment,metric,n,mean,variance,control_n,control_mean,control_variance\ne1,rev,1000,2.2,4,900,2,3\n"
    sent = api.upload("/past-experiments", past, "past.csv", name="Before", metrics="rev=revenue").json()
    assert api.ok("GET", "/past-experiments")["past_experiments"] == [sent]
    assert api.ok("GET", f"/past-experiments/{sent['id']}") == sent
    api.ok("DELETE", f"/past-experiments/{sent['id']}")


def notifications(api):
    api.ok("POST", "/experiments", draft("told"))
    once = {"email": "exec@example.com", "cadence": "monthly", "day_of_month": 31, "time_zone": "Europe/Berlin"}
    digest = api.ok("POST", "/digests", {**once, "experiment": "told"})
    one = f"/digests/{digest['id']}"
    assert api.ok("GET", "/digests?email=exec@example.com")["digests"] == [digest]
    assert api.ok("PUT", one, {"cadence": "milestones"})["next_due_at"] is None
    assert api.ok("GET", one)["cadence"] == "milestones"
    sent = api.ok("POST", f"{one}/send")
    assert sent["to"] == "exec@example.com"
    made = api.ok("POST", "/portfolios", {"name": "Search", "experiments": ["told"]})
    portfolio = f"/portfolios/{made['id']}"
    api.ok("POST", "/digests", {**once, "portfolio": made["id"]})
    assert api.ok("PUT", portfolio, {"name": "Find", "experiments": ["told"]})["name"] == "Find"
    assert api.ok("GET", portfolio) == api.ok("GET", "/portfolios")["portfolios"][0]
    assert api.ok("DELETE", portfolio) is None
    assert api.ok("DELETE", one) is None
    follow = api.ok("POST", "/follows", {"email": "Ada@example.com", "experiment": "told"})
    assert api.ok("GET", "/follows?experiment=told")["follows"] == [follow]
    recipient = api.ok("GET", "/recipients?email=ada@example.com")["recipients"][0]
    wishes = {"quiet_from": 22, "quiet_until": 7, "time_zone": "Asia/Tokyo", "channels": {"started": "none"}}
    changed = api.ok("PUT", f"/recipients/{recipient['id']}", wishes)
    assert (changed["quiet_from"], changed["channels"]) == (22, {"started": "none"})
    assert api.ok("GET", f"/recipients/{recipient['id']}") == changed
    assert api.ok("POST", f"/recipients/{recipient['id']}/silence")["unsubscribed_at"]
    assert api.ok("DELETE", f"/recipients/{recipient['id']}/silence")["unsubscribed_at"] is None
    assert api.ok("POST", f"/recipients/{recipient['id']}/enable")["disabled_at"] is None
    assert api.ok("DELETE", f"/follows/{follow['id']}") is None
    posts(api)


def posts(api):
    OutboxMessage.objects.update(state="failed", error="550 no")
    failed = api.ok("GET", "/deliveries?state=failed&to=exec")["deliveries"][0]
    assert api.ok("GET", f"/deliveries/{failed['id']}")["error"] == "550 no"
    OutboxMessage.objects.update(digest=None)
    assert api.ok("POST", f"/deliveries/{failed['id']}/send-again")["sent_again"] == failed["id"]
    hook = api.ok("POST", "/webhooks", {"name": "warehouse", "kind": "generic", "url": "http://127.0.0.1:9/in/path"})
    assert hook["secret"].startswith("whsec_")
    assert hook["address"] == "http://127.0.0.1/…path"
    one = f"/webhooks/{hook['id']}"
    assert "secret" not in api.ok("GET", one)
    assert len(api.ok("GET", "/webhooks")["webhooks"]) == 1
    assert api.ok("PUT", one, {"name": "lake", "kinds": ["broken-split"]})["kinds"] == ["broken-split"]
    assert api.ok("POST", f"{one}/rotate")["secret"] != hook["secret"]
    assert api.ok("POST", f"{one}/test")["kind"] == "test"
    assert api.ok("POST", f"{one}/enable")["disabled_at"] is None
    assert api.ok("DELETE", one) is None


def alarms(api):
    told = Experiment.objects.get(key="told")
    raised = builders.alert(told.project, experiment=told).alert
    one = f"/alerts/{raised.pk}"
    assert api.ok("GET", "/alerts?open=true&kind=broken-split&experiment=told")["alerts"][0]["id"] == raised.pk
    assert api.ok("POST", f"{one}/acknowledge", {"why": "I look."})["acknowledged_why"] == "I look."
    assert api.ok("POST", f"{one}/hand-back")["acknowledged_at"] is None
    assert api.ok("PUT", f"{one}/mute", {"days": 1})["muted"] is True
    assert api.ok("DELETE", f"{one}/mute")["muted"] is False
    assert api.ok("GET", one)["closed_at"] is None
    assert api.ok("GET", "/occurrences?kind=broken-split&experiment=told")["occurrences"][0]["alert"] == raised.pk


def all_together(api):
    assert api.ok("GET", "/programme?days=90")["impact"]["reason"]
    assert api.ok("GET", "/data-quality")["punctuality"]["events"] >= 0
    assert api.ok("GET", "/experiments/third/drift")["not_known"]
    assert api.ok("GET", "/experiments/third/joining")["findings"] == []
    assert not api.ok("GET", "/data-quality/bots")["rule"]["on"]
    assert api.ok("PUT", "/data-quality/bots", {"most_a_day": 5_000, "most_a_minute": 200})["on"]
    assert not api.ok("DELETE", "/data-quality/bots")["on"]
    assert api.ok("GET", "/identities?id=u1")["person"] == "u1"
    assert api.ok("GET", "/conflicts")["compared"] >= 0
    assert api.ok("GET", "/experiments/third/conflicts")["left_out"] == 0
    assert api.ok("GET", "/library?search=ranker")["total"] >= 0
    made = api.ok("POST", "/views", {"name": "Ours", "query": "tag=search&nonsense=1"})
    assert made["query"] == "tag=search"
    assert api.ok("GET", "/views")["views"] == [made]
    assert api.ok("DELETE", f"/views/{made['id']}") is None
    assert api.ok("GET", "/experiments?stage=draft&tag=search&owner=a@example.com&archived=true")["experiments"] == []


def test_document__is_read_without_a_key_and_is_valid_openapi():
    response = Client().get(f"{ROOT}/openapi.json")
    assert response.json() == DOCUMENT
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema({**schema, "components": DOCUMENT["components"]})


def test_document__names_every_route_and_method():
    described = set(DOCUMENT["paths"])
    routed = set()
    for route in _routes(get_resolver().url_patterns):
        if route.startswith("api/v1/") and route != "api/v1/openapi.json":
            routed.add("/" + route.replace("<int:", "{").replace("<str:", "{").replace(">", "}"))
    assert routed == described
    for place in described:
        response = Client().generic("TRACE", place.replace("{id}", "1").replace("{run_id}", "1"))
        assert response.status_code == 405
        assert set(response["Allow"].split(", ")) == {method.upper() for method in DOCUMENT["paths"][place]}


def test_document__gives_each_operation_a_name_of_its_own():
    names = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names) == len(OPERATIONS)


def _routes(patterns):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern.url_patterns)
        else:
            yield str(pattern.pattern)

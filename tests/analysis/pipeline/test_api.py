from datetime import UTC, datetime

import pytest

from analysis.models import RefreshRun, ResultSnapshot
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.keys import issue_key, revoke
from tests import builders

PAYLOAD = {"schema": 1, "verdict": {"decision": "ship", "headline": "It works."}}


@pytest.fixture
def shop(db):
    return builders.project("shop")


@pytest.fixture
def experiment(shop):
    return builders.experiment(shop)


def key_of(home, *scopes):
    return issue_key(home, "reader", scopes or (Scope.READ,), None)


def get(client, path, plain, **headers):
    return client.get(f"/api/v1/experiments{path}", headers={"authorization": f"Bearer {plain}", **headers})


def code(response):
    return response.status_code, response.json()["error"]["code"]


def snapshot_of(experiment, **payload):
    return ResultSnapshot.objects.create(
        experiment=experiment, as_of=datetime.now(UTC), engine_version="1", payload={**PAYLOAD, **payload}
    )


def test_results__newest_snapshot__is_returned_with_links(client, shop, experiment):
    snapshot_of(experiment, schema=0)
    newest = snapshot_of(experiment)
    body = get(client, "/new-ranker/results", key_of(shop)[1]).json()
    assert (body["schema"], body["verdict"]["decision"], body["snapshot"]) == (1, "ship", newest.pk)
    assert body["links"]["page"].endswith("/p/shop/experiments/new-ranker/results/")
    assert body["links"]["snapshot"].endswith(f"/results/{newest.pk}/")


def test_results__same_snapshot_again__is_304_without_a_body(client, shop, experiment):
    snapshot_of(experiment)
    plain = key_of(shop)[1]
    etag = get(client, "/new-ranker/results", plain)["ETag"]
    again = get(client, "/new-ranker/results", plain, **{"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    snapshot_of(experiment)
    assert get(client, "/new-ranker/results", plain, **{"if-none-match": etag}).status_code == 200


def test_results__before_the_first_snapshot__are_409(client, shop, experiment):
    assert code(get(client, "/new-ranker/results", key_of(shop)[1])) == (409, "no_results_yet")


def test_results__without_a_key__are_401_and_say_how(client, experiment):
    response = client.get("/api/v1/experiments/new-ranker/results")
    assert code(response) == (401, "key_missing")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_results__with_a_revoked_key__are_401(client, shop, experiment):
    key, plain = key_of(shop)
    revoke(key, None)
    assert code(get(client, "/new-ranker/results", plain)) == (401, "key_unknown")


def test_results__with_an_ingest_key__are_403(client, shop, experiment):
    assert code(get(client, "/new-ranker/results", key_of(shop, Scope.INGEST)[1])) == (403, "scope_missing")


def test_results__with_a_strangers_key__are_404(client, experiment):
    snapshot_of(experiment)
    stranger = key_of(builders.project("elsewhere"))[1]
    assert code(get(client, "/new-ranker/results", stranger)) == (404, "not_found")


def test_results__take_three_queries(client, shop, experiment, django_assert_num_queries):
    snapshot_of(experiment)
    plain = key_of(shop)[1]
    with django_assert_num_queries(3):
        get(client, "/new-ranker/results", plain)


def test_index__lists_the_projects_experiments_alone__in_three_queries(
    client, shop, experiment, django_assert_num_queries
):
    builders.experiment(builders.project("elsewhere"), "foreign")
    builders.experiment(shop, "second")
    snapshot_of(experiment)
    plain = key_of(shop)[1]
    with django_assert_num_queries(3):
        body = get(client, "", plain).json()
    assert [(row["key"], (row["verdict"] or {}).get("decision")) for row in body["experiments"]] == [
        ("second", None),
        ("new-ranker", "ship"),
    ]
    assert body["next"] is None


def test_index__a_page_that_is_no_number__is_400(client, shop):
    assert code(get(client, "?before=x", key_of(shop)[1])) == (400, "bad_page")


def test_refresh__asked_twice__joins_the_run_under_way(client, shop, experiment):
    headers = {"authorization": f"Bearer {key_of(shop)[1]}"}
    first, second = (client.post("/api/v1/experiments/new-ranker/refresh", headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"] == RefreshRun.objects.get().pk
    status = client.get(f"/api/v1/experiments/new-ranker/refresh/{first.json()['id']}", headers=headers).json()
    assert (status["state"], status["percent"], status["error"]) == ("queued", 0, None)
    assert first["Location"] == status["links"]["status"]


def test_refresh__of_a_draft__is_409(client, shop):
    builders.experiment(shop, status=Status.DRAFT)
    headers = {"authorization": f"Bearer {key_of(shop)[1]}"}
    response = client.post("/api/v1/experiments/new-ranker/refresh", headers=headers)
    assert code(response) == (409, "not_started")


def test_refresh__by_get__is_405_and_names_the_method(client, shop, experiment):
    response = get(client, "/new-ranker/refresh", key_of(shop)[1])
    assert code(response) == (405, "method_not_allowed")
    assert response["Allow"] == "POST"


def test_refresh_status__of_a_strangers_run__is_404(client, experiment):
    run = RefreshRun.objects.create(experiment=experiment)
    stranger = key_of(builders.project("elsewhere"))[1]
    assert code(get(client, f"/new-ranker/refresh/{run.pk}", stranger)) == (404, "not_found")

"""Requests that come twice, and requests about what has changed meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from experiments.api.idempotency import forget
from experiments.models import AuditEntry, FlagRule, IdempotentAnswer
from experiments.tasks import forget_answers
from tests.experiments.api.asking import error
from tests.experiments.api.conftest import draft, flag

RULE = {"kind": "force", "value": True}


def test_same_key_and_body__is_done_once_and_answered_alike(api):
    api.ok("POST", "/flags", flag())
    first, second = (api("POST", "/flags/checkout/rules", RULE, idempotency_key="abc") for _ in range(2))
    assert (first.status_code, first.content, first["ETag"]) == (second.status_code, second.content, second["ETag"])
    assert second["Idempotent-Replayed"] == "true"
    assert FlagRule.objects.count() == 1


def test_without_a_key__each_request_is_done(api):
    api.ok("POST", "/flags", flag())
    for _ in range(2):
        api.ok("POST", "/flags/checkout/rules", RULE)
    assert FlagRule.objects.count() == 2


def test_same_key_and_another_body_or_address__is_422(api):
    api.ok("POST", "/flags", flag(), idempotency_key="abc")
    assert error(api("POST", "/flags", flag("cart"), idempotency_key="abc")) == (422, "bad_value", "Idempotency-Key")
    assert error(api("POST", "/layers", flag(), idempotency_key="abc"))[0] == 422


def test_same_key_after_a_refusal__is_tried_again(api):
    assert api("POST", "/experiments/new-ranker/start", {}, idempotency_key="abc").status_code == 404
    api.ok("POST", "/experiments", draft())
    assert api("POST", "/experiments/new-ranker/start", {}, idempotency_key="abc").status_code == 200


def test_same_key_of_another_api_key__is_another_request(api, stranger):
    for asks in (api, stranger):
        assert asks("POST", "/flags", flag(), idempotency_key="abc").status_code == 201
    assert IdempotentAnswer.objects.count() == 2


def test_answers__older_than_a_day__are_forgotten_and_the_key_is_free(api):
    api.ok("POST", "/flags", flag(), idempotency_key="abc")
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert api("POST", "/flags", flag("cart"), idempotency_key="abc").status_code == 201
    assert forget(timezone.now()) == 0
    assert forget(timezone.now() + timedelta(hours=25)) == 1
    forget_answers()
    assert not IdempotentAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once__one_runs(api):
    api.ok("POST", "/flags", flag())

    def ask(_: int) -> bytes:
        try:
            return bytes(api("POST", "/flags/checkout/rules", RULE, idempotency_key="abc").content)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert FlagRule.objects.count() == 1


def test_etag__of_what_is_still_so__is_304(api):
    first = api("POST", "/flags", flag())
    again = api("GET", "/flags/checkout", if_none_match=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    api.ok("PATCH", "/flags/checkout", {"name": "Other"})
    assert api("GET", "/flags/checkout", if_none_match=first["ETag"]).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "answered"),
    [
        ("PATCH", "/flags/checkout", {"name": "Mine"}, 200),
        ("PUT", "/flags/checkout/environments/staging", {"enabled": True}, 200),
        ("POST", "/flags/checkout/rules", RULE, 201),
        ("POST", "/flags/checkout/archive", {}, 200),
    ],
)
def test_if_match__of_what_was_changed_meanwhile__is_409_and_changes_nothing(api, method, path, body, answered):
    stale = api("POST", "/flags", flag())["ETag"]
    fresh = api("PATCH", "/flags/checkout", {"name": "Theirs"})["ETag"]
    assert error(api(method, path, body, if_match=stale)) == (409, "stale", None)
    assert api.ok("GET", "/flags/checkout")["name"] == "Theirs"
    assert api(method, path, body, if_match=fresh).status_code == answered


def test_if_match__of_an_experiment__holds_for_its_steps(api):
    stale = api("POST", "/experiments", draft())["ETag"]
    api.ok("PATCH", "/experiments/new-ranker", {"traffic": 100})
    assert error(api("POST", "/experiments/new-ranker/start", {}, if_match=stale)) == (409, "stale", None)
    assert api("POST", "/experiments/new-ranker/start", {}, if_match="*").status_code == 200


def test_if_match__that_holds_no_etag__is_refused_and_not_passed_over(api):
    etag = api("POST", "/flags", flag())["ETag"]
    rename = ("PATCH", "/flags/checkout", {"name": "Mine"})
    assert error(api(*rename, if_match=etag.strip('"'))) == (422, "bad_value", "If-Match")
    assert api(*rename, if_match=f'"other", W/{etag}').status_code == 200


def test_audit__names_the_key_and_keeps_the_reason(api):
    api.ok("POST", "/experiments", draft())
    api.ok("POST", "/experiments/new-ranker/start", {"why": "Sprint 7."})
    rows = api.ok("GET", "/audit?subject=experiment:new-ranker")["audit"]
    assert [(row["action"], row["user"], row["why"]) for row in rows] == [
        ("experiment.start", None, "Sprint 7. By the API key 'deploys'."),
        ("experiment.create", None, "By the API key 'deploys'."),
    ]


def test_audit__of_a_long_reason_and_name__fits(api, home):
    api.ok("POST", "/flags", flag())
    home.api_keys.update(name="k" * 120)
    api.ok("PUT", "/flags/checkout/environments/staging", {"enabled": True, "why": "w" * 350})
    assert len(AuditEntry.objects.get(action="flag.on").why) <= 500


def test_new_phase__sent_twice_within_a_minute__begins_once(api):
    api.ok("POST", "/experiments", draft())
    api.ok("POST", "/experiments/new-ranker/start")
    for _ in range(2):
        assert api.ok("POST", "/experiments/new-ranker/phases", {"why": "broken split"})["phase"] == 2

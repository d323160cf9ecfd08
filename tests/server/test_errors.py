"""What is answered where no view answers: nothing is a crash, and programs are told so in JSON."""

import pytest
from django.db import DatabaseError, OperationalError
from django.test import Client

from config import errors
from experiments.domain.access import Scope
from experiments.keys import issue_key
from tests import builders

PLACES = ["/api", "/api/", "/api/v1/experiments/", "/api/v1/experiments/a/b/results", "/api/v1/experiments/x/refresh/y"]


@pytest.fixture
def bearer(db) -> dict[str, str]:
    return {"authorization": f"Bearer {issue_key(builders.project(), 'report', [Scope.READ], None)[1]}"}


@pytest.mark.parametrize("path", PLACES)
def test_api__where_there_is_nothing__is_404_in_its_own_shape(client, bearer, path):
    answer = client.get(path, headers=bearer)
    refusal = answer.json()["error"]
    assert (answer.status_code, refusal["code"]) == (404, "not_found")
    assert path in refusal["message"]
    assert "/api/v1/experiments" in refusal["message"]


@pytest.mark.parametrize("path", ["/api/v1/experiments/a%00b/results", "/unsubscribe/%00/", "/p/shop/experiments/%00/"])
def test_address__with_a_nul_character__is_404(client, bearer, path):
    assert client.get(path, headers=bearer).status_code == 404


def test_page__where_there_is_nothing__stays_a_page(client, db):
    answer = client.get("/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_api__that_breaks__is_500_in_its_own_shape(bearer, monkeypatch):
    def broken(*_: object) -> None:
        raise DatabaseError("lost")

    monkeypatch.setattr("analysis.api.experiments.experiment_of", broken)
    answer = Client(raise_request_exception=False).get("/api/v1/experiments/x/results", headers=bearer)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "lost" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/v1/experiments/x/results", "/unsubscribe/none/"])
def test_database_out_of_reach__is_503_and_asks_to_come_back(bearer, monkeypatch, path):
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("analysis.api.experiments.experiment_of", gone)
    monkeypatch.setattr("analysis.mail.unsubscribing.get_object_or_404", gone)
    answer = Client(raise_request_exception=False).get(path, headers=bearer)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/sign-in/", "/unsubscribe/none/", "/p/shop/"])
def test_head__wherever_get_is_answered__gets_the_same_status(client, db, path):
    asked, looked = client.get(path), client.head(path)
    assert looked.status_code == asked.status_code


def test_favicon__leads_to_the_icon(client, db):
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert answer["Location"].endswith(".svg")


def test_what_there_is__names_addresses_that_exist(client, bearer):
    first = errors.WHAT_THERE_IS.partition(",")[0].removeprefix("GET ")
    assert client.get(first, headers=bearer).status_code == 200

"""What was typed outlives the session: it comes back filled in after the sign-in, acts on nothing, and is gone then."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment, Metric, Override
from experiments.pages import kept
from tests import builders
from tests.experiments.pages.wizard_forms import why

NEW = "/p/shop/experiments/new/"
METRIC = "/p/shop/metrics/new/"


def signed_in_with(client: Client, answer, email: str = "alice@example.com"):
    """Fill the sign-in page in that a form was answered with."""
    page = answer.content.decode()
    fields = dict(re.findall(r'name="(next|kept)" value="([^"]*)"', page))
    fields = {name: value.replace("&quot;", '"').replace("&#x27;", "'") for name, value in fields.items()}
    return client.post(reverse("sign_in"), {"email": email, "password": builders.PASSWORD, **fields})


def test_form__sent_after_the_session__comes_back_filled_in_and_does_nothing(alice, shop):
    client = Client()
    answer = client.post(NEW, why(name="Typed with care"))
    assert "What you typed is kept" in answer.content.decode()
    to = signed_in_with(client, answer)
    assert to.url == NEW
    page = client.get(to.url).content.decode()
    assert 'value="Typed with care"' in page
    assert kept.SIGNED_OUT in page
    assert not Experiment.objects.exists()
    assert 'value="Typed with care"' not in client.get(NEW).content.decode(), "it is shown once"


def test_form__after_a_wrong_password__is_still_kept(alice, shop):
    client = Client()
    answer = client.post(NEW, why(name="Typed with care"))
    fields = dict(re.findall(r'name="(next|kept)" value="([^"]*)"', answer.content.decode()))
    fields = {name: value.replace("&quot;", '"') for name, value in fields.items()}
    again = client.post(reverse("sign_in"), {"email": alice.email, "password": "wrong", **fields})
    assert again.status_code == 400
    signed_in_with(client, again)
    assert 'value="Typed with care"' in client.get(NEW).content.decode()


def test_form__that_is_sent_to_another_address__shows_its_words_on_the_page_it_was_on(alice, shop):
    builders.experiment(shop, status=Status.DRAFT)
    page_at = reverse("experiment_detail", args=["shop", "new-ranker"])
    client = Client()
    sent = {"unit_id": "typed-unit", "variant": "treatment", "note": ""}
    where = reverse("override_add", args=["shop", "new-ranker"])
    answer = client.post(where, sent, headers={"referer": f"http://testserver{page_at}"})
    assert signed_in_with(client, answer).url == page_at
    assert "typed-unit" in client.get(page_at).content.decode()
    assert not Override.objects.exists()


def test_form__of_a_foreign_page__is_not_led_back_there(alice, shop):
    answer = Client().post(NEW, why(), headers={"referer": "http://evil.example/p/"})
    assert f'name="next" value="{NEW}"' in answer.content.decode()


def test_form__of_every_kind__is_shown_again(alice, shop):
    client = Client()
    signed_in_with(client, client.post(METRIC, {"name": "Typed metric", "kind": "sum"}))
    assert 'value="Typed metric"' in client.get(METRIC).content.decode()
    assert not Metric.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "value", ["", "{", "[]", '{"fields": 1}', '{"page": "/", "action": "/", "fields": [1]}', "null"]
)
def test_sign_in__with_anything_else_as_kept__works_and_keeps_nothing(alice, shop, value: str):
    client = Client()
    sent = {"email": alice.email, "password": builders.PASSWORD, "kept": value, "next": NEW}
    assert client.post(reverse("sign_in"), sent).url == NEW
    assert kept.SIGNED_OUT not in client.get(NEW).content.decode()


def test_form__larger_than_a_session_should_hold__is_asked_to_sign_in_as_before(alice, shop):
    answer = Client().post(NEW, why(hypothesis="x" * (kept.MOST_CHARACTERS + 1)))
    assert (answer.status_code, answer.url.split("?")[0]) == (302, reverse("sign_in"))


def test_piece_of_a_page__asked_for_after_the_session__leaves_the_page_as_it_is(shop):
    answer = Client().post("/p/shop/hypothesis/", {"hypothesis": "x"}, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_form__with_the_token_of_an_earlier_session__comes_back_filled_in(alice, shop):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get(NEW)  # sets the cookie that the token must match
    stale = {**why(name="Typed with care"), "csrfmiddlewaretoken": "a" * 64}
    own = client.post(NEW, stale, headers={"origin": "http://testserver"})
    assert own.url == NEW
    page = client.get(NEW).content.decode()
    assert 'value="Typed with care"' in page
    assert kept.SIGNED_IN_ANEW in page
    assert not Experiment.objects.exists()


def test_form__forged_by_another_site__is_refused_and_not_kept(alice, shop):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get(NEW)
    forged = client.post(NEW, why(name="Forged"), headers={"origin": "http://evil.example"})
    assert forged.status_code == 403
    assert "Forged" not in client.get(NEW).content.decode()

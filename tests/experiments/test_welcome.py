import pytest
from django.urls import reverse

from experiments.models import User
from tests import builders

ANSWERS = {"name": "Alice", "email": "Alice@Example.com", "password": "a long enough secret"}


def test_empty_installation__leads_to_the_first_account(client, db):
    assert client.get("/", follow=True).redirect_chain[-1][0] == reverse("welcome")


def test_first_account__is_signed_in_and_may_create_a_project(client, db):
    answer = client.post(reverse("welcome"), ANSWERS, follow=True)
    assert "Create project" in answer.content.decode()
    assert User.objects.get().email == "alice@example.com"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("password", "short", "at least 10 characters"), ("email", "nobody", "valid email"), ("name", "", "required")],
)
def test_first_account__refuses(client, db, field, value, message):
    answer = client.post(reverse("welcome"), {**ANSWERS, field: value})
    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert not User.objects.exists()


def test_welcome__is_closed_once_somebody_has_an_account(client, db):
    builders.user()
    answer = client.post(reverse("welcome"), ANSWERS)
    assert answer.headers["Location"] == reverse("sign_in")
    assert User.objects.count() == 1

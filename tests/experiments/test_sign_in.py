import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from experiments.pages import throttle
from tests.builders import PASSWORD

WRONG = {"email": "alice@example.com", "password": "not it"}


@pytest.fixture(autouse=True)
def nobody_has_failed() -> None:
    cache.clear()


def post(**fields: str):
    return Client().post(reverse("sign_in"), fields)


def test_sign_in__right_pair__goes_home(alice):
    response = post(email="Alice@Example.com", password=PASSWORD)
    assert (response.status_code, response.url) == (302, "/")


def test_sign_in__a_page_was_wanted__goes_there(alice):
    assert post(email=alice.email, password=PASSWORD, next="/p/shop/metrics/").url == "/p/shop/metrics/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_sign_in__another_site_was_wanted__goes_home(alice, elsewhere: str):
    assert post(email=alice.email, password=PASSWORD, next=elsewhere).url == "/"


def test_sign_in__unknown_address_and_wrong_password__get_the_same_answer(alice):
    wrong, unknown = post(**WRONG), post(email="nobody@example.com", password="not it")
    assert wrong.status_code == unknown.status_code == 400
    said = [page.content.decode().split('role="alert"')[1].split("</div>")[0] for page in (wrong, unknown)]
    assert said[0] == said[1]
    assert "do not match an account" in said[0]


def test_sign_in__nothing_written__is_refused(alice):
    response = post(email="", password="")
    assert response.status_code == 400
    assert "Write your e-mail address and your password" in response.content.decode()


def test_sign_in__after_five_failures__even_the_right_password_waits(alice):
    for _ in range(throttle.ALLOWED_FAILURES):
        assert post(**WRONG).status_code == 400
    response = post(email=alice.email, password=PASSWORD)
    assert response.status_code == 429
    assert "Wait 5 minutes" in response.content.decode()


def test_sign_in__failures_from_another_place__do_not_lock_the_owner_out(alice):
    for _ in range(throttle.ALLOWED_FAILURES):
        Client(REMOTE_ADDR="203.0.113.9").post(reverse("sign_in"), WRONG)
    assert post(email=alice.email, password=PASSWORD).status_code == 302


def test_sign_in__a_success__starts_the_count_again(alice):
    for _ in range(throttle.ALLOWED_FAILURES - 1):
        post(**WRONG)
    post(email=alice.email, password=PASSWORD)
    assert post(**WRONG).status_code == 400
    assert post(email=alice.email, password=PASSWORD).status_code == 302


def test_sign_in__no_cache_answers__lets_people_in(alice, settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert post(**WRONG).status_code == 400
    assert post(email=alice.email, password=PASSWORD).status_code == 302


def test_sign_out__by_link__is_refused_and_by_button_ends_the_session(client_of_alice, shop):
    assert client_of_alice.get(reverse("sign_out")).status_code == 405
    client_of_alice.post(reverse("sign_out"))
    assert client_of_alice.get(reverse("metric_list", args=["shop"])).status_code == 302

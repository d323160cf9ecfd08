"""Alice owns the shop, Bob may look, Charlie is a stranger."""

from typing import Any

import pytest
from django.test import Client

from experiments.domain.access import Role
from experiments.models import Membership, Metric, Project, User
from tests import builders


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Let pages name their static files although none were collected."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "pages"}}


@pytest.fixture
def alice(db: None) -> User:
    return builders.user("alice@example.com")


@pytest.fixture
def shop(alice: User) -> Project:
    return builders.project("shop", owner=alice)


@pytest.fixture
def purchase(shop: Project) -> Metric:
    return builders.metric(shop)


@pytest.fixture
def client_of_alice(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def client_of_bob(shop: Project) -> Client:
    bob = builders.user("bob@example.com")
    Membership.objects.create(project=shop, user=bob, role=Role.VIEWER)
    return signed_in(bob)


@pytest.fixture
def client_of_charlie(db: None) -> Client:
    return signed_in(builders.user("charlie@example.com"))


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client

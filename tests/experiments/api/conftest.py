"""A shop with a metric, and keys to it."""

import pytest

from experiments.domain.access import Scope
from experiments.keys import issue_key
from experiments.models import Project
from tests import builders
from tests.experiments.api.asking import Api


@pytest.fixture
def home(db) -> Project:
    return builders.project("rest-shop")


@pytest.fixture
def api(home: Project) -> Api:
    """Ask with a key that may read, write and manage members."""
    builders.metric(home, "purchase-rate")
    return Api(issue_key(home, "deploys", [Scope.READ, Scope.WRITE, Scope.MEMBERS], None)[1])


@pytest.fixture
def reader(home: Project) -> Api:
    return Api(issue_key(home, "report", [Scope.READ], None)[1])


@pytest.fixture
def stranger(db) -> Api:
    elsewhere = builders.project("elsewhere")
    return Api(issue_key(elsewhere, "stranger", [Scope.READ, Scope.WRITE], None)[1])


def draft(key: str = "new-ranker", **fields: object) -> dict[str, object]:
    """Return the body of a plain experiment."""
    return {
        "key": key,
        "name": key.replace("-", " ").capitalize(),
        "variants": [{"key": "control", "weight": 5000}, {"key": "treatment", "weight": 5000}],
        "metrics": [{"metric": "purchase-rate", "role": "primary"}],
        **fields,
    }


def flag(key: str = "checkout", **fields: object) -> dict[str, object]:
    """Return the body of a boolean flag."""
    return {"key": key, "name": key.capitalize(), "value_type": "boolean", "default_value": False, **fields}

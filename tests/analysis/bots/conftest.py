"""The pages' people: Alice owns, Bob may look, Charlie is a stranger."""

import pytest

from experiments.models import Experiment, Project
from tests import builders
from tests.experiments.conftest import (  # noqa: F401  (fixtures are found by their names here)
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    shop,
)


@pytest.fixture
def ranker(shop: Project) -> Experiment:  # noqa: F811
    return builders.experiment(shop, "new-ranker", name="New ranker")

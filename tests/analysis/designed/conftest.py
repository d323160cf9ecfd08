"""The pages' people: Alice owns, Bob may look, Charlie is a stranger."""

from tests.experiments.conftest import (  # noqa: F401  (fixtures are found by their names here)
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    purchase,
    shop,
)

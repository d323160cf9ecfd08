"""The pages' people: Alice owns, Bob may look, Charlie is a stranger."""

from tests.analysis.pages.every_page import answers, parts  # noqa: F401  (fixtures are found by their names here)
from tests.experiments.conftest import (  # noqa: F401
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    purchase,
    shop,
)

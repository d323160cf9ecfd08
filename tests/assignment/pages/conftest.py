from tests.experiments.conftest import (  # noqa: F401  (the people and their shop)
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    purchase,
    shop,
)

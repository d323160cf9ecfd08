from tests.analysis.notices.conftest import (  # noqa: F401  (fixtures are found by their names here)
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    mail_server,
    plain_static_files,
    shop,
    sink,
)

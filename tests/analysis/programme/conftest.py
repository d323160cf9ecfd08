"""An event log whose rows are committed, and the pages' people."""

from tests.analysis.pages.conftest import (  # noqa: F401  (fixtures are found by their names here)
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    purchase,
    shop,
)
from tests.analysis.pipeline.conftest import collected_static_files, log, quick_flush  # noqa: F401

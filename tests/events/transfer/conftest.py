import pytest

from tests import builders


@pytest.fixture
def home(address):
    """A project beside an empty log."""
    return builders.project("shop")

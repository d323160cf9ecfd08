"""Every page, found from the URL conf, asks the database as often of many experiments as of few."""

import pytest

from benchmarks.queries import counted

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(900)]


def test_pages__of_twice_as_many_experiments__ask_no_more_often():
    few, many = counted("few", 40), counted("many", 80)
    assert len(many) > 90
    assert many == few

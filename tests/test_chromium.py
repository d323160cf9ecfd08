"""A browser that nobody closes cannot hold the tests up."""

import pytest
from playwright.sync_api import Error

from tests import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_launched__for_longer_than_it_may__fails_what_waits_for_it(monkeypatch):
    monkeypatch.setattr(chromium, "SECONDS", 2)
    with pytest.raises(Error, match="closed"), chromium.launched() as browser:
        browser.new_page().wait_for_timeout(30_000)

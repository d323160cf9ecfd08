import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.tokens import PERIOD_SECONDS, Tokens
from experiments.domain.environments import Environment

SECRET = "only-for-tests"
NOW = 1_800_000_000.0


def tokens(at=NOW, secret=SECRET):
    return Tokens(secret, lambda: at)


def test_token__read_again__says_project_and_environment():
    stream = tokens().read(tokens().issue(7, Environment.STAGING))
    assert (stream.project_id, stream.environment) == (7, Environment.STAGING)


def test_token__is_good_for_half_an_hour_at_least_and_an_hour_at_most():
    token = tokens().issue(7, Environment.PRODUCTION)
    assert tokens(NOW + PERIOD_SECONDS - 1).read(token) is not None
    assert tokens(NOW + 2 * PERIOD_SECONDS).read(token) is None


def test_token__within_a_period__is_the_same_for_everyone_and_another_one_in_the_next():
    first = tokens().issue(7, Environment.PRODUCTION)
    start = NOW // PERIOD_SECONDS * PERIOD_SECONDS
    assert tokens(start).issue(7, Environment.PRODUCTION) == first
    assert tokens(start + PERIOD_SECONDS).issue(7, Environment.PRODUCTION) != first


def test_token__needs_no_escaping_in_an_address_and_holds_no_secret():
    token = tokens().issue(7, Environment.PRODUCTION)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", token)
    assert SECRET.encode() not in base64.urlsafe_b64decode(token.partition(".")[0] + "==")


def test_token__of_another_installation__is_none_of_ours():
    assert tokens().read(tokens(secret="another").issue(7, Environment.PRODUCTION)) is None


def test_token__with_another_payload__is_refused():
    payload, _, signature = tokens().issue(7, Environment.PRODUCTION).partition(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload + "==").replace(b"7", b"8", 1)).decode()
    assert tokens().read(f"{forged.rstrip('=')}.{signature}") is None


@pytest.mark.parametrize("token", ["", ".", "a.b", "ä.ö", "." * 50, "W10.W10", "null", "%00.%00", "\ud800.x"])
def test_token__nonsense__is_none(token):
    assert tokens().read(token) is None


@given(st.text(max_size=80))
def test_token__any_text__is_none_and_nothing_is_raised(text):
    assert tokens().read(text) is None

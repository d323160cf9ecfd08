"""Slow down whoever guesses passwords: five failures for one address from one place, then a wait."""

import hashlib
import logging

from django.core.cache import cache
from redis.exceptions import RedisError

ALLOWED_FAILURES = 5
WAIT_SECONDS = 300

log = logging.getLogger(__name__)


def is_blocked(email: str, place: str) -> bool:
    """Say whether this address and place must wait. Without a cache nobody waits: a broken cache locks nobody out."""
    try:
        return int(cache.get(_key(email, place), 0)) >= ALLOWED_FAILURES
    except RedisError:
        log.warning("Sign-in is not throttled: the cache does not answer.")
        return False


def count_failure(email: str, place: str) -> None:
    """Count one failure; the count is forgotten ``WAIT_SECONDS`` after the first."""
    try:
        key = _key(email, place)
        cache.add(key, 0, WAIT_SECONDS)
        cache.incr(key)
    except (RedisError, ValueError):  # ValueError: the count expired between the two calls
        log.warning("A failed sign-in could not be counted.")


def forget(email: str, place: str) -> None:
    """Start the count again after a success."""
    try:
        cache.delete(_key(email, place))
    except RedisError:
        log.warning("The count of failed sign-ins could not be reset.")


def _key(email: str, place: str) -> str:
    # Hashed, so that the cache holds no list of addresses.
    return "sign-in:" + hashlib.sha256(f"{email.strip().lower()}|{place}".encode()).hexdigest()

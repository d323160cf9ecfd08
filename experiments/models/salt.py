"""Salts: what makes each split its own."""

import secrets


def new_salt() -> str:
    """Return a random salt, so that no two experiments split the same units alike."""
    return secrets.token_hex(8)

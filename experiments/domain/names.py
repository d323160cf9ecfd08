"""Keys: what an app asks for."""

import re

# OFREP clients put the key into a URL, some of them without encoding it: only what needs no encoding is allowed.
KEY = re.compile(r"[A-Za-z0-9._-]+")
KEY_RULE = "use letters, digits, dots, dashes and underscores only"
RESERVED_KEYS = {"new", ".", ".."}
LONGEST_KEY = 80


def key_problem(key: str) -> str | None:
    """Return why a key cannot be used, or None."""
    if not KEY.fullmatch(key):
        return f"The key is {key!r}; {KEY_RULE}."
    if key in RESERVED_KEYS:
        return f"The key {key!r} is an address of the product itself; choose another."
    if len(key) > LONGEST_KEY:
        return f"The key has {len(key)} characters; {LONGEST_KEY} are allowed."
    return None

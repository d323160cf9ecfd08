"""What is stored of an API key."""

import hashlib


def digest(plain: str) -> str:
    """Return a key's SHA-256 in hex: its 256 random bits need no salt and no slow hash.

    Any text a client may send has one, also text with lone surrogates, which no key holds.
    """
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()

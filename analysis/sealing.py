"""Keep secrets that must be read again (addresses and signing keys of webhooks) so that the database alone opens none.

Sealed with a key that is derived from the installation's secret: whoever loses that types the addresses anew.
"""

import base64
from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"truelift sealed secrets v1"


class SealedError(Exception):
    """A sealed text cannot be opened; the message says why and what to do."""


def seal(plain: str) -> str:
    """Return the text so that only this installation can read it."""
    return _box(settings.SECRET_KEY).encrypt(plain.encode()).decode()


def unseal(sealed: str) -> str:
    """Return what was sealed.

    Raises
    ------
    SealedError
        The installation's secret is another one than when it was sealed.
    """
    try:
        return _box(settings.SECRET_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealedError(
            "It was kept under another TRUELIFT_SECRET_KEY than this installation has now. Enter it anew."
        ) from error


@cache
def _box(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))

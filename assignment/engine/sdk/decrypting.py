"""Reading encrypted configurations: AES-128 in CBC mode with PKCS #7 padding."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

BLOCK_BYTES = 16
KEY_BYTES = 16
SECTIONS = {
    "features": "encryptedFeatures",
    "experiments": "encryptedExperiments",
    "savedGroups": "encryptedSavedGroups",
    "contextualBandits": "encryptedContextualBandits",
}


def decrypt(encrypted: Any, key: Any) -> str | None:
    """Return the text that was encrypted, or None where the key or the text is wrong.

    Parameters
    ----------
    encrypted
        ``base64(16 bytes of initialisation vector) + "." + base64(ciphertext)``.
    key
        ``base64(16 bytes)``.

    References
    ----------
    NIST SP 800-38A (CBC); RFC 5652, section 6.3 (padding).
    """
    if not isinstance(encrypted, str) or not isinstance(key, str):
        return None
    vector, delimiter, ciphertext = encrypted.partition(".")
    parts = [_bytes(part) for part in (vector, ciphertext, key)] if delimiter else []
    if len(parts) != 3 or len(parts[0]) != BLOCK_BYTES or len(parts[2]) != KEY_BYTES:
        return None
    if not parts[1] or len(parts[1]) % BLOCK_BYTES:
        return None
    try:
        return _unpadded(_deciphered(*parts)).decode()
    except ValueError:
        return None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _deciphered(vector: bytes, ciphertext: bytes, key: bytes) -> bytes:
    # Loading the cipher takes longer than a thousand evaluations, and few configurations are encrypted.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()


def _unpadded(padded: bytes) -> bytes:
    length = padded[-1]
    if not 1 <= length <= BLOCK_BYTES or padded[-length:] != bytes([length]) * length:
        raise ValueError("the padding is wrong")
    return padded[:-length]


def decrypt_payload(payload: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """Return a payload with every encrypted section in the clear, or None where one cannot be read."""
    opened = {name: value for name, value in payload.items() if name not in SECTIONS.values()}
    for section, name in SECTIONS.items():
        if payload.get(name) is None:
            continue
        plain = decrypt(payload[name], key)
        try:
            opened[section] = json.loads(plain) if plain is not None else None
        except (ValueError, RecursionError):
            return None
        if opened[section] is None:
            return None
    return opened

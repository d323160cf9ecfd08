"""An environment's payload in every form that goes over the wire, each made once."""

import base64
import binascii
import gzip
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msgspec import Struct

from assignment.engine.sdk.decrypting import BLOCK_BYTES, KEY_BYTES, SECTIONS

LONGEST_LINE = 48 * 1024
"""aiohttp, which the Python SDK streams with, refuses lines of more than 128 KiB."""
_GZIP_LEVEL = 6
_OUTSIDE_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|,', re.DOTALL)


class Packed(Struct, frozen=True, kw_only=True):
    """One payload: as JSON, compressed, and as JSON on lines that every client reads.

    ``etag`` is that of the plain body without its quotes; the compressed body is another representation and has
    another one (RFC 9110, 8.8.3.3).
    """

    plain: bytes
    gzipped: bytes
    lines: bytes
    etag: str

    @property
    def has_long_lines(self) -> bool:
        """Say whether a line is left that some clients cannot read: encrypted text cannot be broken."""
        return any(len(line) > 2 * LONGEST_LINE for line in self.lines.split(b"\n"))


def pack(payload: bytes, encryption_key: str = "") -> Packed:
    """Return the payload packed, encrypted where there is a key. Equal input gives equal bytes in every process.

    Raises
    ------
    ValueError
        When the encryption key is not the base64 text of 16 bytes.
    """
    plain = encrypted(payload, encryption_key) if encryption_key else payload
    return Packed(
        plain=plain,
        gzipped=gzip.compress(plain, _GZIP_LEVEL, mtime=0),
        lines=broken_into_lines(plain),
        etag=hashlib.blake2b(plain, digest_size=16).hexdigest(),
    )


def broken_into_lines(document: bytes) -> bytes:
    """Return the same JSON with line breaks after commas, so that no line is longer than it must be."""
    if len(document) <= LONGEST_LINE:
        return document
    return b"\n".join(_lines(document))


def _lines(document: bytes) -> Iterable[bytes]:
    start = 0
    for token in _OUTSIDE_STRINGS.finditer(document):
        if token.end() - start > LONGEST_LINE and token[0] == b",":
            yield document[start : token.end()]
            start = token.end()
    yield document[start:]


def encrypted(payload: bytes, encryption_key: str) -> bytes:
    """Return the payload with each section encrypted and nothing of it in the clear."""
    key = _key_of(encryption_key)
    sections: Mapping[str, msgspec.Raw] = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    written: dict[str, object] = {}
    for name, content in sections.items():
        if name not in SECTIONS:
            written[name] = content
            continue
        if name == "features":
            written[name] = {}  # clients take a payload without features for a broken one
        written[SECTIONS[name]] = encrypt(bytes(content), key, name)
    return msgspec.json.encode(written)


def encrypt(text: bytes, key: bytes, purpose: str) -> str:
    """Return ``base64(initialisation vector) + "." + base64(ciphertext)`` of AES-128 in CBC mode with PKCS #7 padding.

    The vector is not drawn but derived from key and text, so that every process gives the same bytes, and with them
    the same entity tag. It shows only whether two texts are equal, which the tag shows anyway.

    References
    ----------
    NIST SP 800-38A, appendix C (an unpredictable vector); RFC 5297 for the idea of a vector made from the text.
    """
    vector_key = hmac.digest(key, b"vector of " + purpose.encode(), "sha256")
    vector = hmac.digest(vector_key, text, "sha256")[:BLOCK_BYTES]
    missing = BLOCK_BYTES - len(text) % BLOCK_BYTES
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    ciphertext = encryptor.update(text + bytes([missing]) * missing) + encryptor.finalize()
    return f"{base64.b64encode(vector).decode()}.{base64.b64encode(ciphertext).decode()}"


def _key_of(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"The encryption key must be the base64 text of {KEY_BYTES} bytes.")
    return key

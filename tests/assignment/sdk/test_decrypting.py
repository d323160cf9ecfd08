import base64
import hashlib
import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from assignment.engine.sdk.decrypting import decrypt, decrypt_payload
from config.paths import REPOSITORY

KEY = base64.b64encode(b"0123456789abcdef").decode()


def encrypt(plain, key=KEY):
    vector = hashlib.sha256(plain).digest()[:16]  # the same in every worker that collects these tests
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(base64.b64decode(key)), modes.CBC(vector)).encryptor()
    text = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return base64.b64encode(vector).decode() + "." + base64.b64encode(text).decode()


@pytest.mark.parametrize("plain", ["", "a", "x" * 16, "ünïcödé 😀", "y" * 1000])
def test_decrypt__what_was_encrypted__comes_back(plain):
    assert decrypt(encrypt(plain.encode()), KEY) == plain


@pytest.mark.parametrize(
    ("encrypted", "key"),
    [
        (".", KEY),
        ("", KEY),
        (None, KEY),
        ("a.b", KEY),
        (encrypt(b"x"), "!"),
        (encrypt(b"x"), None),
        (encrypt(b"\xff"), KEY),
        (encrypt(b"x"), base64.b64encode(b"k" * 32).decode()),
        (encrypt(b"x") + "=", KEY),
        (encrypt(b"x")[:-4], KEY),
    ],
)
def test_decrypt__anything_wrong__is_none(encrypted, key):
    assert decrypt(encrypted, key) is None


def test_payload__encrypted_sections__take_the_place_of_the_empty_ones():
    sealed = {
        "status": 200, "features": {}, "encryptedFeatures": encrypt(b'{"f": {}}'),
        "encryptedSavedGroups": encrypt(b'{"g": [1]}'),
    }  # fmt: skip
    assert decrypt_payload(sealed, KEY) == {"status": 200, "features": {"f": {}}, "savedGroups": {"g": [1]}}


@pytest.mark.parametrize("section", [encrypt(b"no json"), "x.y", encrypt(json.dumps(None).encode())])
def test_payload__section_that_cannot_be_read__is_none(section):
    assert decrypt_payload({"encryptedFeatures": section}, KEY) is None


def test_hot_path__evaluating__does_not_load_the_cipher_or_django():
    program = "import sys, assignment.engine.cases; sys.exit(bool({'cryptography', 'django'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.doors.packing import LONGEST_LINE, broken_into_lines, encrypt, pack
from assignment.engine.sdk.decrypting import decrypt, decrypt_payload
from tests.assignment.doors.fakes import ENCRYPTION_KEY, document, payload

KEY = b"1234567890123456"


def test_pack__plain__is_the_payload_itself_and_its_compression():
    packed = pack(payload())
    assert packed.plain == gzip.decompress(packed.gzipped) == payload()


def test_pack__encrypted__is_read_back_by_the_engine_and_hides_every_section():
    packed = pack(payload(), ENCRYPTION_KEY)
    assert decrypt_payload(json.loads(packed.plain), ENCRYPTION_KEY) == document()
    for secret in (b"ranker", b"old", b"team", b"u1"):
        assert secret not in packed.plain
    assert json.loads(packed.plain)["features"] == {}


def test_pack__encrypted__equal_payloads_have_equal_bytes_and_different_ones_share_no_vector():
    one, same, other = (
        pack(content, ENCRYPTION_KEY) for content in (payload(), payload(), payload(features={"x": {}}))
    )
    assert (one.plain, one.etag) == (same.plain, same.etag)
    assert one.etag != other.etag
    vectors = {json.loads(packed.plain)["encryptedFeatures"].partition(".")[0] for packed in (one, other)}
    assert len(vectors) == 2


def test_encrypt__equal_sections__do_not_show_that_they_are_equal():
    assert encrypt(b"[]", KEY, "experiments") != encrypt(b"[]", KEY, "savedGroups")


@given(st.binary(max_size=100))
def test_encrypt__any_text__is_decrypted_to_itself(text):
    opened = decrypt(encrypt(text, KEY, "features"), ENCRYPTION_KEY)
    assert (opened is None) == (not _is_text(text))
    assert opened is None or opened.encode() == text


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("key", ["short", "MTIz", "not base 64 !!", "MTIzNDU2Nzg5MDEyMzQ1Ng"])
def test_pack__a_key_that_is_none__says_what_a_key_is(key):
    with pytest.raises(ValueError, match="base64 text of 16 bytes"):
        pack(payload(), key)


def test_lines__a_large_payload__is_the_same_json_on_lines_that_aiohttp_reads():
    groups = {f"group-{n}": [f'a,"b\\{m}' for m in range(2_000)] for n in range(20)}
    large = payload(savedGroups=groups)
    lines = broken_into_lines(large)
    assert json.loads(lines) == json.loads(large)
    assert b"\n" not in large
    assert max(map(len, lines.split(b"\n"))) < 2 * LONGEST_LINE < 128 * 1024
    assert not pack(large).has_long_lines


def test_lines__a_string_that_cannot_be_broken__is_told():
    assert pack(payload(features={"x": {"defaultValue": "y" * 200_000}}), ENCRYPTION_KEY).has_long_lines

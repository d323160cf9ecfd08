import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.engine.hashing import BUCKETS, bucket_of, fnv1a_32, hash_share

UNITS = [f"unit-{number}" for number in range(20_000)]

# Five standard deviations of a count that is right: a fixed set of ids never flakes, and a hash that leaned by one
# per cent would be 28 deviations away.
LARGEST_Z = 5.0


def z(observed: int, expected_share: float, trials: int) -> float:
    return abs(observed - trials * expected_share) / math.sqrt(trials * expected_share * (1 - expected_share))


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", 0x811C9DC5),  # RFC 9923, appendix C: FNV-1a, 32 bits
        ("a", 0xE40C292C),
        ("foobar", 0xBF9CF968),
        # node -e: h = 0x811c9dc5; for each charCodeAt(i): h = Math.imul(h ^ code, 0x01000193) >>> 0
        ("naïve", 921279308),
        ("日本語", 1409693518),
        ("😀", 3409036472),
        ("user-😀-é", 335694666),
        ("\ud800", 75617567),
    ],
)
def test_fnv1a_32__hashes_utf16_code_units_as_javascript_does(text, digest):
    assert fnv1a_32(text) == digest


@pytest.mark.parametrize(("unit", "bucket"), [("zoë", 5306), ("日本", 2083), ("😀", 7735)])
def test_bucket_of__text_beyond_ascii__agrees_with_javascript(unit, bucket):
    assert bucket_of("salt", unit) == bucket


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_fnv1a_32__ascii__equals_the_unit_by_unit_definition(text):
    digest = 0x811C9DC5
    for character in text:
        digest = (digest ^ ord(character)) * 0x01000193 % 2**32
    assert fnv1a_32(text) == digest


@given(st.text(), st.text())
def test_bucket_of__any_text__is_two_passes_within_the_buckets(seed, unit):
    assert bucket_of(seed, unit) == fnv1a_32(str(fnv1a_32(seed + unit))) % BUCKETS
    assert hash_share(seed, unit, 2) == bucket_of(seed, unit) / BUCKETS


def test_hash_share__version_1__puts_the_value_first():
    assert hash_share("seed", "value", 1) == fnv1a_32("valueseed") % 1000 / 1000


def test_hash_share__unknown_version__is_not_defined():
    assert hash_share("seed", "value", 3) is None


@pytest.mark.parametrize("salt", ["", "a", "checkout", "0123456789abcdef", "salt-1", "salt-2"])
def test_buckets__of_fixed_ids__are_uniform(salt):
    cells = 100
    counts = [0] * cells
    for unit in UNITS:
        counts[bucket_of(salt, unit) * cells // BUCKETS] += 1
    expected = len(UNITS) / cells
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    # Chi-square with k degrees of freedom has mean k and variance 2k.
    assert abs(chi_square - (cells - 1)) / math.sqrt(2 * (cells - 1)) < LARGEST_Z
    assert all(z(count, 1 / cells, len(UNITS)) < LARGEST_Z for count in counts)


@pytest.mark.parametrize(("one", "other"), [("salt-1", "salt-2"), ("a", "b"), ("0123456789abcdef", "1123456789abcdef")])
def test_buckets__under_two_salts__are_independent(one, other):
    quarters = [[0] * 4 for _ in range(4)]
    for unit in UNITS:
        quarters[bucket_of(one, unit) * 4 // BUCKETS][bucket_of(other, unit) * 4 // BUCKETS] += 1
    assert all(z(count, 1 / 16, len(UNITS)) < LARGEST_Z for row in quarters for count in row)


@pytest.mark.parametrize("prefix", ["", "user-", "00000000-0000-4000-8000-00000000"])
def test_buckets__of_numbered_ids__split_in_halves_for_every_salt(prefix):
    ids = [f"{prefix}{number:04}" for number in range(4_000)]
    for salt in (f"experiment-{number}" for number in range(50)):
        in_first_half = sum(bucket_of(salt, unit) < BUCKETS // 2 for unit in ids)
        assert z(in_first_half, 0.5, len(ids)) < LARGEST_Z

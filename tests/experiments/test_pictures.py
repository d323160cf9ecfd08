"""Pictures of variants: only pixels are kept, files that are none are refused, nothing is kept twice."""

import contextlib
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from experiments import pictures
from experiments.models import AuditEntry, Screenshot
from experiments.pictures import PictureError, redraw
from tests import builders


def a_file(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "teal" if mode != "LA" else 128).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "P"), ("JPEG", "RGB"), ("WEBP", "RGB"), ("GIF", "P")],
)
def test_redraw__each_kind__becomes_webp_of_its_size(kind: str, mode: str):
    made = redraw(a_file(kind, mode=mode))
    with Image.open(io.BytesIO(made.content)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (64, 48)) == ("WEBP", (made.width, made.height))


def test_redraw__what_stood_beside_the_pixels__is_gone():
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    made = redraw(a_file("JPEG", exif=exif) + b"<script>alert(1)</script>")
    assert b"secret" not in made.content
    assert b"script" not in made.content


def test_redraw__a_turned_photograph__stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert redraw(a_file("JPEG", exif=exif)).width == 48


def test_redraw__a_large_picture__is_made_smaller():
    made = redraw(a_file(size=(4000, 1000)))
    assert (made.width, made.height) == (1600, 400)


def a_bomb(side: int) -> bytes:
    """A PNG that says it is ``side`` pixels wide and high, and holds none of them."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (b"", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "no picture"),
        (b"%PDF-1.7", "no picture"),
        (a_file()[:60], "damaged|no picture"),
        (a_bomb(8_000), "64 million pixels"),
        (a_bomb(60_000), "too many pixels"),
        (b"\x89PNG" + b"0" * 5_000_001, "5.0 MB"),
    ],
)
def test_redraw__what_cannot_be_kept__is_refused_in_words(upload: bytes, words: str):
    with pytest.raises(PictureError, match=words):
        redraw(upload)


@settings(max_examples=60)
@given(st.data())
def test_redraw__damaged_files__are_pictures_or_refused(data):
    good = a_file(data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"])))
    place = data.draw(st.integers(0, len(good) - 1))
    spoilt = good[:place] + data.draw(st.binary(max_size=8)) + good[place + data.draw(st.integers(0, 20)) :]
    with contextlib.suppress(PictureError):  # whatever else it raises fails the test
        assert redraw(spoilt).content


@pytest.mark.django_db
def test_attach__the_same_picture_twice__is_kept_once_and_removed_once(shop, alice):
    tested = builders.experiment(shop)
    picture = redraw(a_file())
    first = pictures.attach(tested, "treatment", picture, alice, "The list")
    assert pictures.attach(tested, "treatment", picture, alice) == first
    assert [pictures.detach(first, alice) for _ in range(2)] == [True, False]
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["experiment.picture-add", "experiment.picture-remove"]


@pytest.mark.django_db
def test_attach__to_nothing_or_too_many__is_refused(shop, alice):
    tested = builders.experiment(shop)
    with pytest.raises(PictureError, match="no variant"):
        pictures.attach(tested, "gone", redraw(a_file()), alice)
    for width in range(pictures.MOST_PER_VARIANT):
        pictures.attach(tested, "control", redraw(a_file(size=(10 + width, 10))), alice)
    with pytest.raises(PictureError, match="the most"):
        pictures.attach(tested, "control", redraw(a_file(size=(99, 10))), alice)
    assert Screenshot.objects.count() == pictures.MOST_PER_VARIANT

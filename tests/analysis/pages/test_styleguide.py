import re

from django.urls import reverse

from config.paths import REPOSITORY

TOKENS = (REPOSITORY / "templates" / "static" / "css" / "tokens.css").read_text()
GROUNDS = ("page", "surface", "sunken")
READ = {"text", "muted", "accent", "good", "bad", "warn"}
"""What words are written in; the others are edges of fields, marks and lines."""


def test_styleguide__shows_every_part_without_a_sign_in(client, db):
    page = client.get(reverse("styleguide"))
    assert page.status_code == 200
    assert page.content.decode().count("<table") >= 4


def luminance(colour: str) -> float:
    """Return relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_tokens__words_fields_marks_and_lines__stand_out_in_both_themes():
    """Words by 4.5 to 1 (WCAG 1.4.3), what must be seen by 3 to 1 (1.4.11, of which axe asks nothing)."""
    found = {name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((.+?), (.+?)\)", TOKENS)}
    marks = [name for name in found if name in READ or name in ("edge", "neutral") or name.startswith("series")]
    assert len(marks) == 13
    weak = {
        (name, ground, theme): round(contrast(found[name][theme], found[ground][theme]), 2)
        for name in marks for ground in GROUNDS for theme in (0, 1)
        if contrast(found[name][theme], found[ground][theme]) < (4.5 if name in READ else 3)
    }  # fmt: skip
    assert weak == {}

"""The user guide is read in the product and beside the code, and its pictures are those that the browser takes."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from experiments.pages import guide as chapters
from tests.docs import guide_pictures as guide

MOST_BYTES = 4_000_000
MOST_BYTES_A_PICTURE = 200_000
TEXTS = {file.stem: file.read_text() for file in guide.GUIDE.glob("*.md")}


def test_guide__has_each_chapter_as_a_file_and_each_file_as_a_chapter():
    assert set(TEXTS) == set(chapters.CHAPTERS)


def test_pictures__are_those_that_the_browser_takes_and_each_is_shown():
    named = {name for text in TEXTS.values() for name in re.findall(r"!\[[^\]]+\]\(images/([\w-]+)\.webp\)", text)}
    assert named == set(guide.PICTURES), "run `make guide` after changing tests/docs/guide_pictures.py"
    kept = {file.stem: file.stat().st_size for file in guide.IMAGES.iterdir()}
    assert set(kept) == named
    assert max(kept.values()) <= MOST_BYTES_A_PICTURE
    assert sum(kept.values()) <= MOST_BYTES


@pytest.mark.parametrize("name", TEXTS)
def test_links__lead_to_chapters_and_to_headings_that_are_there(name):
    for target in re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", TEXTS[name]):
        file, _, place = target.partition("#")
        assert file.removesuffix(".md") in chapters.CHAPTERS, (
            f"{name} leads to {target}, which the product does not show"
        )
        assert not place or f'id="{place}"' in chapters.text_of(file.removesuffix(".md"))


@pytest.mark.django_db
def test_chapter__is_read_without_a_sign_in_and_leads_inside_the_product():
    client = Client()
    page = client.get(reverse("guide")).content.decode()
    assert f'href="{reverse("guide_chapter", args=["first-experiment"])}"' in page
    assert ".md" not in page
    source = re.search(r'<img src="([^"]+)"', page)
    assert source
    shown = client.get(source[1])
    assert (shown["Content-Type"], shown.content[8:12]) == ("image/webp", b"WEBP")
    assert client.get("/guide/nothing/").status_code == 404
    assert client.get("/guide/images/nothing/").status_code == 404


@pytest.mark.parametrize(
    ("page", "chapter"),
    [
        ("experiment_results", "reading-results"), ("experiment_set_up", "first-experiment"),
        ("experiment_detail", "life-cycle"), ("metric_edit", "metrics"), ("evidence_holdbacks", "evidence"),
        ("webhook_list", "e-mails"), ("key_list", chapters.FIRST),
    ],
)  # fmt: skip
def test_help__leads_to_the_chapter_about_the_page(page, chapter):
    assert chapters.help_for(page) == chapters.address_of(chapter)

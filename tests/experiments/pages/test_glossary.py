import re
from pathlib import Path

import pytest
from django.template import Context, Template
from django.urls import reverse

from experiments.domain.glossary import TERMS, UnknownTermError

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"


def drawn(source: str) -> str:
    return Template(source).render(Context())


def test_glossary__without_a_sign_in__has_every_term_with_an_address(client, db):
    page = client.get(reverse("glossary")).content.decode()
    for key in TERMS:
        assert f'<dt id="{key}">' in page


def test_glossary__a_search__keeps_what_matches(client, db):
    page = client.get(reverse("glossary"), {"q": "mismatch"}).content.decode()
    assert 'id="srm"' in page
    assert 'id="bandit"' not in page
    assert "No term has “unicorn”" in client.get(reverse("glossary"), {"q": "unicorn"}).content.decode()


def test_glossary__asks_the_database_nothing_of_its_own(client_of_alice, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):  # session, person, projects
        client_of_alice.get(reverse("glossary"))


def test_term__is_a_button_that_opens_its_own_explanation():
    page = drawn('{% term "srm" "split" %}')
    name = re.search(r'<button type="button" class="term" popovertarget="([^"]+)">split</button>', page)
    assert name is not None
    assert f'id="{name[1]}" popover' in page
    assert f"{reverse('glossary')}#srm" in page


def test_term__twice_on_a_page__has_two_addresses():
    page = drawn('{% term "lift" %}{% term "lift" %}')
    assert len(set(re.findall(r'id="([^"]+)"', page))) == 2


def test_term__text_of_people__is_escaped():
    assert "<script>" not in Template('{% term "lift" words %}').render(Context({"words": "<script>"}))


def test_term__that_the_glossary_lacks__is_found_before_anybody_sees_the_page():
    with pytest.raises(UnknownTermError):
        drawn('{% term "unicorn" %}')


def test_templates__every_term_named__is_in_the_glossary():
    named = {key for file in TEMPLATES.rglob("*.html") for key in re.findall(r'{% term "([^"]+)"', file.read_text())}
    assert named <= set(TERMS)

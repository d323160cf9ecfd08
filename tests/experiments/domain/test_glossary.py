import re

import pytest

from experiments.domain import glossary
from experiments.domain.glossary import TERMS, Topic, UnknownTermError


def test_terms__each__fits_a_tooltip_and_ends_as_a_sentence():
    for term in TERMS.values():
        assert len(term.short) <= 190, term.key
        assert term.short.endswith("."), term.key
        assert not term.more or term.more.endswith((".", ")")), term.key
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", term.key)


def test_terms__what_they_refer_to__exists_and_is_not_themselves():
    for term in TERMS.values():
        assert term.key not in term.see
        assert set(term.see) <= set(TERMS), term.key


def test_term__an_unknown_key__is_refused_with_what_there_is():
    with pytest.raises(UnknownTermError, match=r"no term 'srn'; it has .*srm"):
        glossary.term("srn")


def test_matching__every_word__must_occur_whatever_its_case():
    assert TERMS["srm"] in glossary.matching("SAMPLE ratio")
    assert glossary.matching("sample unicorn") == []


def test_by_topic__keeps_the_order_of_chapters_and_leaves_empty_ones_out():
    assert list(glossary.by_topic()) == list(Topic)
    assert list(glossary.by_topic([TERMS["srm"]])) == [Topic.HEALTH]

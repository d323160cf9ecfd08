"""Full-text search: what people type becomes a query in which every word may be the beginning of one."""

import re
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVectorField
from django.db.models import F, FilteredRelation, Func, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.html import conditional_escape, format_html_join
from django.utils.safestring import SafeString, mark_safe

from experiments.domain.conclusions import ConclusionState
from experiments.models import Experiment

LONGEST_SEARCH = 200
MOST_WORDS = 12
_WORD = re.compile(r"\w+")

Found = QuerySet[Experiment, Experiment]


def words_of(text: str) -> list[str]:
    """Return the words of a search; signs only part them."""
    return _WORD.findall(text[:LONGEST_SEARCH].lower().replace("\0", ""))[:MOST_WORDS]


def query(words: list[str], joined: str = "&") -> SearchQuery:
    """Return a query for texts in which each word begins some word, or with ``|`` any of them."""
    return SearchQuery(f" {joined} ".join(f"{word}:*" for word in words), config="english", search_type="raw")


def with_conclusion(rows: Found) -> Found:
    """Let the conclusion in force, if there is one, be asked as ``made``."""
    in_force = Q(conclusions__state=ConclusionState.MADE.value)
    return rows.annotate(made=FilteredRelation("conclusions", condition=in_force))


def matching(rows: Found, words: list[str], joined: str = "&") -> Found:
    """Keep the experiments whose plan, headline or conclusion has the words, with their ``rank``; needs ``made``."""
    if not words:
        return rows
    wanted = query(words, joined)
    text = _all_words()
    return rows.annotate(text=text, rank=SearchRank(text, wanted)).filter(text=wanted)


def _all_words() -> Any:  # an expression; the stubs know no common type
    empty = Func(Value(""), function="to_tsvector", output_field=SearchVectorField())
    joined: Any = F("words")
    for name in ("standing__words", "made__words"):
        part = Coalesce(F(name), empty)
        joined = Func(joined, part, function="", arg_joiner=" || ", output_field=SearchVectorField())
    return joined


def marked(text: str, words: list[str]) -> SafeString:
    """Return the text with the searched words marked, safe to show."""
    if not words:
        return conditional_escape(text)
    pattern = re.compile(rf"(\b(?:{'|'.join(map(re.escape, words))})\w*)", re.IGNORECASE)
    pieces = pattern.split(text)
    return format_html_join("", "{}", ((_mark(piece) if place % 2 else piece,) for place, piece in enumerate(pieces)))


def _mark(piece: str) -> SafeString:
    return mark_safe(f"<mark>{conditional_escape(piece)}</mark>")  # noqa: S308  (escaped right here)

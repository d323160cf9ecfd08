"""Every term of art in plain words: the one source of tooltips and of the glossary page."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from experiments.domain import glossary_text


class Topic(StrEnum):
    """The chapters of the glossary, in the order in which somebody new needs them."""

    BASICS = "What an experiment is made of"
    TRAFFIC = "Who takes part"
    METRICS = "What is measured"
    READING = "How results are read"
    HEALTH = "Whether results may be believed"
    MODELS = "Models and the business"
    PROGRAMME = "Many experiments together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term: ``short`` fits into a tooltip; ``more`` says what it is good for and what goes wrong without it."""

    key: str
    word: str
    topic: Topic
    short: str
    more: str = ""
    see: tuple[str, ...] = ()


class UnknownTermError(LookupError):
    """A page names a term that the glossary lacks."""


def _read(topic: Topic, text: str) -> list[Term]:
    return [_paragraph(topic, paragraph.splitlines()) for paragraph in text.strip().split("\n\n")]


def _paragraph(topic: Topic, lines: list[str]) -> Term:
    key, _, word = lines[0].partition(": ")
    see = tuple(lines.pop()[2:].split(", ")) if lines[-1].startswith("> ") else ()
    short, _, more = " ".join(lines[1:]).partition(" + ")
    return Term(key=key, word=word, topic=topic, short=short, more=more, see=see)


TERMS: dict[str, Term] = {t.key: t for topic in Topic for t in _read(topic, getattr(glossary_text, topic.name))}


def term(key: str) -> Term:
    """Return one term.

    Raises
    ------
    UnknownTermError
        When the glossary lacks it: a page would promise an explanation that is not there.
    """
    found = TERMS.get(key)
    if found is None:
        raise UnknownTermError(f"The glossary has no term {key!r}; it has {', '.join(sorted(TERMS))}.")
    return found


def by_topic(terms: Iterable[Term] | None = None) -> dict[Topic, list[Term]]:
    """Return the terms by chapter, each chapter in alphabetical order, empty ones left out."""
    given = list(TERMS.values() if terms is None else terms)
    chapters = {topic: sorted((t for t in given if t.topic is topic), key=lambda t: t.word.lower()) for topic in Topic}
    return {topic: found for topic, found in chapters.items() if found}


def matching(words: str) -> list[Term]:
    """Return the terms in which every one of the words occurs."""
    wanted = words.lower().split()
    return [t for t in TERMS.values() if all(word in f"{t.word} {t.short} {t.more}".lower() for word in wanted)]

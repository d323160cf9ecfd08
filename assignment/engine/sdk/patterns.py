"""Regular expressions from outside: written for JavaScript, and never given more than a few milliseconds."""

import re
import time
import warnings
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import regex

from assignment.engine.sdk.effort import Effort

LONGEST_PATTERN = 2_000
LONGEST_ALTERNATIVE = 500
LARGEST_PROGRAM = 5_000

# JavaScript's digits and word characters are those of ASCII, and its $ never matches before a final line break.
_OUTSIDE_CLASS = {"d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]"}
_INSIDE_CLASS = {"d": "0-9", "w": "A-Za-z0-9_"}
# The other letters that mean something behind a backslash; to JavaScript every further one stands for itself.
_MEANING = frozenset("DWsSbBtnvfrxuck")
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|(?P<repeat>\{[0-9]*,?[0-9]*\})|.", re.DOTALL)
# Other braces are text to JavaScript, but ask the regex module for approximate matches.
_COUNT = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_NUMBER = re.compile(r"[0-9]+")


class InvalidPatternError(ValueError):
    """The text is no regular expression."""


def found(pattern: str, subject: str, effort: Effort, *, insensitive: bool = False) -> bool | None:
    """Say whether the pattern matches somewhere in the subject.

    Parameters
    ----------
    pattern
        A JavaScript regular expression.
    subject
        The text to search.
    effort
        Whose seconds the search uses up.
    insensitive
        Whether case does not count.

    Returns
    -------
    bool or None
        None when the time is up before the answer is known, or when the pattern is larger than one may be.

    Raises
    ------
    InvalidPatternError
        When the pattern cannot be compiled.
    """
    if effort.seconds <= 0 or is_too_large(pattern):
        return None
    started = time.thread_time()
    try:
        return _compiled(pattern, insensitive).search(subject, timeout=effort.seconds) is not None
    except TimeoutError:
        return None
    finally:
        effort.spend(started)


@lru_cache(maxsize=1024)
def is_too_large(pattern: str) -> bool:
    """Say whether preparing to search for the pattern could take much time or memory."""
    return (
        len(pattern) > LONGEST_PATTERN
        or longest_alternative(pattern) > LONGEST_ALTERNATIVE
        or program_size(pattern) > LARGEST_PROGRAM
    )


@lru_cache(maxsize=1024)
def _compiled(pattern: str, insensitive: bool) -> "regex.Pattern[str]":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return regex.compile("".join(_translated(pattern)), regex.IGNORECASE if insensitive else 0)
        except (regex.error, ValueError, OverflowError, RecursionError, MemoryError, IndexError, KeyError) as problem:
            raise InvalidPatternError(f"{pattern!r} is no regular expression: {problem}") from problem


def longest_alternative(pattern: str) -> int:
    """Return the largest number of characters between two ``|``.

    Preparing to search for a literal of n characters takes time that grows like n³: 2,000 of them take seconds.
    """
    bars = [token.start() for token in _TOKEN.finditer(pattern) if token[0] == "|"]
    return max(end - start for start, end in pairwise([-1, *bars, len(pattern)])) - 1


def program_size(pattern: str) -> int:
    """Return about how many pieces the pattern has when its counted repetitions are written out.

    Compiling writes them out: three nested ``{1000}`` would take all memory long before a search could time out.
    """
    sizes, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        if token["repeat"] is not None:
            times = max(map(int, _NUMBER.findall(token["repeat"])), default=1)
            grown = last * max(times, 1)
            sizes[-1] += grown - last
            last = grown
        elif token[0] == "(":
            sizes.append(0)
        else:
            last = 1 + (sizes.pop() if token[0] == ")" and len(sizes) > 1 else 0)
            sizes[-1] += last
    return sum(sizes)


def _translated(pattern: str) -> Iterator[str]:
    position, inside = 0, False
    while position < len(pattern):
        piece, step = _piece(pattern, position, inside=inside)
        if not inside and pattern[position] == "[" and not piece.endswith(")"):
            inside = True
        elif inside and pattern[position] == "]":
            inside = False
        yield piece
        position += step


def _piece(pattern: str, position: int, *, inside: bool) -> tuple[str, int]:
    """Return the translation at a position and how many characters it stands for."""
    character = pattern[position]
    if character == "\\" and position + 1 < len(pattern):
        escaped = pattern[position + 1]
        if not inside and pattern.startswith(r"\k<", position) and (end := pattern.find(">", position)) > 0:
            return f"(?P={pattern[position + 3 : end]})", end + 1 - position
        table = _INSIDE_CLASS if inside else _OUTSIDE_CLASS
        if escaped.isascii() and escaped.isalpha() and escaped not in _MEANING:
            return table.get(escaped, escaped), 2
        return table.get(escaped, character + escaped), 2
    if not inside:
        if pattern.startswith("[^]", position):
            return "(?s:.)", 3
        if pattern.startswith("[]", position):
            return "(?!)", 2
        if character == "{" and not _COUNT.match(pattern, position):
            return r"\{", 1
        return (r"\Z" if character == "$" else character), 1
    return (r"\[" if character == "[" else character), 1

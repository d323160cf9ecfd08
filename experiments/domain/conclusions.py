"""What people decide at the end of an experiment, and whether that is what the rule said before the start."""

from enum import StrEnum


class Choice(StrEnum):
    """What a person decides."""

    SHIP = "ship"
    ROLL_BACK = "roll back"
    ITERATE = "iterate"


class ConclusionState(StrEnum):
    """Where a decision stands: asked for and not yet approved, in force, or not any more."""

    REQUESTED = "requested"
    MADE = "made"
    DECLINED = "declined"
    TAKEN_BACK = "taken back"
    REPLACED = "replaced"


class Recommendation(StrEnum):
    """What the rule says; the words are those of the verdict in a result."""

    SHIP = "ship"
    LOOK = "look before you ship"
    KEEP_RUNNING = "keep running"
    INCONCLUSIVE = "inconclusive"
    TOO_EARLY = "too early"
    DO_NOT_SHIP = "do not ship"
    NOT_TRUSTWORTHY = "not trustworthy"


SAYS_SOMETHING = frozenset(
    {Recommendation.SHIP, Recommendation.LOOK, Recommendation.INCONCLUSIVE, Recommendation.DO_NOT_SHIP}
)
"""Verdicts that a person can act on; the others ask for more data, or for a repair."""


def is_against(recommendation: str, choice: Choice) -> bool:
    """Say whether a choice contradicts the rule, so that a second person must agree.

    Only "ship" lets a variant out, and only "ship" makes it a contradiction not to. Whatever else the rule says, to
    keep the control is safe and needs nobody else. Before the rule has said anything there is nothing to contradict.
    """
    if not recommendation:
        return False
    return (recommendation == Recommendation.SHIP) != (choice is Choice.SHIP)


MOST_TAGS = 10
LONGEST_TAG = 40


def clean_tags(text: str) -> list[str]:
    """Read ``Search, price test`` as tags: small letters, each once, in their order."""
    words = (" ".join(part.split()).lower() for part in text.replace(";", ",").split(","))
    return list(dict.fromkeys(word for word in words if word))


def tags_problem(tags: list[str]) -> str | None:
    """Return why these cannot be tags, or None."""
    if len(tags) > MOST_TAGS:
        return f"There are {len(tags)} tags; {MOST_TAGS} are allowed."
    long = next((tag for tag in tags if len(tag) > LONGEST_TAG), None)
    return None if long is None else f"The tag {long[:LONGEST_TAG]!r}… is longer than {LONGEST_TAG} characters."

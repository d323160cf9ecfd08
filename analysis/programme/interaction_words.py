"""Which experiments disturb each other, in sentences."""

from collections.abc import Sequence

import msgspec

from analysis.decisions.wording import inside
from analysis.programme.schema import Interactions, InteractionTest, PairFact
from experiments.pages.formats import bounds, lift


def reading(pairs: Sequence[PairFact], waiting: int) -> Interactions:
    """Put the pairs into words and in the order in which they matter."""
    told = [msgspec.structs.replace(one, sentence=_sentence(one)) for one in pairs]
    told.sort(key=lambda one: (not one.disturbed, bool(one.reason), -one.units))
    disturbed = [one for one in told if one.disturbed]
    tested = [one for one in told if not one.reason]
    return Interactions(
        headline=_headline(disturbed, len(tested), len(told), waiting),
        explanation=_explanation(tested, told, waiting),
        tone="warn" if disturbed else "good" if tested else "flat",
        pairs=told,
        tested=len(tested),
        untested=len(told) - len(tested) + waiting,
    )


def _headline(disturbed: Sequence[PairFact], tested: int, all_of_them: int, waiting: int) -> str:
    if len(disturbed) == 1:
        return f"{disturbed[0].first_name} and {disturbed[0].second_name} disturb each other."
    if disturbed:
        return f"{len(disturbed)} pairs of experiments disturb each other."
    if tested:
        return "No two experiments are seen to disturb each other."
    if all_of_them:
        return "No pair of experiments shares enough units to tell whether one disturbs the other."
    if waiting:
        return "Nobody has looked yet: the first scan is to come."
    return "No two experiments run at the same time."


def _explanation(tested: Sequence[PairFact], told: Sequence[PairFact], waiting: int) -> str:
    parts = []
    if told:
        parts.append(f"{len(tested)} of {len(told)} pairs could be tested; of the others each row says why not.")
    if waiting:
        pairs = "pair waits" if waiting == 1 else "pairs wait"
        parts.append(f"{waiting:,}{' more' if told else ''} {pairs} for the next scan.")
    return " ".join(parts)


def _sentence(pair: PairFact) -> str:
    if pair.reason:
        return f"Cannot be tested: {pair.reason}."
    test = strongest(pair)
    name = inside(test.metric_name)
    if pair.disturbed:
        return (
            f"{pair.first_name} changes {name} by {lift(test.alone)} where {pair.second_name} is off, and by "
            f"{lift(test.together)} where it is on."
        )
    return f"On {name} nothing is seen: the two together differ from their sum by {bounds(test.interval)}."


def strongest(pair: PairFact) -> InteractionTest:
    """Return the test that speaks most for an interaction."""
    return min(zip(pair.adjusted, pair.tests, strict=True), key=lambda both: both[0])[1]


def alert_words(pair: PairFact) -> tuple[str, str]:
    """Return what an alert says, and what to do about it."""
    return (
        f"{pair.first_name} and {pair.second_name} disturb each other. {pair.sentence}",
        "Do not ship both on their separate results: read the combination that you want to keep, or run one of them "
        "anew in a layer with the other.",
    )

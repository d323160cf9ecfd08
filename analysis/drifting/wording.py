"""Drift in words: what has moved, and whether the model or the world is to blame."""

from dataclasses import dataclass
from datetime import date, timedelta

from analysis.drifting.reading import OfVariant, Reading
from analysis.stats.drift import Drift, DriftSize
from analysis.stats.unavailable import NotComputable
from experiments.pages.formats import day as day_in_words
from experiments.pages.formats import decimals

SIZE_WORDS = {DriftSize.NONE: "as in the launch week", DriftSize.SLIGHT: "moved", DriftSize.LARGE: "moved far"}
TONES = {DriftSize.NONE: "good", DriftSize.SLIGHT: "warn", DriftSize.LARGE: "bad"}
TO_DO_EVERYWHERE = (
    "People or the world have changed since the launch, not one model: an effect measured in the launch week may not "
    "hold any more. See whether the effect over time has moved as well before you decide."
)
TO_DO_IN_ONE = (
    "Other variants met the same people, so look at this model and what feeds it: a feature that stopped arriving, "
    "a retrained version under the same name, another scale of the score."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What drift comes to: a tone, one sentence, why, and what to do."""

    tone: str
    headline: str
    explanation: str = ""
    what_to_do: str = ""


def finding(reading: Reading) -> Finding:
    """Say what drift comes to in one experiment."""
    week = f"{day_in_words(reading.launched)} to {day_in_words(reading.launch_ends - timedelta(days=1))}"
    if reading.is_launching:
        return Finding(
            tone="flat",
            headline="Too early to tell.",
            explanation=f"Scores of the launch week ({week}) are what later days are compared with; "
            f"the first whole day after it is {day_in_words(reading.launch_ends)}.",
        )
    if reading.drifted:
        return _moved(reading, week)
    last = [one.last.found for one in reading.variants if one.last]
    if not any(isinstance(found, Drift) for found in last):
        why = next((found.reason for found in last if isinstance(found, NotComputable)), "no day has scores since")
        return Finding(tone="flat", headline="Cannot be said.", explanation=f"There are {why}." if last else f"{why}.")
    if any(one.last and one.last.size is not DriftSize.NONE for one in reading.variants):
        return Finding(
            tone="flat",
            headline="The newest day is unlike the launch week; one day alone says little.",
            explanation="Two days in a row would be called drift, and told to those who follow the experiment.",
        )
    return Finding(
        tone="good", headline="Scores spread as in the launch week.", explanation=f"The launch week was {week}."
    )


def _moved(reading: Reading, week: str) -> Finding:
    worst = max(reading.drifted, key=lambda one: one.lasting is DriftSize.LARGE)
    words = "; ".join(sentence(one) for one in reading.drifted)
    if reading.everywhere:
        whose, to_do = "in every variant", TO_DO_EVERYWHERE
    else:
        names = " and ".join(one.variant.name for one in reading.drifted)
        whose, to_do = f"in {names}", TO_DO_IN_ONE
    return Finding(
        tone=TONES[worst.lasting],
        headline=f"Scores have {SIZE_WORDS[worst.lasting]} {whose} since the launch week.",
        explanation=f"{words}. The launch week was {week}.",
        what_to_do=to_do,
    )


def sentence(one: OfVariant) -> str:
    """Say how far a variant's newest day lies from its launch week."""
    if one.last is None or one.newest is None or one.launch_mean is None:
        return f"{one.variant.name}: cannot be said"
    index = decimals(one.newest.psi)
    return (
        f"{one.variant.name}: the mean score went from {score(one.launch_mean)} to {score(one.last.mean)} on "
        f"{short_day(one.last.day)} (stability index {index})"
    )


def alert_sentence(experiment_name: str, one: OfVariant) -> str:
    """Say it for an alert."""
    return f"{experiment_name}: scores have {SIZE_WORDS[one.lasting]} for two days. {sentence(one)}."


def score(value: float) -> str:
    """Write a score with three significant digits."""
    return f"{value:,.3g}".replace("-", "\u2212")


def short_day(on: date) -> str:
    """Write a day of this year: 3 Mar."""
    return f"{on.day} {on:%b}"

"""What a model's new version promises: its offline gain over the old one, with as much certainty as there is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.decisions.inputs import OfflineFact, PairedFact
from analysis.stats.mover import Located, difference
from experiments.domain.metrics import Direction
from experiments.domain.offline import named


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineGain:
    """Both versions on one metric. ``gain`` is the log of new over old in the good direction, with its interval.

    ``certain`` says whether the interval is of more than the value itself; ``how`` what it rests on. Where nothing can
    be compared, ``problem`` says why and the rest is empty. ``changed`` is the share of predictions that changed.
    """

    name: str
    old: float | None = None
    new: float | None = None
    evaluation_set: str = ""
    direction: Direction = Direction.INCREASE
    gain: Located | None = None
    certain: bool = False
    how: str = ""
    changed: float | None = None
    problem: str = ""

    @property
    def lift(self) -> float | None:
        """Return the change of the metric as it is: a loss that fell is below zero."""
        return None if self.gain is None else math.expm1(self._sign * self.gain.value)

    @property
    def lift_interval(self) -> tuple[float, float] | None:
        """Return the interval of ``lift``, None where only the value is known."""
        if self.gain is None or not self.certain:
            return None
        low, high = sorted((self._sign * self.gain.low, self._sign * self.gain.high))
        return math.expm1(low), math.expm1(high)

    @property
    def _sign(self) -> int:
        return 1 if self.direction is Direction.INCREASE else -1


def offline_gain(
    control: Sequence[OfflineFact], treatment: Sequence[OfflineFact], paired: Sequence[PairedFact] = ()
) -> OfflineGain:
    """Compare a treatment's version with the control's: by example where they were scored so, else by their values.

    Values are compared on the same evaluation set alone; two intervals are taken for independent, which is wider than
    the truth where both versions saw the same examples.
    """
    if paired:
        ranks = {(one.name, one.evaluation_set): rank for rank, one in enumerate(treatment)}
        return _of_pairs(min(paired, key=lambda one: ranks.get((one.name, one.evaluation_set), len(ranks))))
    old = {(_label(one), one.evaluation_set): one for one in control}
    for new in treatment:
        if before := old.get((_label(new), new.evaluation_set)):
            return _of_values(before, new)
    return OfflineGain(name=treatment[0].name if treatment else "Offline metric", problem=_why_not(control, treatment))


def _label(one: OfflineFact) -> str:
    return named(one.name).label.lower()


def _why_not(control: Sequence[OfflineFact], treatment: Sequence[OfflineFact]) -> str:
    if not treatment or not control:
        return "not recorded for both versions"
    if {_label(one) for one in control} & {_label(one) for one in treatment}:
        return "measured on different evaluation sets"
    return "the versions have no offline metric in common"


def _of_pairs(pair: PairedFact) -> OfflineGain:
    found = OfflineGain(
        name=pair.name, old=pair.old, new=pair.new, evaluation_set=pair.evaluation_set, direction=pair.direction,
        how=f"paired on {pair.examples:,} examples", changed=pair.changed,
    )  # fmt: skip
    ends = _logs(pair.old, (pair.new, pair.old + pair.low, pair.old + pair.high), pair.direction)
    return _with(found, ends, certain=True)


def _of_values(old: OfflineFact, new: OfflineFact) -> OfflineGain:
    found = OfflineGain(
        name=new.name, old=old.value, new=new.value, evaluation_set=new.evaluation_set, direction=new.direction
    )
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return _with(found, _logs(old.value, (new.value, new.value, new.value), new.direction), certain=False)
    if min(old.low, new.low) <= 0:
        return _with(found, None, certain=False)
    log = math.log
    before = Located(value=log(old.value), low=log(old.low), high=log(old.high))
    after = Located(value=log(new.value), low=log(new.low), high=log(new.high))
    way = difference(after, before) if new.direction is Direction.INCREASE else difference(before, after)
    return _with(found, way, certain=True, how="from both versions' intervals")


def _logs(old: float, ends: tuple[float, float, float], direction: Direction) -> Located | None:
    """Return log(end / old) of value, low and high in the good direction, None where there is no logarithm."""
    if min(old, *ends) <= 0:
        return None
    value, low, high = (math.log(end / old) for end in ends)
    if direction is Direction.INCREASE:
        return Located(value=value, low=low, high=high)
    return Located(value=-value, low=-high, high=-low)


def _with(found: OfflineGain, gain: Located | None, *, certain: bool, how: str = "") -> OfflineGain:
    problem = "" if gain is not None else "not above zero, so there is no relative gain"
    return replace(found, gain=gain, certain=certain and gain is not None, how=how or found.how, problem=problem)

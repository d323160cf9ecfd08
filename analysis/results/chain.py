"""The shape of what results say of a model's way to the business; part of ``analysis.results.schema``."""

from enum import StrEnum

from msgspec import Struct

from analysis.results.tone import Interval, Tone


class ChainEnd(StrEnum):
    """How far a model's gain came: exactly one of these for each treatment."""

    REACHED = "Reached the business"
    STOPPED_AT_PROXY = "Stopped at clicks"
    STOPPED_OFFLINE = "Stopped offline"
    HURT = "Hurt the business"
    TOO_EARLY = "Too early to tell"
    NOT_TRUSTWORTHY = "Not trustworthy"


class ChainStage(StrEnum):
    """A station on the way from a model to the business."""

    OFFLINE = "offline"
    PROXY = "proxy"
    BUSINESS = "business"


class ChainLink(Struct, frozen=True, kw_only=True):
    """One station: its change with the interval, and what that says in words.

    ``lift`` is of the metric as it is (lower is better for a loss). ``metric`` is empty for the offline metric.
    ``guessed``: what the metric stands for was told by its words. ``arrived`` says whether the gain came this far: None
    cannot tell.
    """

    stage: ChainStage
    name: str
    metric: str = ""
    lift: float | None = None
    lift_interval: Interval | None = None
    value: float | None = None
    control_value: float | None = None
    display_unit: str = "number"
    alpha: float = 0.05
    said: str = ""
    note: str = ""
    arrived: bool | None = None
    guessed: bool = False


class FunnelStep(Struct, frozen=True, kw_only=True):
    """One step on the way to the business metric. The steps' ``log_lift`` add up to the whole's, to the last digit.

    ``key`` is impressions, clicks, orders or value, and "whole" for all together.
    """

    key: str
    name: str
    log_lift: float
    lift: float
    lift_interval: tuple[float, float]
    p_value: float


class FunnelSplit(Struct, frozen=True, kw_only=True):
    """Where a change of the last number comes from: accounting, not causes.

    ``covariance`` is of the steps' log lifts.
    """

    steps: list[FunnelStep]
    whole: FunnelStep
    covariance: list[list[float]]
    alpha: float


class LookAt(Struct, frozen=True, kw_only=True):
    """Something found in the data that may explain a broken link, and what to do about it."""

    key: str
    title: str
    finding: str
    what_to_do: str


class WorthSaid(StrEnum):
    """Whether the gain pays for what the treatment costs to run."""

    WORTH = "worth deploying"
    NOT_WORTH = "not worth deploying"
    CANNOT_TELL = "cannot tell yet"


class Worth(Struct, frozen=True, kw_only=True):
    """What the business metric's change is a year in money, with its interval, after the yearly cost.

    ``smallest_lift`` is the gain that pays for the cost; None where no cost is stated. ``estimated_units``: the units a
    month were read from the experiment itself.
    """

    said: WorthSaid
    metric: str
    sentence: str
    currency: str
    smallest_lift: float | None
    yearly: float
    yearly_interval: Interval
    yearly_cost: float
    monthly_units: int
    estimated_units: bool


class Chain(Struct, frozen=True, kw_only=True):
    """From a model's offline gain over the proxy to the business, for one treatment.

    ``label`` is the verdict with the proxy's own word ("Stopped at views"); ``broken_after`` the last station that the
    gain reached, where it is shown to go no further. ``disagreement`` says for how many units the models differ at all.
    """

    variant: str
    verdict: ChainEnd
    label: str
    tone: Tone
    sentence: str
    links: list[ChainLink]
    broken_after: ChainStage | None = None
    look_at: list[LookAt] = []
    funnel: FunnelSplit | None = None
    worth: Worth | None = None
    disagreement: str = ""

"""What the results of designed kinds say beyond an ordinary result; each is an optional part of ``Results``."""

from datetime import date, datetime

from msgspec import Struct


class PolicyEstimate(Struct, frozen=True, kw_only=True):
    """A candidate's value by one method; None with a ``reason`` where it cannot be computed."""

    method: str
    value: float | None
    interval: tuple[float, float] | None
    difference: float | None
    difference_interval: tuple[float, float] | None
    p_value: float | None
    reason: str = ""


class WeightBin(Struct, frozen=True, kw_only=True):
    """Decisions whose weight lies in [low, high), and their share of all weight. 0 to 0 is never taken."""

    low: float
    high: float
    rows: int
    share: float


class ClipPoint(Struct, frozen=True, kw_only=True):
    """The value when no decision may weigh more than ``limit``; ``kept`` is the share of weight that is left."""

    limit: float
    value: float
    kept: float


class SegmentSupport(Struct, frozen=True, kw_only=True):
    """One context: its decisions, how many of the candidate's own they are worth, their mean weight (1 if sound)."""

    name: str
    rows: int
    effective: float
    mean_weight: float


class PolicyResult(Struct, frozen=True, kw_only=True):
    """One candidate. ``refusal`` says why the log cannot know its value; then there is no estimate."""

    variant: str
    refusal: str
    estimates: list[PolicyEstimate]
    effective: float | None
    effective_rewards: float | None
    largest: float | None
    mean_weight: float | None
    bins: list[WeightBin]
    clips: list[ClipPoint]
    segments: list[SegmentSupport]
    model_missing: str = ""


class OffPolicyResult(Struct, frozen=True, kw_only=True):
    """A log of decisions and what it says of the candidates. ``source`` names the log for people."""

    source: str
    rows: int
    duplicates: int
    units: int | None
    logged_value: float | None
    logged_interval: tuple[float, float] | None
    reward: str
    display_unit: str
    policies: list[PolicyResult]
    notes: list[str] = []
    newest_at: datetime | None = None


class PreferenceDay(Struct, frozen=True, kw_only=True):
    """One day's preference alone; None where it cannot be computed."""

    day: date
    users: int
    value: float | None
    interval: tuple[float, float] | None


class InterleavingResult(Struct, frozen=True, kw_only=True):
    """Which ranker people prefer. ``value`` is the mean over units of items chosen of the treatment less the control's.

    ``needed`` is how many units would show this preference with 80 % power; ``separate`` how many the A/B test
    ``beside`` would need for its own difference, and ``ratio`` the one over the other; None with ``beside_reason``.
    """

    users: int
    impressions: int
    differing: int
    for_treatment: int
    for_control: int
    users_for_treatment: int
    users_for_control: int
    users_undecided: int
    value: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    sign_p_value: float | None
    days: list[PreferenceDay]
    needed: float | None = None
    beside: str = ""
    separate: float | None = None
    ratio: float | None = None
    beside_reason: str = ""


class BanditArm(Struct, frozen=True, kw_only=True):
    """One variant. ``share`` is of now, in ten-thousandths; ``value`` and its interval allow for moving shares."""

    variant: str
    share: int
    best: float | None
    value: float | None
    interval: tuple[float, float] | None
    units: int


class BanditShares(Struct, frozen=True, kw_only=True):
    """The shares (ten-thousandths, in the order of the variants) of one batch, and what they were set by."""

    number: int
    began_at: datetime
    shares: list[int]
    best: list[float]
    units: int


class BanditResult(Struct, frozen=True, kw_only=True):
    """What a bandit has learnt. ``earned`` is the reward in all beyond an even split of the same units."""

    arms: list[BanditArm]
    history: list[BanditShares]
    earned: float | None
    earned_interval: tuple[float, float] | None
    next_at: datetime | None = None


class RegionEffect(Struct, frozen=True, kw_only=True):
    """One region's blocks and the plain difference of its variants' means, for looking and not for deciding."""

    region: str
    control_blocks: int
    treated_blocks: int
    control: float | None
    treatment: float | None


class BlockPoint(Struct, frozen=True, kw_only=True):
    """One block of the primary metric."""

    region: str
    begins: datetime
    treated: bool
    value: float | None


class SwitchbackResult(Struct, frozen=True, kw_only=True):
    """How the market took turns. ``rates`` says that totals are an hour of a block's counted time."""

    regions: list[RegionEffect]
    control_blocks: int
    treated_blocks: int
    block_minutes: int
    burn_in_minutes: int
    switches: int
    rates: bool
    randomisation_p_value: float | None
    carried_over_p_value: float | None
    points: list[BlockPoint]
    upcoming: list[BlockPoint]

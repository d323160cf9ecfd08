"""Made-up chains, one for each verdict, for the style guide."""

from analysis.results.chain import (
    Chain,
    ChainEnd,
    ChainLink,
    ChainStage,
    FunnelSplit,
    FunnelStep,
    LookAt,
    Worth,
    WorthSaid,
)
from analysis.results.tone import Interval, Tone

OFFLINE, PROXY, BUSINESS = ChainStage.OFFLINE, ChainStage.PROXY, ChainStage.BUSINESS


def _link(
    stage: ChainStage, name: str, lift: float | None, interval: Interval | None, said: str, *, arrived: bool | None
) -> ChainLink:
    return ChainLink(stage=stage, name=name, lift=lift, lift_interval=interval, said=said, arrived=arrived)


def _offline() -> ChainLink:
    return ChainLink(
        stage=OFFLINE, name="NDCG@10", lift=0.046, lift_interval=(0.031, 0.061), value=0.431, control_value=0.412,
        said="Better", note="held-out searches, paired on 12,000 examples, 31% of predictions changed", arrived=True,
    )  # fmt: skip


def _step(key: str, name: str, log_lift: float, lift: float, interval: tuple[float, float]) -> FunnelStep:
    return FunnelStep(key=key, name=name, log_lift=log_lift, lift=lift, lift_interval=interval, p_value=0.2)


FUNNEL = FunnelSplit(
    steps=[
        _step("impressions", "views per user", 0.002, 0.002, (-0.012, 0.016)),
        _step("clicks", "clicks per view", 0.1328, 0.142, (0.13, 0.154)),
        _step("orders", "orders per click", -0.1462, -0.136, (-0.16, -0.111)),
        _step("value", "value per order", -0.0007, -0.001, (-0.021, 0.02)),
    ],
    whole=_step("whole", "money per user", -0.0121, -0.012, (-0.053, 0.029)),
    covariance=[],
    alpha=0.05,
)

STOPPED = Chain(
    variant="treatment",
    verdict=ChainEnd.STOPPED_AT_PROXY,
    label="Stopped at clicks",
    tone=Tone.WARN,
    sentence="Clicks per user rose 14% (+13% to +15%), but revenue per user changed by between −5.3% and +2.9%: "
    "a gain as large as the one in clicks is ruled out.",
    links=[
        _offline(),
        _link(PROXY, "Clicks per user", 0.142, (0.13, 0.154), "Better", arrived=True),
        _link(BUSINESS, "Revenue per user", -0.012, (-0.053, 0.029), "No clear change", arrived=False),
    ],
    broken_after=PROXY,
    look_at=[
        LookAt(
            key="cannibalised", title="More clicks, not more orders",
            finding="Orders per click fell 14% (−16% to −11%).",
            what_to_do="Look at what the extra ones are: curiosity, or the same product reached another way.",
        ),
        LookAt(
            key="latency", title="It got slower", finding="Ranking latency rose 6.1%, beyond its limit of +3%.",
            what_to_do="Slowness may have eaten the gain.",
        ),
    ],
    funnel=FUNNEL,
    worth=Worth(
        said=WorthSaid.CANNOT_TELL, metric="revenue", sentence="It may pay or not: −€1.2M to €640k a year at 98,000 "
        "users a month, after €24k a year to run it.", currency="EUR", smallest_lift=0.0011, yearly=-280_000.0,
        yearly_interval=(-1_200_000.0, 640_000.0), yearly_cost=24_000.0, monthly_units=98_000, estimated_units=True,
    ),
    disagreement="The models disagree for 31% of users; among those clicks per user rose 45%; over all users that is "
    "+14%.",
)  # fmt: skip


def _other(end: ChainEnd, tone: Tone, sentence: str, proxy: ChainLink, business: ChainLink) -> Chain:
    return Chain(
        variant="treatment", verdict=end, label=end.value, tone=tone, sentence=sentence,
        links=[_offline(), proxy, business],
    )  # fmt: skip


CHAINS = [
    STOPPED,
    _other(
        ChainEnd.REACHED, Tone.GOOD, "NDCG@10 rose 4.6% offline, clicks per user rose 10% and revenue per user rose "
        "8.2% (+3.1% to +13%): the gain went all the way.",
        _link(PROXY, "Clicks per user", 0.1, (0.08, 0.12), "Better", arrived=True),
        _link(BUSINESS, "Revenue per user", 0.082, (0.031, 0.13), "Better", arrived=True),
    ),
    _other(
        ChainEnd.HURT, Tone.BAD, "Revenue per user fell 6% (−9% to −3%), although clicks per user rose 10%.",
        _link(PROXY, "Clicks per user", 0.1, (0.08, 0.12), "Better", arrived=True),
        _link(BUSINESS, "Revenue per user", -0.06, (-0.09, -0.03), "Worse", arrived=False),
    ),
    _other(
        ChainEnd.TOO_EARLY, Tone.FLAT, "Day 6 of 21: whether the gain goes on is read at the planned end. Until then "
        "only harm is called.",
        _link(PROXY, "Clicks per user", 0.1, (-0.02, 0.22), "Too early", arrived=None),
        _link(BUSINESS, "Revenue per user", 0.02, (-0.12, 0.16), "Too early", arrived=None),
    ),
]  # fmt: skip

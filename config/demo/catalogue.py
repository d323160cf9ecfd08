"""What the demo shop measures, which models it has trained and which experiments it ran: facts, no database."""

from dataclasses import dataclass

from config.demo.shop import NO_EFFECT, Effects
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from experiments.domain.offline import VersionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFacts:
    """A metric of the shop. ``truth`` names the field of ``shop.TrueLifts`` that is its true lift."""

    key: str
    name: str
    description: str
    kind: MetricKind
    event: str
    display_unit: DisplayUnit
    truth: str
    property: str = ""
    denominator_event: str = ""
    direction: Direction = Direction.INCREASE


METRICS = (
    MetricFacts(
        key="click-through",
        name="Click-through",
        description="Clicks on a product for each result list that was shown.",
        kind=MetricKind.RATIO,
        event="Product Clicked",
        denominator_event="Product List Viewed",
        display_unit=DisplayUnit.PERCENT,
        truth="click_through",
    ),
    MetricFacts(
        key="purchase-rate",
        name="Purchase rate",
        description="Share of shoppers who order at least once.",
        kind=MetricKind.PROPORTION,
        event="Order Completed",
        display_unit=DisplayUnit.PERCENT,
        truth="purchase_rate",
    ),
    MetricFacts(
        key="revenue-per-shopper",
        name="Revenue per shopper",
        description="Total order value of a shopper, shoppers without an order included.",
        kind=MetricKind.SUM,
        event="Order Completed",
        property="revenue",
        display_unit=DisplayUnit.CURRENCY,
        truth="revenue_per_shopper",
    ),
    MetricFacts(
        key="orders-per-shopper",
        name="Orders per shopper",
        description="Number of orders of a shopper.",
        kind=MetricKind.COUNT,
        event="Order Completed",
        display_unit=DisplayUnit.NUMBER,
        truth="orders_per_shopper",
    ),
    MetricFacts(
        key="orders-per-click",
        name="Orders per click",
        description="How often a click leads to an order. Clicks move too: read it beside both.",
        kind=MetricKind.RATIO,
        event="Order Completed",
        denominator_event="Product Clicked",
        display_unit=DisplayUnit.PERCENT,
        truth="orders_per_click",
    ),
    MetricFacts(
        key="order-value",
        name="Order value",
        description="Average value of an order.",
        kind=MetricKind.AVERAGE,
        event="Order Completed",
        property="revenue",
        display_unit=DisplayUnit.CURRENCY,
        truth="order_value",
    ),
    MetricFacts(
        key="page-latency",
        name="Result page latency",
        description="Average time until a result list is there.",
        kind=MetricKind.AVERAGE,
        event="Product List Viewed",
        property="latency_ms",
        display_unit=DisplayUnit.MILLISECONDS,
        direction=Direction.DECREASE,
        truth="page_latency",
    ),
)

RANKER = "search ranker"
RECOMMENDER = "basket recommender"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A trained model with its offline NDCG@10 (and half its 95 % interval), and what it truly does in the shop.

    ``effects`` are compared with the model's first version; ``latency`` is its p95 offline, in milliseconds.
    """

    name: str
    version: str
    ndcg: float
    notes: str
    half: float = 0.004
    latency: float = 38.0
    parent: str = ""
    status: VersionStatus = VersionStatus.CANDIDATE
    owner: str = "Search relevance"
    effects: Effects = NO_EFFECT


MODELS = (
    ModelFacts(
        name=RANKER,
        version="v6",
        ndcg=0.391,
        notes="Linear model on clicks.",
        status=VersionStatus.RETIRED,
        # What is left of v7's gain today: see FADED.
        effects=Effects(ctr=-0.03),
    ),
    ModelFacts(
        name=RANKER,
        version="v7",
        ndcg=0.412,
        notes="Gradient-boosted trees on clicks; served all traffic.",
        parent="v6",
        status=VersionStatus.RETIRED,
    ),
    ModelFacts(
        name=RANKER,
        version="v8",
        ndcg=0.431,
        notes="Learns from purchases as well as clicks.",
        parent="v7",
        status=VersionStatus.SERVING,
        effects=Effects(ctr=0.10, purchase=0.12, value=0.03),
    ),
    ModelFacts(
        name=RANKER,
        version="v8-clicks",
        ndcg=0.447,
        parent="v7",
        notes="Trained on clicks alone, with pictures as features.",
        effects=Effects(ctr=0.16, purchase=-0.138),
    ),
    ModelFacts(
        name=RANKER,
        version="v9",
        ndcg=0.452,
        parent="v8",
        notes="v8 with two years of history and season features.",
        effects=Effects(ctr=0.16, purchase=0.17, value=0.03),
    ),
    ModelFacts(
        name=RANKER,
        version="v9-transformer",
        ndcg=0.468,
        latency=61.0,
        parent="v8",
        notes="Cross-encoder that re-ranks the first 50 results.",
        effects=Effects(ctr=0.11, latency=0.14),
    ),
    ModelFacts(
        name=RECOMMENDER,
        version="v2",
        ndcg=0.287,
        notes="Bought together, by counts.",
        latency=12.0,
        status=VersionStatus.SERVING,
        owner="Basket team",
    ),
    ModelFacts(
        name=RECOMMENDER,
        version="v3",
        ndcg=0.318,
        notes="Bought together, by learned embeddings.",
        latency=14.0,
        parent="v2",
        owner="Basket team",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one metric is for in an experiment; ``margin`` is in ten-thousandths."""

    metric: str
    role: MetricRole
    margin: int | None = None


PRIMARY, GUARDRAIL, SECONDARY = MetricRole.PRIMARY, MetricRole.GUARDRAIL, MetricRole.SECONDARY

CLICKS_DECIDE = (
    Use(metric="click-through", role=PRIMARY),
    Use(metric="page-latency", role=GUARDRAIL, margin=500),
    Use(metric="revenue-per-shopper", role=SECONDARY),
    Use(metric="purchase-rate", role=SECONDARY),
    Use(metric="orders-per-shopper", role=SECONDARY),
    Use(metric="order-value", role=SECONDARY),
)
REVENUE_DECIDES = (
    Use(metric="revenue-per-shopper", role=PRIMARY),
    Use(metric="page-latency", role=GUARDRAIL, margin=500),
    Use(metric="click-through", role=SECONDARY),
    Use(metric="purchase-rate", role=SECONDARY),
    Use(metric="orders-per-shopper", role=SECONDARY),
    Use(metric="order-value", role=SECONDARY),
)


def model_effects(name: str, version: str) -> Effects:
    """Return what a model truly does; a model that the shop never trained does nothing."""
    found = (model.effects for model in MODELS if (model.name, model.version) == (name, version))
    return next(found, NO_EFFECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serves:
    """A variant's name and the model that it serves."""

    name: str
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An experiment of the demo and its truth. ``ended`` is how many days ago it stopped, or None while it runs.

    The last of the ``days`` of a running experiment is today.
    """

    key: str
    name: str
    hypothesis: str
    control: Serves
    treatment: Serves
    plan: tuple[Use, ...]
    shoppers: int
    days: int
    seed: int
    ended: int | None
    planned_days: int = 21
    lost_exposures: float = 0.0
    why_stopped: str = ""
    own_effects: Effects | None = None
    score_drift: float = 0.0

    @property
    def first_day_ago(self) -> int:
        """Return how many days ago the experiment started."""
        return self.days - 1 if self.ended is None else self.days + self.ended

    @property
    def effects(self) -> Effects:
        """Return what the treatment truly changes relative to control."""
        if self.own_effects is not None:
            return self.own_effects
        treatment = model_effects(self.treatment.model, self.treatment.version)
        return treatment.over(model_effects(self.control.model, self.control.version))


RANKER_V7 = Serves(name="Ranker v7", model=RANKER, version="v7")
RANKER_V8 = Serves(name="Ranker v8", model=RANKER, version="v8")

STORIES = (
    Story(
        key="search-ranker-v8",
        name="Search ranking that learns from purchases",
        hypothesis="Ranker v8 puts what people buy, and not only what they look at, on top. "
        "Shoppers find what they came for sooner, so more of them order and revenue per shopper rises.",
        control=RANKER_V7,
        treatment=RANKER_V8,
        plan=REVENUE_DECIDES,
        shoppers=12_000,
        days=21,
        seed=35,
        ended=2,
        why_stopped="Three full weeks, as planned.",
    ),
    Story(
        key="search-ranker-v8-clicks",
        name="Search ranking tuned for clicks",
        hypothesis="Ranker v8-clicks has the best NDCG so far on logged clicks. "
        "More relevant results get more clicks, and more clicks bring more orders.",
        control=RANKER_V7,
        treatment=Serves(name="Ranker v8-clicks", model=RANKER, version="v8-clicks"),
        plan=CLICKS_DECIDE,
        shoppers=16_000,
        days=21,
        seed=56,
        ended=24,
        # Pictures stop reaching the model on the eleventh day; nobody notices, but its scores do.
        score_drift=-0.35,
        why_stopped="Three full weeks, as planned.",
    ),
    Story(
        key="search-ranker-v9-transformer",
        name="Transformer re-ranking of search results",
        hypothesis="A cross-encoder over the first 50 results understands long queries. "
        "Click-through rises; result pages get at most 5 % slower.",
        control=RANKER_V7,
        treatment=Serves(name="Ranker v9-transformer", model=RANKER, version="v9-transformer"),
        plan=CLICKS_DECIDE,
        shoppers=8_000,
        days=14,
        seed=90,
        ended=4,
        planned_days=14,
        why_stopped="The latency guardrail was crossed.",
    ),
    Story(
        key="basket-recommender-v3",
        name="Basket recommendations from embeddings",
        hypothesis="Learned embeddings know which products complete an outfit, so shoppers click on and order "
        "more of what we suggest.",
        control=Serves(name="Recommender v2", model=RECOMMENDER, version="v2"),
        treatment=Serves(name="Recommender v3", model=RECOMMENDER, version="v3"),
        plan=CLICKS_DECIDE,
        shoppers=8_000,
        days=14,
        seed=4,
        ended=9,
        planned_days=14,
        # The new widget crashes on some old phones before it reports its exposure. It does nothing else.
        lost_exposures=0.14,
        why_stopped="Two full weeks, as planned.",
    ),
    Story(
        key="live-ranker",
        name="Search ranking with season features",
        hypothesis="Ranker v9 knows what sold in the same weeks of earlier years. "
        "More shoppers find what they want this season: click-through and revenue per shopper rise.",
        control=RANKER_V8,
        treatment=Serves(name="Ranker v9", model=RANKER, version="v9"),
        plan=CLICKS_DECIDE,
        shoppers=5_000,
        days=6,
        seed=30,
        ended=None,
    ),
)


SHIPPED = Story(
    key="search-ranker-v7",
    name="Search ranking with boosted trees",
    hypothesis="Ranker v7 sees how signals work together, not only each by itself. "
    "More relevant results get more clicks, and more clicks bring more orders.",
    control=Serves(name="Ranker v6", model=RANKER, version="v6"),
    treatment=Serves(name="Ranker v7", model=RANKER, version="v7"),
    plan=CLICKS_DECIDE,
    shoppers=6_000,
    days=14,
    seed=9,
    ended=58,
    planned_days=14,
    own_effects=Effects(ctr=0.20, purchase=0.02),
    why_stopped="Two full weeks, as planned.",
)
"""An experiment whose gain was shipped, and what is held back since then says that it has faded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """Days after a launch: who came, and what the shipped variant still brought."""

    days: int
    shoppers: int
    seed: int
    effects: Effects


HELD_BACK = 2_000
"""Ten-thousandths that kept the control."""
FADED = (
    After(days=28, shoppers=2_000, seed=23, effects=Effects(ctr=0.20, purchase=0.02)),
    # The season changes, and with it what people search for.
    After(days=30, shoppers=5_000, seed=24, effects=Effects(ctr=0.03)),
)


def story(key: str) -> Story | None:
    """Return the demo's experiment of that key."""
    return next((story for story in (*STORIES, SHIPPED) if story.key == key), None)

"""A shop whose truth is known: shoppers, their visits, and what they would do under any variant.

Pure and seeded. Every random draw is made before anyone is assigned, so a shopper's behaviour under control and under
treatment comes from the same draws, and the same seed gives the same shop whatever the server decides.

Effects are relative and multiply a shopper's own click share, conversion per click, order value and page latency. The
number of visits and pages does not depend on the variant; so every true lift but the purchase rate's has a closed form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

DAY_SECONDS = 86_400
EXPOSURE_LEAD = 5
"""Seconds between a visit's exposure and its first page: more than any difference between two requests' delays."""
PAGE_SECONDS = 45.0


class ParameterError(ValueError):
    """A parameter of the shop is out of range; the message says what was got and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a treatment truly changes, relative to control (0.05 is 5 % more)."""

    ctr: float = 0.0
    purchase: float = 0.0
    value: float = 0.0
    latency: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_effect(item.name, getattr(self, item.name))

    def __add__(self, other: "Effects") -> "Effects":
        """Combine two treatments that a shopper feels at once."""
        return Effects(
            **{f.name: (1 + getattr(self, f.name)) * (1 + getattr(other, f.name)) - 1 for f in fields(Effects)}
        )

    def over(self, other: "Effects") -> "Effects":
        """Return this treatment's effects relative to another's."""
        return Effects(
            **{f.name: (1 + getattr(self, f.name)) / (1 + getattr(other, f.name)) - 1 for f in fields(Effects)}
        )


# Click share and conversion are shares: twice the largest baseline share of a shopper must stay below 1.
LARGEST_EFFECT = {"ctr": 1.0, "purchase": 1.0, "value": 5.0, "latency": 5.0}
SMALLEST_EFFECT = -0.9


def _check_effect(name: str, effect: float) -> None:
    largest = LARGEST_EFFECT[name]
    if not SMALLEST_EFFECT <= effect <= largest:
        raise ParameterError(
            f"--{name}-effect is {effect:g}; it must lie between {SMALLEST_EFFECT:g} and {largest:g} "
            "(relative: 0.05 means 5 % more)."
        )


NO_EFFECT = Effects()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """How this shop's customers behave under control. Shares are Beta-distributed times their largest value."""

    largest_click_share: float = 0.5
    click_share_shape: tuple[float, float] = (2.4, 3.6)
    largest_conversion: float = 0.4
    conversion_shape: tuple[float, float] = (2.0, 3.0)
    visits_a_day: float = 0.16
    visits_shape: float = 1.3
    extra_pages_a_visit: float = 1.4
    median_order: float = 42.0
    order_log_sd: float = 0.5
    shopper_value_log_sd: float = 0.3
    median_latency_ms: float = 180.0
    latency_log_sd: float = 0.3
    shopper_latency_log_sd: float = 0.2
    known_customers: float = 0.7
    pre_period_days: int = 14
    # Monday to Sunday; the mean is 1.
    weekly_rhythm: tuple[float, ...] = (0.92, 0.86, 0.88, 0.94, 1.02, 1.14, 1.24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shoppers:
    """The shop's population, one entry a shopper: lasting traits, and the day of the first visit."""

    visit_rate: Floats
    click_share: Floats
    conversion: Floats
    value_factor: Floats
    latency_factor: Floats
    known_customer: Booleans
    first_day: Integers
    lost_draw: Floats

    @property
    def count(self) -> int:
        """Return how many shoppers there are."""
        return len(self.visit_rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Every result list that is shown, one entry a page, with the draws that decide what follows.

    ``second`` counts from midnight before the experiment's first day, negative in the pre-period. ``starts_visit``
    marks the first page of a visit.
    """

    shopper: Integers
    second: Floats
    starts_visit: Booleans
    click_draw: Floats
    purchase_draw: Floats
    value_noise: Floats
    latency_noise: Floats

    @property
    def count(self) -> int:
        """Return how many pages there are."""
        return len(self.shopper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What happened on every page: a click or not, an order or not, its value in cents, the page's latency in ms."""

    clicked: Booleans
    bought: Booleans
    cents: Integers
    latency_ms: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A population and its pages before (``before``) and during (``during``) an experiment of ``days`` days."""

    settings: ShopSettings = field(default_factory=ShopSettings)
    days: int
    first_weekday: int
    shoppers: Shoppers
    before: Pages
    during: Pages


def open_shop(count: int, days: int, first_weekday: int, seed: int, settings: ShopSettings | None = None) -> Shop:
    """Draw a population of ``count`` shoppers and all their visits; the same seed gives the same shop."""
    if count < 1 or days < 1:
        raise ParameterError(f"A shop needs at least one shopper and one day, not {count} and {days}.")
    settings = settings or ShopSettings()
    rng = np.random.default_rng(seed)
    rhythm = np.asarray(settings.weekly_rhythm)[(first_weekday + np.arange(days)) % 7]
    shoppers = draw_shoppers(rng, count, rhythm, settings)
    visits = rng.random((count, days)) < shoppers.visit_rate[:, None] * rhythm[None, :]
    visits &= np.arange(days)[None, :] > shoppers.first_day[:, None]
    visits[np.arange(count), shoppers.first_day] = True
    earlier_days = np.arange(-settings.pre_period_days, 0)
    earlier_rhythm = np.asarray(settings.weekly_rhythm)[(first_weekday + earlier_days) % 7]
    earlier = rng.random((count, len(earlier_days))) < shoppers.visit_rate[:, None] * earlier_rhythm[None, :]
    earlier &= shoppers.known_customer[:, None]
    return Shop(
        settings=settings,
        days=days,
        first_weekday=first_weekday,
        shoppers=shoppers,
        during=_draw_pages(rng, visits, 0, settings),
        before=_draw_pages(rng, earlier, -settings.pre_period_days, settings),
    )


def draw_shoppers(rng: np.random.Generator, count: int, rhythm: Floats, settings: ShopSettings) -> Shoppers:
    """Draw a population; ``rhythm`` (shape: days) says how busy each day is."""
    # Regulars are met in the first days, newcomers all the time: the daily number of new units falls and levels off.
    arrival = rhythm * (0.35 + 0.65 * np.exp(-np.arange(len(rhythm)) / 6))
    return Shoppers(
        visit_rate=np.minimum(
            0.75, rng.gamma(settings.visits_shape, settings.visits_a_day / settings.visits_shape, count)
        ),
        click_share=settings.largest_click_share * rng.beta(*settings.click_share_shape, count),
        conversion=settings.largest_conversion * rng.beta(*settings.conversion_shape, count),
        value_factor=np.exp(rng.normal(0, settings.shopper_value_log_sd, count)),
        latency_factor=np.exp(rng.normal(0, settings.shopper_latency_log_sd, count)),
        known_customer=rng.random(count) < settings.known_customers,
        first_day=rng.choice(len(rhythm), size=count, p=arrival / arrival.sum()).astype(np.int64),
        lost_draw=rng.random(count),
    )


def _draw_pages(rng: np.random.Generator, visits: Booleans, first_day: int, settings: ShopSettings) -> Pages:
    visitor, day = np.nonzero(visits)
    lunch = rng.random(len(visitor)) < 0.4
    hour = np.where(lunch, rng.normal(12.5, 2.0, len(visitor)), rng.normal(19.5, 1.6, len(visitor)))
    return pages_of(rng, visitor, (day + first_day) * DAY_SECONDS + np.clip(hour, 6.0, 22.5) * 3600, settings)


def pages_of(rng: np.random.Generator, visitor: Integers, start: Floats, settings: ShopSettings) -> Pages:
    """Draw the pages of visits (one entry a visit: who, and the second at which it starts), sorted by time."""
    pages = 1 + rng.poisson(settings.extra_pages_a_visit, len(visitor))
    visit = np.repeat(np.arange(len(visitor)), pages)
    place = np.arange(len(visit)) - np.repeat(np.cumsum(pages) - pages, pages)
    second = start[visit] + EXPOSURE_LEAD + PAGE_SECONDS * place
    order = np.argsort(second, kind="stable")
    count = len(visit)
    return Pages(
        shopper=visitor[visit][order],
        second=second[order],
        starts_visit=(place == 0)[order],
        click_draw=rng.random(count),
        purchase_draw=rng.random(count),
        value_noise=rng.normal(0, settings.order_log_sd, count),
        latency_noise=rng.normal(0, settings.latency_log_sd, count),
    )


def behaviour(
    settings: ShopSettings, people: Shoppers, pages: Pages, effects: Mapping[int, Effects], variant: Integers
) -> Behaviour:
    """Let the shoppers act on ``pages``, each under the effects of ``variant[shopper]`` (shape: shoppers)."""
    who = pages.shopper
    felt = {
        item.name: 1 + _by_shopper(variant, {number: getattr(e, item.name) for number, e in effects.items()})[who]
        for item in fields(Effects)
    }
    clicked = pages.click_draw < people.click_share[who] * felt["ctr"]
    bought = clicked & (pages.purchase_draw < people.conversion[who] * felt["purchase"])
    value = settings.median_order * people.value_factor[who] * np.exp(pages.value_noise) * felt["value"]
    latency = settings.median_latency_ms * people.latency_factor[who] * np.exp(pages.latency_noise) * felt["latency"]
    return Behaviour(
        clicked=clicked,
        bought=bought,
        cents=np.where(bought, np.maximum(1, np.rint(100 * value)), 0).astype(np.int64),
        latency_ms=np.round(latency, 1),
    )


def _by_shopper(variant: Integers, value: Mapping[int, float]) -> Floats:
    table = np.zeros(max([*value, int(variant.max(initial=0))]) + 1)
    for number, effect in value.items():
        table[number] = effect
    return table[variant]


LARGEST_LOSS = 0.25


def check_loss(share: float) -> None:
    """Refuse a share of lost exposures that the model cannot lose."""
    if not 0 <= share <= LARGEST_LOSS:
        raise ParameterError(f"--lost-exposures is {share:g}; it must lie between 0 and {LARGEST_LOSS:g}.")


def lost_exposures(shoppers: Shoppers, treated: Booleans, share: float) -> Booleans:
    """Say whose exposure a broken treatment loses: ``share`` of the treated, more often those who click little.

    Losing the less interested makes a treatment without any effect look like a gain; that is the trap to show.
    """
    check_loss(share)
    rank = np.argsort(np.argsort(shoppers.click_share)) / max(1, shoppers.count - 1)
    # The mean of 4 (1 − rank)³ over all shoppers is 1.
    return treated & (shoppers.lost_draw < share * 4 * (1 - rank) ** 3)


TRUTH_SHOPPERS = 200_000
TRUTH_SEED = 20_240_229


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueLifts:
    """The expected lift of every metric: treatment over control, minus 1."""

    click_through: float
    purchase_rate: float
    orders_per_shopper: float
    orders_per_click: float
    order_value: float
    revenue_per_shopper: float
    page_latency: float


def true_lifts(effects: Effects, days: int, first_weekday: int, settings: ShopSettings | None = None) -> TrueLifts:
    """Return the lifts that an infinitely large experiment would find.

    All but one are products of the effects, because effects multiply and pages do not depend on the variant. The share
    of shoppers who buy, 1 − (1 − click · conversion)^pages, is averaged over a large population without its noise.
    """
    shop = open_shop(TRUTH_SHOPPERS, days, first_weekday, TRUTH_SEED, settings)
    pages = np.bincount(shop.during.shopper, minlength=shop.shoppers.count)
    per_page = shop.shoppers.click_share * shop.shoppers.conversion
    orders = (1 + effects.ctr) * (1 + effects.purchase)
    buyers = float(np.mean(-np.expm1(pages * np.log1p(-per_page))))
    treated_buyers = float(np.mean(-np.expm1(pages * np.log1p(-per_page * orders))))
    return TrueLifts(
        click_through=effects.ctr,
        purchase_rate=treated_buyers / buyers - 1,
        orders_per_shopper=orders - 1,
        orders_per_click=effects.purchase,
        order_value=effects.value,
        revenue_per_shopper=orders * (1 + effects.value) - 1,
        page_latency=effects.latency,
    )

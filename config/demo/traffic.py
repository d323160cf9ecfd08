"""Turn what simulated shoppers do into the events that a shop's app sends (Segment's e-commerce vocabulary).

Message ids and time stamps depend on the shop and its seed alone, so sending the same shop again counts nothing twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import numpy as np

from config.demo.shop import EXPOSURE_LEAD, Behaviour, Booleans, Floats, Integers, Pages

Event = dict[str, Any]

CLICK_DELAY = 8.0
ORDER_DELAY = 30.0
LAST_EVENT_DELAY = ORDER_DELAY
FREE_SHIPPING_CENTS = 5_000
SHIPPING_CENTS = 490
GOODS = (
    ("p-101", "Linen shirt"),
    ("p-102", "Canvas trainers"),
    ("p-103", "Wool jumper"),
    ("p-104", "Rain jacket"),
    ("p-105", "Denim overshirt"),
    ("p-106", "Silk scarf"),
    ("p-107", "Leather belt"),
    ("p-108", "Summer dress"),
    ("p-109", "Chino trousers"),
    ("p-110", "Running tights"),
    ("p-111", "Straw hat"),
    ("p-112", "Weekend bag"),
)


class Kind(IntEnum):
    """The four things that an app reports, in the order in which they happen on a page."""

    EXPOSURE = 0
    LIST = 1
    CLICK = 2
    ORDER = 3


DELAY = {Kind.EXPOSURE: -float(EXPOSURE_LEAD), Kind.LIST: 0.0, Kind.CLICK: CLICK_DELAY, Kind.ORDER: ORDER_DELAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names in events: the experiment's, its variants' by number, and a prefix for shoppers and messages."""

    experiment: str
    experiment_name: str
    variants: Sequence[tuple[str, str]]
    prefix: str
    currency: str = "EUR"

    def shopper(self, number: int) -> str:
        """Return the user id of a shopper."""
        return f"{self.prefix}-{number:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Which events happen when, sorted by time: ``page``, ``kind`` and ``second`` have one entry an event."""

    page: Integers
    kind: Integers
    second: Floats

    def __len__(self) -> int:
        return len(self.page)


def exposures(pages: Pages, exposed: Booleans) -> dict[Kind, Booleans]:
    """Say on which pages an exposure is reported: on the first of every visit of the shoppers who are ``exposed``."""
    return {Kind.EXPOSURE: pages.starts_visit & exposed[pages.shopper]}


def activity(acts: Behaviour) -> dict[Kind, Booleans]:
    """Say on which pages what else happened."""
    return {Kind.LIST: np.ones(len(acts.clicked), dtype=bool), Kind.CLICK: acts.clicked, Kind.ORDER: acts.bought}


def timeline(pages: Pages, happened: Mapping[Kind, Booleans], until: float | None = None) -> Timeline:
    """Lay out what happened on ``pages``, up to ``until`` (seconds like ``Pages.second``)."""
    if until is not None:
        # A page counts whole or not at all, or the last minutes would hold pages whose clicks are missing.
        in_time = pages.second + LAST_EVENT_DELAY <= until
        happened = {kind: mask & in_time for kind, mask in happened.items()}
    page = np.concatenate([np.flatnonzero(mask) for mask in happened.values()])
    kind = np.concatenate([np.full(int(mask.sum()), int(kind)) for kind, mask in happened.items()])
    second = pages.second[page] + np.asarray([DELAY[k] for k in Kind])[kind]
    order = np.argsort(second, kind="stable")
    return Timeline(page=page[order], kind=kind[order], second=second[order])


def stamps(start: datetime, second: Floats) -> list[str]:
    """Write moments ``second`` after ``start`` (UTC) as ISO 8601 with milliseconds."""
    moments = np.datetime64(start.replace(tzinfo=None), "ms") + np.rint(second * 1000).astype("timedelta64[ms]")
    return [f"{text}Z" for text in np.datetime_as_string(moments, unit="ms")]


def events(
    names: Names,
    start: datetime,
    pages: Pages,
    acts: Behaviour,
    when: Timeline,
    variant: Integers,
    label: str,
    scores: Floats | None = None,
) -> Iterator[Event]:
    """Yield the events of a timeline, oldest first; ``label`` keeps the message ids of two timelines apart.

    ``scores`` are what the model predicted on each page: they go with the exposures.
    """
    shoppers = pages.shopper[when.page].tolist()
    latency, cents = acts.latency_ms[when.page].tolist(), acts.cents[when.page].tolist()
    numbers = variant.tolist()
    rows = zip(when.page.tolist(), when.kind.tolist(), stamps(start, when.second), strict=True)
    for row, (page, kind, moment) in enumerate(rows):
        shopper = shoppers[row]
        name, properties = _report(names, kind, page, numbers[shopper], latency[row], cents[row], label)
        if scores is not None and kind == Kind.EXPOSURE:
            properties["score"] = round(float(scores[page]), 4)
        yield {
            "type": "track",
            "event": name,
            "userId": names.shopper(shopper),
            "timestamp": moment,
            "messageId": f"{names.prefix}-{label}-{page}-{kind}",
            "properties": properties,
        }


def _report(
    names: Names, kind: int, page: int, variant: int, latency_ms: float, cents: int, label: str
) -> tuple[str, dict[str, object]]:
    if kind == Kind.LIST:
        return "Product List Viewed", {"list_id": "search-results", "latency_ms": latency_ms}
    product_id, product_name = GOODS[page % len(GOODS)]
    if kind == Kind.CLICK:
        return "Product Clicked", {"product_id": product_id, "name": product_name, "position": 1 + page % 5}
    if kind == Kind.EXPOSURE:
        key, name = names.variants[variant]
        return "Experiment Viewed", exposure(names.experiment, names.experiment_name, key, name)
    total = cents + (SHIPPING_CENTS if cents < FREE_SHIPPING_CENTS else 0)
    return "Order Completed", {
        "order_id": f"{names.prefix}-{label}-{page}",
        "revenue": cents / 100,
        "total": total / 100,
        "currency": names.currency,
        "products": [{"product_id": product_id, "name": product_name, "price": cents / 100, "quantity": 1}],
    }


def exposure(experiment: str, experiment_name: str, variant: str, variant_name: str) -> dict[str, object]:
    """Return the properties of ``Experiment Viewed``."""
    return {
        "experiment_id": experiment,
        "experiment_name": experiment_name,
        "variation_id": variant,
        "variation_name": variant_name,
    }

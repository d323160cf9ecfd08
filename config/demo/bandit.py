"""Real impressions of a fashion shop (Open Bandit Dataset) as the events that its app would have sent."""

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from config.demo.traffic import exposure

DATA = Path(__file__).parent / "open_bandit" / "open_bandit_all_men.csv.gz"
STARTED = datetime(2019, 11, 24, tzinfo=UTC)
STOPPED = datetime(2019, 12, 1, tzinfo=UTC)
DAYS = (STOPPED - STARTED).days
CAMPAIGNS = ("all", "men")
POLICIES = (("random", "Uniform random"), ("bts", "Bernoulli Thompson sampling"))
CLICK_DELAY = timedelta(seconds=5)
"""The log says whether an impression was clicked and not when. Five seconds later is after its exposure in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impression:
    """One logged impression. ``number`` is its row in the file, and with that its identity."""

    number: int
    campaign: str
    policy: str
    at: datetime
    item: str
    position: int
    clicked: bool
    propensity: float
    visitor: str


def impressions(campaign: str, path: Path = DATA) -> Iterator[Impression]:
    """Yield the impressions of one campaign in the file's order."""
    with gzip.open(path, "rt", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if row["campaign"] == campaign:
                yield Impression(
                    number=number,
                    campaign=row["campaign"],
                    policy=row["policy"],
                    at=datetime.fromisoformat(row["timestamp"]),
                    item=row["item_id"],
                    position=int(row["position"]),
                    clicked=row["click"] == "1",
                    propensity=float(row["propensity_score"]),
                    visitor=visitor(*(row[f"user_feature_{i}"] for i in range(4))),
                )


@cache
def visitor(*features: str) -> str:
    """Return one short name for a combination of user features; the data set has no user ids."""
    return blake2b("|".join(features).encode(), digest_size=8).hexdigest()


def experiment_key(campaign: str) -> str:
    """Return the key of a campaign's experiment."""
    return f"open-bandit-{campaign}"


def events(rows: Iterable[Impression], experiment_name: str) -> Iterator[dict[str, Any]]:
    """Yield an exposure for every impression and a click for every clicked one, the same on every run.

    The exposure carries the policy of the log. These impressions were assigned in 2019, so asking the product now which
    variant they get would contradict what the shop really showed.
    """
    names = dict(POLICIES)
    for row in rows:
        impression_id = f"ob-{row.campaign}-{row.number}"
        common = {
            "impression_id": impression_id,
            "product_id": row.item,
            "position": row.position,
            "propensity_score": row.propensity,
        }
        shown = exposure(experiment_key(row.campaign), experiment_name, row.policy, names[row.policy])
        yield _event("Experiment Viewed", row, row.at, f"{impression_id}-exposure", {**shown, **common})
        if row.clicked:
            yield _event("Product Clicked", row, row.at + CLICK_DELAY, f"{impression_id}-click", common)


def _event(
    name: str, row: Impression, at: datetime, message_id: str, properties: dict[str, object]
) -> dict[str, object]:
    return {
        "type": "track",
        "event": name,
        "anonymousId": row.visitor,
        "timestamp": at.isoformat(),
        "messageId": message_id,
        "properties": properties,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an independent computation found for one campaign: click-through of both policies, z and p."""

    control: float
    treatment: float
    z: float
    p_value: float


# Two proportions, unpooled standard error, from the 40,000 rows alone (statsmodels and scipy agree).
EXPECTED = {
    "all": Expected(control=0.0038, treatment=0.0042, z=0.448, p_value=0.654),
    "men": Expected(control=0.0046, treatment=0.0069, z=2.151, p_value=0.0315),
}


def agrees(expected: Expected, control: float, treatment: float, z: float, p_value: float) -> bool:
    """Say whether the product reports the expected figures, to the digits in which they are stated."""
    return (
        abs(control - expected.control) < 5e-7
        and abs(treatment - expected.treatment) < 5e-7
        and abs(z - expected.z) < 2e-3
        and abs(p_value - expected.p_value) < 5e-4
    )

"""What the demo shop tried before it had Truelift: a simulated archive, imported as the file of another tool would be.

Pure but for the random draws of one seed, and for what is called ``ensure``. Each experiment changed clicks by
c ~ N(0, .05²) on the log scale and orders by .35 c + N(0, .015²): a click gained was worth a third of an order gained
(purchases moved by .9 of it, an order's value by N(0, .01²) of its own, revenue by orders and value together).
Users who click more also order more, whatever is tried, so a line through the measured effects promises too much.
"""

import csv
import math
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from analysis.past.keeping import Wanted, imports, keep
from config.demo.catalogue import RANKER, RECOMMENDER
from config.demo.shop import Floats
from experiments import north_star
from experiments.models import Metric, Project, User

NAME, FILE_NAME = "Before Truelift", "experiments-before-truelift.csv"
SOURCE = "Simulated for the demo, as an archive of another tool would be exported"
NORTH_STAR = "revenue-per-shopper"
WHY = "Shoppers vote with their money, and every team can move it."
FAMILIES = (RANKER, RECOMMENDER)
COUNT, SEED, DAYS_APART, LAST_DAYS_AGO = 140, 11, 5, 90
SLOPE, SPREAD, OWN_WAY, WORTH = 0.35, 0.05, 0.015, 0.01
"""Of true effects, as log lifts: orders for clicks, clicks' own, orders' beside clicks, and of an order's value."""
SHARED = 0.5
"""How the noise of clicks goes together with that of orders. The import assumes as much of any two metrics."""
ORDERS = 0.22
"""Orders of a shopper."""
USUAL = {
    "click-through": (0.20, 0.9, 1.0),
    "purchase-rate": (0.17, 2.2, 1.0),
    "orders-per-shopper": (ORDERS, 2.6, 1.0),
    "order-value": (50.0, 0.6, ORDERS),
}
"""Mean of the control, coefficient of variation, values a shopper has. Revenue follows: orders times value."""
TOGETHER = np.array([[1, SHARED, SHARED, 0], [SHARED, 1, 0.85, 0], [SHARED, 0.85, 1, 0], [0, 0, 0, 1]])
COLUMNS = ("experiment", "model", "ended", "metric", "n", "mean", "variance",
           "control_n", "control_mean", "control_variance")  # fmt: skip


def ensure_north_star(project: Project, user: User) -> None:
    """Have the demo shop go by one metric, unless it does already."""
    if project.north_star is None:
        north_star.choose(project, Metric.objects.get(project=project, key=NORTH_STAR), user, WHY)


def ensure_archive(project: Project, user: User, today: date) -> None:
    """Import the archive unless one of that name counts already."""
    if imports(project).filter(name=NAME).exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, FILE_NAME)
        with file.open("w", newline="") as handle:
            written = csv.writer(handle)
            written.writerow(COLUMNS)
            written.writerows(rows(today))
        wanted = Wanted(file=file, file_name=FILE_NAME, name=NAME, source=SOURCE, correlation=SHARED)
        keep(project, user, wanted)


def rows(today: date) -> Iterator[tuple[object, ...]]:
    """Yield a row for each experiment and metric; the newest experiment ended ninety days ago."""
    random, mixed = np.random.default_rng(SEED), np.linalg.cholesky(TOGETHER)
    for number in range(COUNT):
        clicks = SPREAD * random.normal()
        orders = SLOPE * clicks + OWN_WAY * random.normal()
        true = np.array([clicks, 0.9 * orders, orders, WORTH * random.normal()])
        shoppers = round(3_500 * math.exp(0.5 * random.normal()))
        noise = mixed @ random.normal(size=len(USUAL))
        ended = today - timedelta(days=LAST_DAYS_AGO + DAYS_APART * (COUNT - 1 - number))
        family = FAMILIES[number % len(FAMILIES)]
        head = f"{family.capitalize()} trial {number + 1}", family, ended.isoformat()
        for row in _metrics(shoppers, true, noise):
            yield *head, *row


def _metrics(shoppers: int, true: Floats, noise: Floats) -> Iterator[tuple[object, ...]]:
    lifts, spreads = [], []
    for (metric, (mean, spread, values)), lift, error in zip(USUAL.items(), true, noise, strict=True):
        n = round(shoppers * values)
        seen = float(lift + spread * error * math.sqrt(2 / n))
        lifts.append(seen)
        spreads.append(spread / math.sqrt(values))
        yield metric, *_sides(n, mean, spread, seen)
    spread = math.hypot(*spreads[2:])
    yield NORTH_STAR, *_sides(shoppers, ORDERS * USUAL["order-value"][0], spread, sum(lifts[2:]))


def _sides(n: int, mean: float, spread: float, lift: float) -> tuple[object, ...]:
    """Return n, mean and variance of treatment and control, as the columns have them."""
    seen = mean * math.exp(lift)
    return n, f"{seen:.8g}", f"{(spread * seen) ** 2:.6g}", n, f"{mean:.8g}", f"{(spread * mean) ** 2:.6g}"

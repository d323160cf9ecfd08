"""Logs of decisions as files, with a known truth."""

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

HEADER = ("decision_id", "unit", "context", "action", "propensity", "reward", "target_propensity.new-model")
LOGGING = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])  # context x action
TARGET = np.array([[0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])
REWARD = np.array([[0.1, 0.3, 0.5], [0.4, 0.2, 0.1]])
TRUTH = float((TARGET * REWARD).sum(axis=1).mean())
OPEN_BANDIT = Path(__file__).resolve().parents[3] / "config/demo/open_bandit/open_bandit_all_men.csv.gz"


def write(file: Path, rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER) -> Path:
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)
    return file


def toy(seed: int = 1, rows: int = 4000, per_user: int = 4) -> list[list[object]]:
    """Decisions of a policy with three actions in two contexts, each user with several."""
    random = np.random.default_rng(seed)
    users = np.arange(rows) // per_user
    context = random.integers(0, 2, rows // per_user)[users]
    action = (random.random(rows)[:, None] > np.cumsum(LOGGING[context], axis=1)).sum(axis=1)
    reward = (random.random(rows) < REWARD[context, action]).astype(int)
    columns = (users, context, action, LOGGING[context, action], reward, TARGET[context, action])
    return [
        [f"d-{i}", f"u-{u}", f"c{c}", f"a{a}", p, r, t]
        for i, (u, c, a, p, r, t) in enumerate(zip(*(one.tolist() for one in columns), strict=True))
    ]


def open_bandit(campaign: str) -> list[list[object]]:
    """The bandit's log of a campaign, with the uniform policy as the candidate."""
    actions = {"men": 34, "all": 80}[campaign]
    with gzip.open(OPEN_BANDIT, "rt", newline="") as handle:
        found = [one for one in csv.DictReader(handle) if (one["campaign"], one["policy"]) == (campaign, "bts")]
    return [
        [i, "", one["position"], one["item_id"], one["propensity_score"], one["click"], 1 / actions]
        for i, one in enumerate(found)
    ]

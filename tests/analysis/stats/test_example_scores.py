"""Scores by example: the metrics that they give, and two versions' difference with its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats import example_scores
from analysis.stats.example_scores import Compared, Scores, compare, metrics_of, own_intervals
from analysis.stats.paired import PairedDifference, paired_bootstrap_of
from analysis.stats.pseudo_values import auc_values, f1_values, log_losses
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE, tolerance


def scores(n: int, seed: int = 1, shift: float = 1.0, **fields) -> Scores:
    """A classifier's scores whose positives lie ``shift`` higher."""
    random = np.random.default_rng(seed)
    labels = random.random(n) < 0.4
    raw = random.normal(size=n) + shift * labels
    probability = 1 / (1 + np.exp(-raw))
    said = probability > 0.5
    defaults = {
        "examples": np.arange(n, dtype=np.uint64), "labels": labels.astype(np.uint64),
        "predictions": said.astype(np.uint64), "binary": labels, "predicted": said, "scores": probability,
        "values": {"NDCG@10": random.beta(4, 3, n)},
    }  # fmt: skip
    return Scores(**{**defaults, **fields})


def pairwise_auc(labels: np.ndarray, score: np.ndarray) -> float:
    """The definition: the share of pairs in order, ties a half."""
    up, down = score[labels][:, None], score[~labels][None, :]
    return float((up > down).mean() + 0.5 * (up == down).mean())


def test_auc__golden__delong_1988():
    # The worked AUC of two readers is not tabulated in full; this is Hanley and McNeil 1982, table I: 58 normal, 51
    # abnormal, five ratings; the area by the Wilcoxon statistic is .893.
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    rating = np.repeat([1, 2, 3, 4, 5] * 2, [*normal, *abnormal])
    labels = np.repeat([False, True], [58, 51])
    values = auc_values(labels, rating)
    assert values.mean() == pytest.approx(0.893, abs=5e-4)
    # Their standard error is .032; DeLong's for the same data is .0307 (pROC's documentation of the method).
    assert values.std(ddof=1) / np.sqrt(len(values)) == pytest.approx(0.032, abs=2e-3)


@PURE
@given(st.integers(0, 10_000), st.integers(30, 80))
def test_auc__mean_of_the_values__is_the_share_of_pairs_in_order(seed: int, n: int):
    random = np.random.default_rng(seed)
    labels = np.r_[True, False, random.random(n) < 0.5]
    score = np.round(random.normal(size=n + 2), 1)
    assert auc_values(labels, score).mean() == pytest.approx(pairwise_auc(labels, score))
    assert auc_values(labels, -score).mean() == pytest.approx(1 - pairwise_auc(labels, score))


@PURE
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=60))
def test_f1__mean_of_the_values__is_f1(rows):
    labels, said = (np.array(column) for column in zip(*rows, strict=True))
    hits, errors = int((labels & said).sum()), int((labels ^ said).sum())
    found = f1_values(labels, said)
    if hits + errors == 0:
        assert isinstance(found, NotComputable)
    else:
        assert found.mean() == pytest.approx(2 * hits / (2 * hits + errors))


def test_log_loss__is_the_mean_of_minus_log():
    found = log_losses([1, 0, 1], [0.8, 0.3, 1.0])
    assert found == pytest.approx([-np.log(0.8), -np.log(0.7), 0], abs=1e-12)
    assert np.isfinite(log_losses([1], [0.0])).all()


@pytest.mark.parametrize("metric", ["AUC", "F1"])
def test_agreement__intervals_of_the_values_and_of_the_metric_resampled_as_it_is(metric: str):
    old, new = scores(600, shift=1.0), scores(600, shift=1.4)
    found = compare(old, new, np.random.default_rng(3), draws=3000).metrics[metric]

    def both(rows: np.ndarray) -> tuple[float, float]:
        if metric == "AUC":
            return tuple(pairwise_auc(one.binary[rows], one.scores[rows]) for one in (old, new))
        return tuple(float(f1_values(one.binary[rows], one.predicted[rows]).mean()) for one in (old, new))

    whole = paired_bootstrap_of(both, 600, random=np.random.default_rng(4), changed=0.0, draws=300)
    assert isinstance(whole, PairedDifference)
    assert found.value == pytest.approx(whole.value, abs=1e-12)
    assert found.standard_error == pytest.approx(whole.standard_error, rel=0.15)


def test_metrics__are_those_that_the_columns_allow():
    assert set(metrics_of(scores(50))) == {"Accuracy", "F1", "AUC", "Log loss", "NDCG@10"}
    ranks = scores(50, labels=None, predictions=None, binary=None, predicted=None, scores=None)
    assert set(metrics_of(ranks)) == {"NDCG@10"}
    assert "Log loss" not in metrics_of(scores(50, scores=np.linspace(-3, 3, 50)))
    assert "AUC" not in metrics_of(scores(50, binary=np.ones(50, dtype=bool)))


def test_compare__on_the_examples_that_both_scored__counts_the_rest():
    new = scores(100)
    old = new.take(np.arange(20, 100))
    found = compare(old, new, np.random.default_rng(1), draws=200)
    assert (found.examples, found.only_old, found.only_new, found.changed) == (80, 0, 20, 0.0)
    assert found.metrics["Accuracy"].value == 0.0


def test_compare__swapping_the_versions__flips_the_sign():
    a, b = scores(400, shift=1.0), scores(400, shift=1.3)
    one, other = (compare(*pair, np.random.default_rng(1)).metrics["AUC"] for pair in ((a, b), (b, a)))
    assert one.value == pytest.approx(-other.value)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=0.004)


def test_compare__other_labels__are_a_mistake_and_nothing_is_compared():
    a, b = scores(100), scores(100, seed=2)
    found = compare(a, b, np.random.default_rng(1))
    assert isinstance(found, NotComputable)
    assert "have another label in the other file" in found.reason


def test_compare__nothing_in_common__says_so():
    moved = scores(50, examples=np.arange(1000, 1050, dtype=np.uint64))
    assert isinstance(compare(scores(50), moved, np.random.default_rng(1)), NotComputable)


def test_units__examples_of_one_user__widen_the_interval():
    random = np.random.default_rng(5)
    units = np.repeat(np.arange(100, dtype=np.uint64), 20)
    by_user = np.repeat(random.normal(0, 0.2, 100), 20)
    base = random.beta(4, 3, 2000)
    plain = {"labels": None, "predictions": None, "binary": None, "predicted": None, "scores": None}
    old = scores(2000, values={"NDCG": base}, **plain)
    new = scores(2000, values={"NDCG": base + by_user}, **plain)
    alone = compare(old, new, np.random.default_rng(1)).metrics["NDCG"]
    together = compare(old, scores(2000, values={"NDCG": base + by_user}, units=units, **plain),
                       np.random.default_rng(1)).metrics["NDCG"]  # fmt: skip
    assert together.clusters == 100
    assert together.standard_error > 3 * alone.standard_error


def test_blocks__many_examples_put_together_at_random__keep_the_error(monkeypatch):
    old, new = scores(4000, shift=1.0), scores(4000, shift=1.2)
    whole = compare(old, new, np.random.default_rng(1)).metrics["Accuracy"]
    monkeypatch.setattr(example_scores, "MOST_BLOCKS", 500)
    blocked = compare(old, new, np.random.default_rng(1)).metrics["Accuracy"]
    assert blocked.clusters == 500
    assert blocked.standard_error == pytest.approx(whole.standard_error, rel=0.15)


def test_own_intervals__hold_their_value():
    for value, low, high in own_intervals(scores(300), np.random.default_rng(2)).values():
        assert low <= value <= high


@pytest.mark.parametrize("runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_calibration__95_percent_intervals_hold_the_true_difference(runs):
    """Seeded; the versions differ by a known AUC of a far larger sample. The bootstrap's own draws cost a little."""
    truth = compare(*(scores(40_000, seed=99, shift=s) for s in (1.0, 1.1)), np.random.default_rng(0), draws=2)
    assert isinstance(truth, Compared)
    held = 0
    for run in range(runs):
        pair = (scores(300, seed=run, shift=s) for s in (1.0, 1.1))
        low, high = compare(*pair, np.random.default_rng(run), draws=400).metrics["AUC"].interval
        held += low <= truth.metrics["AUC"].value <= high
    assert held / runs == pytest.approx(0.95, abs=tolerance(0.05, runs))

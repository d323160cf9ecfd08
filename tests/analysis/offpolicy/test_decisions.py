"""From a file of decisions to the sums of an evaluation: the same as row by row, and refused where it must be."""

import numpy as np
import pytest

from analysis.offpolicy.decisions import from_file
from analysis.offpolicy.sums import PolicySums, policy_sums
from analysis.stats.offpolicy.evaluation import Evaluation, evaluate, judge
from analysis.stats.offpolicy.tally import Chunk
from analysis.stats.unavailable import NotComputable
from analysis.tables.refusal import RefusalError
from tests.analysis.offpolicy.files import HEADER, LOGGING, TARGET, TRUTH, open_bandit, toy, write


def summed(tmp_path, rows, header=HEADER) -> PolicySums:
    with from_file(write(tmp_path / "log.csv", rows, header), ["new-model"]) as decisions:
        return policy_sums(decisions, 0)


def judged(tmp_path, rows, header=HEADER) -> Evaluation:
    found = judge(summed(tmp_path, rows, header).tally)
    assert isinstance(found, Evaluation), found
    return found


def test_file__summed_by_the_database__equals_the_arrays_row_by_row(tmp_path):
    rows = toy()
    found = judged(tmp_path, rows)
    users = np.array([int(str(row[1])[2:]) for row in rows])
    reward, logged, target = (np.array([row[i] for row in rows], dtype=float) for i in (5, 4, 6))
    known = evaluate([Chunk(rewards=reward, logged=logged, target=target, users=users)])
    assert isinstance(known, Evaluation)
    assert found.rows == known.rows == 4000
    for name in ("ips", "snips"):
        assert getattr(found, name).value == pytest.approx(getattr(known, name).value)
        # Other hashes put users into other buckets: nearly as many, so nearly the same error.
        assert getattr(found, name).standard_error == pytest.approx(getattr(known, name).standard_error, rel=0.1)
    assert found.effective == pytest.approx(known.effective)
    assert found.largest == pytest.approx(known.largest)
    assert [one.ips for one in found.clips] == pytest.approx([one.ips for one in known.clips])


def test_file__with_context_and_action__is_doubly_robust_and_covers_the_truth(tmp_path):
    covered = 0
    for seed in range(5):
        found = judged(tmp_path, toy(seed, 2000))
        assert not isinstance(found.doubly_robust, NotComputable)
        assert found.doubly_robust.standard_error < found.ips.standard_error
        low, high = found.doubly_robust.interval
        covered += low <= TRUTH <= high
    assert covered >= 4


def test_gain__value_less_what_ran__has_one_error_for_interval_and_p(tmp_path):
    found = judged(tmp_path, toy(3))
    gain = found.gain_snips
    assert not isinstance(gain, NotComputable)
    assert gain.value == pytest.approx(found.snips.value - found.logging)
    assert (gain.interval[0] > 0 or gain.interval[1] < 0) == (gain.p_value < 0.05)
    truth = TRUTH - float((LOGGING * np.array([[0.1, 0.3, 0.5], [0.4, 0.2, 0.1]])).sum(axis=1).mean())
    assert gain.interval[0] <= truth <= gain.interval[1]


def test_gain__the_policy_that_ran_itself__is_exactly_nothing(tmp_path):
    rows = [[*row[:6], row[4]] for row in toy(4, 400)]
    gain = judged(tmp_path, rows).gain_snips
    assert not isinstance(gain, NotComputable)
    assert gain.value == pytest.approx(0, abs=1e-12)
    assert gain.standard_error == pytest.approx(0, abs=1e-12)


# Open Bandit data (Saito and others 2021), 10,000 impressions a policy; computed independently with numpy.
@pytest.mark.parametrize(("campaign", "ips", "effective"), [("men", 0.0030, 656), ("all", 0.0024, 340)])
def test_open_bandit__uniform_policy_from_the_bandits_log__is_the_known_value(tmp_path, campaign, ips, effective):
    found = judged(tmp_path, open_bandit(campaign))
    assert found.ips.value == pytest.approx(ips, abs=5e-5)
    assert found.effective == pytest.approx(effective, abs=0.7)


def test_doubly_robust__an_action_that_a_context_never_shows__is_not_computable(tmp_path):
    rows = [row for row in toy(5) if not (row[2] == "c0" and row[3] == "a2")]
    assert "every action in every context" in summed(tmp_path, rows).unmodelled


def test_doubly_robust__a_candidate_that_looks_at_more_than_the_context__is_not_computable(tmp_path):
    rows = [[*row[:6], float(str(row[6])) * (0.9 if i % 2 else 1.1)] for i, row in enumerate(toy(6))]
    assert "more than the logged context" in summed(tmp_path, rows).unmodelled


def test_file__without_optional_columns__is_valued_all_the_same(tmp_path):
    rows = [row[4:] for row in toy(7)]
    sums = summed(tmp_path, rows, HEADER[4:])
    assert sums.unmodelled == "the log names no actions"
    found = judge(sums.tally)
    assert isinstance(found, Evaluation)
    assert found.clusters is not None
    assert found.clusters > 2500  # rows without a unit stand alone


def test_file__a_decision_twice__counts_once(tmp_path):
    rows = toy(8, 400)
    with from_file(write(tmp_path / "log.csv", [*rows, *rows[:50]]), ["new-model"]) as decisions:
        assert (decisions.rows, decisions.duplicates) == (400, 50)
        assert "50 rows repeat a decision" in decisions.notes[0]


def test_file__a_row_without_a_probability__is_counted_and_refused(tmp_path):
    rows = toy(9, 400)
    rows[0][4], rows[1][4], rows[2][6], rows[3][5] = "", 0, "", "n/a"
    found = judge(summed(tmp_path, rows).tally)
    assert isinstance(found, NotComputable)
    assert "4 of 400 rows" in found.reason


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (("propensity", "reward", "x"), "no column 'target_propensity.new-model'"),
        (("reward", "target_propensity.new-model", "x"), "no column 'propensity'"),
        (("propensity", "target_propensity.new-model", "x"), "no column 'reward'"),
    ],
)
def test_file__a_column_missing__is_said_with_what_it_is_for(tmp_path, header, message):
    with (
        pytest.raises(RefusalError, match=message),
        from_file(write(tmp_path / "log.csv", [(0.5, 1, 0.5)], header), ["new-model"]),
    ):
        pass


def test_file__that_is_none__is_refused_in_one_line(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(RefusalError), from_file(tmp_path / "log.csv", ["new-model"]):
        pass


def test_bins__all_weights__are_there_once(tmp_path):
    sums = summed(tmp_path, toy(10))
    assert sum(one.rows for one in sums.bins) == 4000
    assert sum(one.share for one in sums.bins) == pytest.approx(1)
    assert {one.name for one in sums.segments} == {"c0", "c1"}
    assert all(one.mean_weight == pytest.approx(1, abs=0.1) for one in sums.segments)
    assert TARGET.shape == LOGGING.shape

"""Shares move once a batch, on units whose time is up, with floor, history and audit; results stay valid."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import tasks
from analysis.bandits import moving, result
from analysis.bandits.sharing import next_shares, whole
from analysis.models import BanditBatch, Enrolment
from analysis.results.schema import Reading
from analysis.stats.batched_bandits import BatchedMeans
from experiments.bandits import SharesError, deal_by
from experiments.domain.designs.bandit import BanditDesign, BanditPolicy
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment
from experiments.setup import PlanError, check, plan_of
from tests import builders
from tests.builders import T0

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def bandit(shop, status: Status = Status.RUNNING, kind: str = "proportion", **fields) -> Experiment:
    metric = builders.metric(
        shop, "click", event="Item Clicked", name="Click rate", kind=kind, **fields.pop("metric", {})
    )
    design = {"batch_hours": 24, "window_hours": 1, "first_units": 30, **fields.pop("design", {})}
    made = builders.experiment(
        shop, "banner", kind=ExperimentKind.BANDIT, design=design, primary=metric, status=status, unit_type="session",
        planned_days=5, **fields,
    )  # fmt: skip
    made.variants.filter(position=1).update(name="New banner")
    return made


def deal(tested: Experiment, place: int, count: int, rewarded: int, *, at=T0 + HOUR, named: str = "") -> None:
    """Enrol sessions of one variant, some of which click half an hour later."""
    variant = tested.variants.get(position=place)
    names = [f"{named or at:%s}-{place}-{i}" if not named else f"{named}-{place}-{i}" for i in range(count)]
    Enrolment.objects.bulk_create(
        Enrolment(experiment=tested, unit=name, variant=variant, first_at=at, bucket=0) for name in names
    )
    for name in names[:rewarded]:
        builders.log(tested.project, "Item Clicked", None, at=at + HOUR / 2, session_id=name)


def two_batches(tested: Experiment) -> None:
    """A first day on which the new banner does better, and the shares that follow it."""
    assert moving.move(tested, T0 + HOUR)
    deal(tested, 0, 100, 10, named="first")
    deal(tested, 1, 100, 25, named="first")
    assert moving.move(tested, T0 + DAY)


def test_move__the_first_look__writes_the_even_shares_down_and_changes_nothing(shop):
    tested = bandit(shop)
    assert moving.move(tested, T0 + HOUR)
    row = BanditBatch.objects.get()
    assert (row.number, row.began_at, row.shares, row.best) == (0, T0, [5000, 5000], [])
    assert not AuditEntry.objects.exists()


def test_move__a_batch_is_over__gives_the_better_variant_more_and_says_so(shop):
    tested = bandit(shop)
    two_batches(tested)
    row = BanditBatch.objects.get(number=1)
    assert row.began_at == T0 + DAY
    assert row.means == pytest.approx([0.1, 0.25])
    assert row.units == 200
    assert row.best[1] > 0.99
    assert sum(row.shares) == 10_000
    assert row.shares[0] >= 500  # the floor
    assert list(tested.variants.values_list("weight", flat=True)) == row.shares
    entry = AuditEntry.objects.get(action="experiment.shares")
    assert "New banner is the best with a probability of" in entry.why
    assert entry.before == {"shares": {"control": 5000, "treatment": 5000}}


def test_move__twice_or_too_early__moves_once(shop):
    tested = bandit(shop)
    two_batches(tested)
    assert not moving.move(tested, T0 + DAY)
    assert not moving.move(tested, T0 + 2 * DAY - HOUR)
    assert moving.move(tested, T0 + 2 * DAY)
    assert BanditBatch.objects.count() == 3


@pytest.mark.parametrize(("control", "treatment"), [(29, 100), (100, 29), (0, 0)])
def test_move__too_few_units_of_a_variant__waits(shop, control, treatment):
    tested = bandit(shop)
    moving.move(tested, T0 + HOUR)
    deal(tested, 0, control, control // 3)
    deal(tested, 1, treatment, treatment // 2)
    assert not moving.move(tested, T0 + DAY)
    assert list(tested.variants.values_list("weight", flat=True)) == [5000, 5000]


def test_move__units_whose_time_is_not_over__do_not_count_yet(shop):
    tested = bandit(shop)
    moving.move(tested, T0 + HOUR)
    deal(tested, 0, 50, 5)
    deal(tested, 1, 50, 20)
    deal(tested, 1, 50, 0, at=T0 + DAY - HOUR / 2, named="young")
    moving.move(tested, T0 + DAY)
    assert BanditBatch.objects.get(number=1).units == 100


@pytest.mark.parametrize("status", [Status.DRAFT, Status.PAUSED, Status.STOPPED])
def test_move__a_bandit_that_does_not_run__stays(shop, status):
    assert not moving.move(bandit(shop, status), T0 + DAY)
    assert not BanditBatch.objects.exists()


def test_move__lower_is_better__follows_the_smaller(shop):
    tested = bandit(shop, metric={"direction": "decrease"})
    two_batches(tested)
    assert BanditBatch.objects.get(number=1).best[0] > 0.99


def test_move__a_sum__learns_from_the_money_in_its_time(shop):
    tested = bandit(shop, kind="sum", metric={"property": "revenue"})
    moving.move(tested, T0 + HOUR)
    for place, money in ((0, 10), (1, 12)):
        deal(tested, place, 40, 0, named="x")
        for i in range(40):
            name = f"x-{place}-{i}"
            builders.log(shop, "Item Clicked", None, at=T0 + HOUR * 1.2, session_id=name, revenue=money + i % 2)
            builders.log(shop, "Item Clicked", None, at=T0 + HOUR * 3, session_id=name, revenue=1000)
    moving.move(tested, T0 + DAY)
    assert BanditBatch.objects.get(number=1).means == pytest.approx([10.5, 12.5])


def test_task__run_twice__moves_once(shop, monkeypatch):
    tested = bandit(shop)
    moving.move(tested, T0 + HOUR)
    deal(tested, 0, 50, 5)
    deal(tested, 1, 50, 20)
    monkeypatch.setattr(tasks, "fold", lambda: None)
    for _ in range(2):
        tasks.move_bandits()
    assert BanditBatch.objects.count() == 2


def test_batch__once_written__never_changes(shop):
    moving.move(bandit(shop), T0 + HOUR)
    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        BanditBatch.objects.update(shares=[1, 9999])


def test_deal_by__what_are_no_shares_of_it__is_refused(shop):
    tested = bandit(shop)
    first, second = tested.variants.values_list("pk", flat=True)
    for shares in ({first: 10_000}, {first: 10_000, second: 0}, {first: 5000, second: 6000}):
        with pytest.raises(SharesError):
            deal_by(tested, shares, "")
    assert not deal_by(tested, {first: 5000, second: 5000}, "")
    with pytest.raises(SharesError, match="standard"):
        deal_by(builders.experiment(shop, "ab"), {}, "")


def test_plan__users_as_units__are_refused_because_they_come_back(shop):
    tested = bandit(shop, Status.DRAFT)
    tested.unit_type = "user"
    with pytest.raises(PlanError, match="users come back"):
        check(plan_of(tested))


@settings(max_examples=40)
@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=8), st.integers(0, 1000))
def test_whole__any_shares__adds_up_and_keeps_the_floor(raw, floor):
    floor = min(floor, 10_000 // len(raw) // 2)
    total = sum(raw)
    shares = [floor / 10_000 + (1 - len(raw) * floor / 10_000) * one / total for one in raw]
    found = whole(shares, floor)
    assert sum(found) == 10_000
    assert min(found) >= floor
    assert all(abs(one - share * 10_000) <= len(raw) for one, share in zip(found, shares, strict=True))


def test_next_shares__the_two_policies__differ_as_they_should():
    known = BatchedMeans(means=np.array([0.1, 0.2, 0.19]), errors=np.array([0.01, 0.01, 0.01]), batches=1)
    thompson = next_shares(known, BanditDesign(floor=200), higher_is_better=True)
    top_two = next_shares(known, BanditDesign(floor=200, policy=BanditPolicy.TOP_TWO), higher_is_better=True)
    assert thompson.best == top_two.best
    assert thompson.shares[1] > top_two.shares[1]  # more goes to telling the leader from its rival
    assert top_two.shares[2] > thompson.shares[2]


def finished(shop) -> Experiment:
    tested = bandit(shop)
    two_batches(tested)
    shares = BanditBatch.objects.get(number=1).shares
    for place, rate in ((0, 0.1), (1, 0.25)):
        count = 1000 * shares[place] // 10_000
        deal(tested, place, count, round(count * rate), at=T0 + 2 * DAY, named="second")
    return tested


def test_result__at_the_end__says_which_is_better_with_a_valid_interval(shop):
    found = result.read(finished(shop), T0 + timedelta(days=6))
    assert found is not None
    assert found.verdict.decision == "ship"
    assert "New banner is better" in found.verdict.headline
    (one,) = found.metrics[0].comparisons
    assert one.reading is Reading.BETTER
    assert one.difference == pytest.approx(0.15, abs=0.02)
    assert one.difference_interval is not None
    assert one.difference_interval[0] is not None
    assert one.difference_interval[0] > 0
    assert found.bandit is not None
    assert found.bandit.earned is not None
    assert found.bandit.earned > 0
    assert [row.number for row in found.bandit.history] == [0, 1]


def test_result__before_the_end__names_the_leader_and_calls_nothing(shop):
    found = result.read(finished(shop), T0 + timedelta(days=3))
    assert found is not None
    assert found.verdict.decision == "keep running"
    assert "New banner leads" in found.verdict.headline
    assert found.metrics[0].comparisons[0].reading is Reading.TOO_EARLY


def test_result__units_right_after_a_change__are_left_out_whatever_they_did(shop):
    tested = bandit(shop)
    two_batches(tested)
    deal(tested, 0, 40, 40, at=T0 + DAY + timedelta(minutes=5), named="old shares")
    found = result.read(tested, T0 + timedelta(days=3))
    assert found is not None
    assert sum(variant.units for variant in found.variants) == 200


def test_result__a_variant_that_loses_units__is_not_believed(shop):
    tested = bandit(shop)
    moving.move(tested, T0 + HOUR)
    deal(tested, 0, 200, 20)
    deal(tested, 1, 100, 20)
    found = result.read(tested, T0 + DAY)
    assert found is not None
    assert not found.health.trustworthy
    assert found.verdict.decision == "not trustworthy"


def test_result__nothing_yet__is_a_sentence_and_no_number(shop):
    found = result.read(bandit(shop), T0 + DAY)
    assert found is not None
    assert "Nothing is known yet" in found.verdict.headline
    assert found.bandit is not None
    assert found.bandit.earned is None


def test_page__a_bandit__shows_shares_over_time_and_when_not_to_take_one(
    client_of_alice, client_of_charlie, shop, django_assert_max_num_queries
):
    tested = finished(shop)
    found = result.read(tested, T0 + timedelta(days=6))
    assert found is not None
    builders.snapshot(tested, found)
    address = reverse("experiment_results", args=["shop", "banner"])
    with django_assert_max_num_queries(14):
        page = client_of_alice.get(address).content.decode()
    for words in ("Shares over time", "bandit-shares", "Best, probably", "When an A/B test is better", "even split"):
        assert words in page
    assert 'style="' not in page
    assert client_of_charlie.get(address).status_code == 404

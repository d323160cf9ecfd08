"""What moved the north star: launches with their luck removed, held to what a holdout measured."""

import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.urls import reverse

from analysis.models import EffectVector, HoldbackWatch, ProgrammeReading
from analysis.programme import launched, north_star, quarters, readings, tasks
from analysis.programme.launched import Tried, Window
from experiments import north_star as choosing
from experiments.domain.kinds import ExperimentKind
from experiments.models import AuditEntry, Experiment, Metric
from tests import builders
from tests.analysis.programme import samples
from tests.analysis.programme.samples import BUSINESS

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)
START = datetime(2026, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def home(shop, alice):
    samples.metrics(shop)
    choosing.choose(shop, Metric.objects.get(key=BUSINESS), alice, "we live on it")
    return shop


def a_holdout(home, lift: float, error: float, *, started: datetime = START - DAY) -> Experiment:
    """A holdout of 5 % that measured this so far."""
    made = builders.a_holdout(home, started_at=started)
    samples.vector(
        made, made.variants.get(position=1), [BUSINESS], [lift], np.array([[error**2]]), np.zeros((10, 1)), 40_000
    ).save()
    EffectVector.objects.filter(experiment=made).update(as_of=NOW)
    return made


def ship(one: Experiment, at: datetime, share: int = 10_000, holdback: int = 0) -> None:
    Experiment.objects.filter(pk=one.pk).update(
        shipped_variant=one.variants.get(position=1), shipped_at=at, shipped_share=share, holdback_share=holdback,
        started_at=START, stopped_at=at, allocation=10_000,
    )  # fmt: skip


def winners(home, count: int = 3, signal: float = 1.0) -> list[Experiment]:
    """The experiments of a programme that looked best, shipped one after the other."""
    made = samples.programme(home, 40, signal=signal, ended=NOW - 20 * DAY)
    lifts = {v.experiment_id: v.log_lifts[1] for v in EffectVector.objects.exclude(experiment__kind="holdout")}
    best = sorted(made, key=lambda one: -lifts[one.pk])[:count]
    for k, one in enumerate(best):
        ship(one, START + (20 + 5 * k) * DAY)
    return best


def page(client, home, query: str = "") -> str:
    response = client.get(reverse("evidence_north_star", args=[home.slug]) + query)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def test_reading__of_winners__is_less_than_their_sum(home):
    best = winners(home)
    found = north_star.read(home, "2026-Q1", NOW)
    raw = {one.experiment: one.raw for one in found.launches}
    assert set(raw) == {one.key for one in best}
    assert found.claimed == pytest.approx(sum(raw.values()))
    assert 0 < found.together < found.claimed
    assert found.comparisons == 40
    assert found.lee_shen.comparisons == 40
    assert [one.believed for one in found.launches] == sorted((one.believed for one in found.launches), reverse=True)
    assert "No holdout measured it all together" in found.notes[0]


def test_bars__from_launches_to_the_holdout__add_up(home):
    winners(home, 10)
    a_holdout(home, 0.03, 0.01)
    found = north_star.read(home, "2026-Q1", NOW)
    names = [one.name for one in found.bars]
    assert names[-3:] == ["Explained", "Unexplained", "Measured by the holdout"]
    assert "2 more of this quarter" in names
    assert "Trials while they ran" in names
    parts = [one.value for one in found.bars if not one.is_total and one.name != "Unexplained"]
    explained = found.bars[-3].value
    assert sum(parts) == pytest.approx(explained)
    assert explained + found.unexplained == pytest.approx(0.03)
    low, high = found.unexplained_interval
    assert (high - low) / 2 > 1.96 * 0.01


def test_contribution__is_the_effect_for_the_time_and_share_that_units_had_it(home):
    (best,) = winners(home, 1)
    a_holdout(home, 0.03, 0.01)
    found = north_star.read(home, "2026-Q1", NOW)
    (launch,) = found.launches
    window = (NOW - (START - DAY)) / DAY
    felt = (20 * 0.5 + (NOW - (START + 20 * DAY)) / DAY) / window
    assert launch.felt == pytest.approx(felt)
    assert launch.contribution == pytest.approx(launch.believed * launch.reach * felt)
    assert best.key == launch.experiment


def test_launch__that_the_held_out_units_have_too__adds_nothing_to_the_holdout(home):
    (best,) = winners(home, 1)
    a_holdout(home, 0.0, 0.01)
    Experiment.objects.filter(pk=best.pk).update(respects_holdout=False)
    (launch,) = north_star.read(home, "2026-Q1", NOW).launches
    assert (launch.felt, launch.contribution) == (0.0, 0.0)


def test_launch__whose_result_must_not_be_believed__is_named_without_a_number(home):
    (best,) = winners(home, 1)
    EffectVector.objects.filter(experiment=best).update(trustworthy=False)
    found = north_star.read(home, "2026-Q1", NOW)
    assert [one.believed for one in found.launches] == [None]
    assert "must not be believed" in found.launches[0].reason
    assert "Nothing was launched" in found.headline


def test_yearly__is_the_audience_at_full_traffic_for_a_year(home):
    (best,) = winners(home, 1)
    Experiment.objects.filter(pk=best.pk).update(allocation=5_000)
    (launch,) = north_star.read(home, "2026-Q1", NOW).launches
    vector = EffectVector.objects.get(experiment=best)
    total = 2.0 * (vector.units + vector.control_units) / 0.5 / 20 * 365
    assert launch.yearly == pytest.approx(total * math.expm1(launch.believed))
    assert launch.yearly_interval[0] < launch.yearly < launch.yearly_interval[1]


def test_reading__of_few_comparisons__takes_effects_as_they_are_and_says_so(home):
    (one, *_) = samples.programme(home, 3, ended=NOW - 20 * DAY)
    ship(one, START + 20 * DAY)
    found = north_star.read(home, "2026-Q1", NOW)
    assert found.launches[0].kept == 1.0
    assert "3 comparisons measure" in found.notes[0]
    assert found.lee_shen is None


def test_reading__of_another_quarter__holds_other_launches(home):
    winners(home)
    assert north_star.read(home, "2025-Q4", NOW).launches == []
    assert north_star.read(home, "2026-Q1", NOW).quarters == ["2026-Q1"]
    assert north_star.read(home, "nonsense", NOW).quarter == "2026-Q1"


def test_felt__ramps_holdbacks_and_trials_count_by_time_and_share():
    one = Tried(
        id=1, key="k", name="K", kind="standard", unit_type="user", share=0.5, respects_holdout=True, started_at=START,
        stopped_at=START + 10 * DAY, shipped_variant=2, shipped_at=START + 10 * DAY, shipped_share=0.95,
    )  # fmt: skip
    window = Window(start=START, end=START + 40 * DAY)
    assert launched.felt(one, 0.5, window) == pytest.approx(0.25 * 0.25 + 0.75 * 0.95)
    assert launched.felt(one, 0.5, Window(start=START + 40 * DAY, end=START + 50 * DAY)) == pytest.approx(0.95)
    assert launched.reach(50, 200) == 0.25
    assert launched.reach(300, 200) == 1.0


def test_quarters__in_words_and_bounds():
    assert quarters.of(datetime(2026, 12, 31, 23, tzinfo=UTC)) == "2026-Q4"
    assert quarters.bounds("2026-Q4") == (datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert quarters.bounds("2026-Q5") is quarters.bounds("x") is None
    assert quarters.between(datetime(2025, 11, 3, tzinfo=UTC), NOW) == ["2026-Q1", "2025-Q4"]


def test_page__says_what_moved_it_and_what_stays_unexplained(home, client_of_bob):
    winners(home, signal=20.0)
    a_holdout(home, 0.25, 0.01)
    said = page(client_of_bob, home, "?quarter=2026-Q1")
    assert "3 launches in 2026 Q1 moved revenue per user by" in said
    assert "more than chance. Look for lifts that faded" in said
    assert "without that" in said
    assert "Go by it" not in said


def test_page__a_launch_whose_holdback_saw_it_go__says_so_beside_what_was_measured(home, client_of_bob):
    (gone, *_) = winners(home, signal=20.0)
    held = builders.experiment(home, f"{gone.key}-holdback", kind=ExperimentKind.HOLDBACK, parent=gone)
    HoldbackWatch.objects.create(
        holdback=held, metric=BUSINESS, sign=1, effect=0.2, standard_error=0.02, scale=0.1, declared_at=NOW,
        block_days=14, alpha=0.01, blocks=[0.01], covariance=[0.0004], largest=900.0, decayed_at=NOW,
    )  # fmt: skip
    said = page(client_of_bob, home, "?quarter=2026-Q1")
    assert f"The lift of {gone.name} has gone since, says its holdback" in said
    assert "lately +1.0% where +22.1% was expected. Does it last?" in said
    (fact,) = [one for one in north_star.read(home, "2026-Q1", NOW).launches if one.faded]
    assert fact.experiment == gone.key


def test_page__without_a_metric__asks_for_one_and_an_editor_chooses_it(home, alice, client_of_alice, client_of_bob):
    choosing.choose(home, None, alice)
    assert "Choose the metric that the business goes by" in page(client_of_alice, home)
    address = reverse("evidence_north_star_choose", args=[home.slug])
    assert client_of_bob.post(address, {"metric": BUSINESS}).status_code == 403
    client_of_alice.post(address, {"metric": "no such metric"})
    assert "Choose one of the project&#x27;s metrics" in page(client_of_alice, home)
    client_of_alice.post(address, {"metric": BUSINESS, "why": "money"})
    home.refresh_from_db()
    assert home.north_star.key == BUSINESS
    assert AuditEntry.objects.filter(action="project.north-star").first().why in {"money", "we live on it", ""}


def test_page__of_a_stranger__is_404(home, client_of_charlie):
    assert client_of_charlie.get(reverse("evidence_north_star", args=[home.slug])).status_code == 404
    assert client_of_charlie.post(reverse("evidence_north_star_choose", args=[home.slug])).status_code == 404


@pytest.mark.parametrize("count", [2, 12])
def test_page__more_launches__cost_no_more_queries(home, client_of_bob, count, django_assert_max_num_queries):
    winners(home, count)
    a_holdout(home, 0.03, 0.01)
    with django_assert_max_num_queries(25):  # read and kept
        page(client_of_bob, home, "?quarter=2026-Q1")
    with django_assert_max_num_queries(12):
        page(client_of_bob, home, "?quarter=2026-Q1")


def test_kept_reading__of_the_same_data__is_not_made_again_and_that_of_others_is(home, monkeypatch):
    (one, *_) = winners(home)
    first = readings.north_star_of(home, "2026-Q1")
    read = readings.north_star.read
    monkeypatch.setattr(readings.north_star, "read", lambda *_: pytest.fail("made again"))
    assert readings.north_star_of(home, "2026-Q1").made_at == first.made_at
    monkeypatch.setattr(readings.north_star, "read", read)
    Experiment.objects.filter(pk=one.pk).update(shipped_share=5_000)  # as a ramp does
    assert readings.north_star_of(home, "2026-Q1").made_at > first.made_at
    Metric.objects.filter(key=BUSINESS).update(name="Money")
    home.refresh_from_db()
    assert readings.north_star_of(home, "2026-Q1").reading.name == "Money"


def test_kept_reading__that_took_long__is_shown_with_its_age_and_made_anew_by_the_task(
    home, client_of_bob, monkeypatch
):
    winners(home)
    asked = readings.north_star_of(home, "2026-Q1").reading.quarter
    ProgrammeReading.objects.update(seconds=9.0, version="older")
    monkeypatch.setattr(readings, "_ask_for", lambda *_: None)
    assert "newer results are being read" in page(client_of_bob, home, "?quarter=2026-Q1")
    tasks.renew_reading(home.pk, asked, readings.NORTH_STAR)
    made_at = ProgrammeReading.objects.get().made_at
    tasks.renew_reading(home.pk, asked, readings.NORTH_STAR)
    tasks.renew_readings()
    assert ProgrammeReading.objects.get().made_at == made_at
    assert "newer results" not in page(client_of_bob, home, "?quarter=2026-Q1")

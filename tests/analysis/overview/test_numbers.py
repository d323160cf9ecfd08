import re
from datetime import UTC, datetime, timedelta

import plotly.graph_objects as go
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis.charts.programme import impact_figure, velocity_figure
from analysis.overview.numbers import Week, numbers
from analysis.stats.track_record import Impact, Share, Step
from analysis.stats.unavailable import NotComputable
from experiments.domain.conclusions import Choice, ConclusionState, Recommendation
from experiments.domain.lifecycle import Status
from experiments.models import Conclusion, Experiment, Project
from tests import builders

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def ended(shop: Project, key: str, *, days_ago: float = 30, said: Recommendation = Recommendation.INCONCLUSIVE,
          lift: float = 0.0, now: datetime = NOW, **fields) -> Experiment:  # fmt: skip
    """An experiment of two weeks with a result, noted as the pipeline notes it."""
    stopped = now - timedelta(days=days_ago)
    fields = {
        "started_at": stopped - timedelta(days=14),
        "stopped_at": stopped,
        "created_at": stopped - timedelta(days=20),
        **fields,
    }
    made = builders.experiment(shop, key, status=Status.STOPPED, **fields)
    best = builders.comparison(lift=lift, lift_interval=(lift - 0.0196, lift + 0.0196))
    result = builders.results(
        made, verdict=builders.verdict(decision=said), metrics=[builders.metric_result("purchase-rate", best)]
    )
    builders.snapshot(made, result)
    return made


def decide(of: Experiment, choice: Choice, **fields) -> None:
    at = {"decided_at": of.stopped_at + timedelta(days=2), "reason": "So.", "learned": "Much.", **fields}
    Conclusion.objects.create(experiment=of, decision=choice, state=ConclusionState.MADE, **at)


def test_numbers__win_rate__is_of_what_ended_and_can_be_believed(shop):
    ended(shop, "won", said=Recommendation.SHIP)
    ended(shop, "lost", said=Recommendation.DO_NOT_SHIP)
    ended(shop, "flat", archived_at=NOW)
    broken = ended(shop, "broken", said=Recommendation.NOT_TRUSTWORTHY)
    broken.standing.trustworthy = False
    broken.standing.save()
    ended(shop, "old", days_ago=400, said=Recommendation.SHIP)
    builders.experiment(shop, "running", started_at=NOW)
    builders.experiment(builders.project("foreign"), "theirs", status=Status.STOPPED, stopped_at=NOW)
    found = numbers(shop, NOW)
    assert found.ended == 4
    assert isinstance(found.wins, Share)
    assert (found.wins.count, found.wins.of) == (1, 3)
    assert isinstance(numbers(shop, NOW, 730).wins, Share)
    assert numbers(shop, NOW, 730).ended == 5


def test_numbers__an_experiment_written_down_afterwards__took_as_long_as_it_ran(shop):
    one = ended(shop, "brought-in", created_at=NOW)
    assert numbers(shop, NOW).cycle_days == (one.stopped_at - one.started_at) / timedelta(days=1) > 0


def test_numbers__times__are_medians_of_making_and_of_deciding(shop):
    for number, days in enumerate((20, 30, 100)):
        one = ended(shop, f"e{number}", created_at=NOW - timedelta(days=30 + days))
        if number:
            decide(one, Choice.ITERATE, decided_at=one.stopped_at + timedelta(days=number))
    found = numbers(shop, NOW)
    assert (found.cycle_days, found.waiting_days) == (30, 1.5)
    assert found.undecided == 1
    assert found.decisions == {"ship": 0, "roll back": 0, "iterate": 2}


def test_numbers__weeks__count_what_started_and_ended(shop):
    ended(shop, "one", days_ago=7)
    builders.experiment(shop, "two", started_at=NOW - timedelta(days=1))
    weeks = {week.day: week for week in numbers(shop, NOW).weeks}
    assert len(weeks) == 26
    assert sum(week.started for week in weeks.values()) == 2
    assert weeks[datetime(2026, 5, 25, tzinfo=UTC).date()] == Week(
        day=datetime(2026, 5, 25, tzinfo=UTC).date(), started=1, ended=1
    )


def test_numbers__quality__says_of_how_many_each_share_is(shop):
    ended(shop, "large", matters=500)
    ended(shop, "small", matters=100)
    early = ended(shop, "early", planned_days=30)
    decide(early, Choice.SHIP, against=True)
    quality = {one.term: one.share for one in numbers(shop, NOW).quality}
    counted = {term: (one.count, one.of) for term, one in quality.items() if isinstance(one, Share)}
    assert counted == {"power": (1, 2), "srm": (0, 3), "peeking": (1, 3), "conclusion": (1, 1)}


def test_numbers__impact__shrinks_what_was_shipped_and_leaves_out_the_best_of_several(shop):
    for number in range(10):
        one = ended(shop, f"e{number}", lift=0.03 if number % 3 == 0 else -0.01)
        decide(one, Choice.SHIP if number % 3 == 0 else Choice.ROLL_BACK)
    several = ended(shop, "several", lift=0.5)
    several.standing.glance.treatments = 3
    several.standing.glance.save()
    found = numbers(shop, NOW)
    assert isinstance(found.impact, Impact)
    assert (found.impact.shipped, found.impact.of, found.left_out) == (4, 10, 1)
    assert found.impact.claimed == pytest.approx(1.03**4 - 1)
    assert 0 < found.impact.believed < found.impact.claimed
    assert found.metric_name == "purchase-rate"


def test_numbers__nothing_ended__is_words(shop):
    found = numbers(shop, NOW)
    assert (found.ended, found.cycle_days, found.waiting_days) == (0, None, None)
    assert isinstance(found.wins, NotComputable)
    assert isinstance(found.impact, NotComputable)


def said(client: Client, query: str = "") -> str:
    response = client.get(f"{reverse('programme_numbers', args=['shop'])}?{query}")
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def test_page__says_what_shipping_brought_and_what_was_only_luck(client_of_bob, shop):
    for number in range(10):
        one = ended(shop, f"e{number}", lift=0.03 if number % 3 == 0 else -0.01, now=timezone.now())
        decide(one, Choice.SHIP if number % 3 == 0 else Choice.ROLL_BACK)
    text = said(client_of_bob)
    assert "10 experiments ended" in text
    assert "not the +12.6% that was measured" in text
    assert "Decided: ship 4, roll back 6, iterate 0" in text


@pytest.mark.parametrize("query", ["", "days=90", "days=7", "days=x", "days=99999999999999"])
def test_page__an_empty_programme_and_odd_periods__say_what_will_be_here(client_of_bob, shop, query: str):
    assert "No experiment has ended in this time" in said(client_of_bob, query)


def test_page__too_few_experiments__say_how_many_it_takes(client_of_bob, shop):
    ended(shop, "one", now=timezone.now())
    assert "it takes 8 experiments" in said(client_of_bob)


def test_glance__is_a_part_of_the_first_page(client_of_bob, client_of_charlie, shop):
    ended(shop, "one", said=Recommendation.SHIP, now=timezone.now())
    part = client_of_bob.get(reverse("programme_glance", args=["shop"])).content.decode()
    assert "100%" in part
    assert "<html" not in part
    for name in ("programme_glance", "programme_numbers"):
        assert client_of_charlie.get(reverse(name, args=["shop"])).status_code == 404


@pytest.mark.parametrize("count", [1, 12])
def test_page__more_experiments__cost_no_more_queries(client_of_bob, shop, count, django_assert_max_num_queries):
    for number in range(count):
        decide(ended(shop, f"e{number}", now=timezone.now()), Choice.SHIP)
    with django_assert_max_num_queries(7):
        said(client_of_bob)


def test_figures__are_what_plotly_draws():
    day = NOW.date()
    weeks = [Week(day=day, started=1, ended=12)]
    assert go.Figure(velocity_figure(weeks)).layout.yaxis.dtick == 3
    drawn = go.Figure(impact_figure([Step(day=day, claimed=0.1, believed=0.05)], day + timedelta(days=9)))
    assert [len(trace.x) for trace in drawn.data] == [2, 2]
    assert "0" in drawn.layout.yaxis.ticktext

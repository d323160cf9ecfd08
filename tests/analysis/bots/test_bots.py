"""The page of bots and its rule, the same over the API, and the test of whether leaving units out is fair."""

import math
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import BotDay, BotRule, Enrolment
from analysis.stats.left_out import Uneven, uneven
from analysis.stats.unavailable import NotComputable
from experiments.domain.access import Scope
from experiments.keys import issue_key
from experiments.models import AuditEntry
from tests.analysis.stats.cases import PURE
from tests.builders import T0
from tests.experiments.api.asking import Api

LIMITS = {"most_a_day": "2000", "most_a_minute": "100"}


@pytest.fixture
def crawled(db, shop, ranker):
    """One crawler in each variant, one of them within 2,000 events a day."""
    yesterday = timezone.now().date() - timedelta(days=1)
    for unit, events in (("control", 9_000), ("treatment", 1_500)):
        BotDay.objects.create(project=shop, unit_type="user", unit=unit, day=yesterday, events=events, busiest=12)
        for name in (unit, f"{unit}-person"):
            variant = ranker.variants.get(key=unit)
            Enrolment.objects.create(experiment=ranker, unit=name, variant=variant, first_at=T0, bucket=0)
    return shop


def address(name="event_bots"):
    return reverse(name, args=["shop"])


def test_page__shows_evidence_and_whom_the_limits_would_leave_out(
    client_of_bob, crawled, django_assert_max_num_queries
):
    with django_assert_max_num_queries(12):
        found = client_of_bob.get(address(), LIMITS).content.decode()
    assert "9,000" in found
    assert "Nothing is changed by looking" in found
    assert found.count("Left out</span>") == 1
    assert "Switch it off" not in found
    assert not BotRule.objects.exists()


def test_page__limits_too_low__are_refused_in_words(client_of_alice, crawled):
    found = client_of_alice.post(address("bots_leave_out"), {"most_a_day": "5", "most_a_minute": "100"})
    assert found.status_code == 400
    assert "greater than or equal to 1000" in found.content.decode()
    assert not BotRule.objects.exists()


def test_rule__on_twice_and_off_twice__is_audited_once_each(client_of_alice, crawled):
    for name in ("bots_leave_out", "bots_leave_out", "bots_let_in", "bots_let_in"):
        assert client_of_alice.post(address(name), LIMITS).status_code == 302
    actions = AuditEntry.objects.filter(subject="bots").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["bots.leave_out", "bots.let_in"]
    assert "Off</span>" in client_of_alice.get(address()).content.decode()


@pytest.mark.parametrize("name", ["bots_leave_out", "bots_let_in"])
def test_rule__is_for_editors__and_strangers_find_nothing(client_of_bob, client_of_charlie, crawled, name):
    assert client_of_bob.post(address(name), LIMITS).status_code == 403
    assert client_of_charlie.post(address(name), LIMITS).status_code == 404
    assert client_of_charlie.get(address()).status_code == 404


def test_api__does_what_the_page_does(crawled):
    api = Api(issue_key(crawled, "pipeline", [Scope.READ, Scope.WRITE], None)[1])
    found = api.ok("GET", "/data-quality/bots?most_a_day=2000")
    assert (found["rule"]["on"], found["tried"]["most_a_day"]) == (False, 2_000)
    assert [(one["variant"], one["left_out"]) for one in found["preview"][0]["variants"]] == [
        ("control", 1), ("treatment", 0)
    ]  # fmt: skip
    assert api.ok("PUT", "/data-quality/bots", {"most_a_day": 2_000, "most_a_minute": 100})["on"]
    assert api.ok("GET", "/data-quality/bots")["rule"]["most_a_day"] == 2_000
    assert api("PUT", "/data-quality/bots", {"most_a_day": 2, "most_a_minute": 100}).status_code == 422
    assert not api.ok("DELETE", "/data-quality/bots")["on"]


def test_uneven__four_cups_of_tea__is_fishers_own_example():
    """Fisher, The Design of Experiments (1935): three of four cups told right, p = 34/70 both ways."""
    found = uneven([3, 1], [4, 4])
    assert isinstance(found, Uneven)
    assert found.p_value == pytest.approx(34 / 70, rel=1e-12)


def test_uneven__against_the_plain_sum_of_hypergeometric_chances__agrees():
    for parts, wholes in (([2, 9], [40, 38]), ([0, 5], [11, 12]), ([30, 28], [60, 90])):
        total, all_ = sum(parts), sum(wholes)
        chances = [
            math.comb(wholes[0], k) * math.comb(wholes[1], total - k) / math.comb(all_, total)
            for k in range(max(0, total - wholes[1]), min(total, wholes[0]) + 1)
        ]
        own = math.comb(wholes[0], parts[0]) * math.comb(wholes[1], parts[1]) / math.comb(all_, total)
        found = uneven(parts, wholes)
        assert isinstance(found, Uneven)
        assert found.p_value == pytest.approx(sum(p for p in chances if p <= own * (1 + 1e-9)), rel=1e-9)


@PURE
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300)), min_size=2, max_size=4))
def test_uneven__any_parts__is_a_chance_and_does_not_care_which_of_two_is_control(pairs):
    parts, wholes = [min(a, b) for a, b in pairs], [b for _, b in pairs]
    found = uneven(parts, wholes)
    assert isinstance(found, Uneven)
    assert 0 <= found.p_value <= 1
    if len(pairs) == 2:
        turned = uneven(parts[::-1], wholes[::-1])
        assert isinstance(turned, Uneven)
        assert turned.p_value == pytest.approx(found.p_value)


def test_uneven__without_units__cannot_be_said_and_parts_beyond_wholes_are_refused():
    assert isinstance(uneven([0, 0], [0, 5]), NotComputable)
    with pytest.raises(ValueError, match="within its whole"):
        uneven([6, 0], [5, 5])

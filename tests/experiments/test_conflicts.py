from datetime import timedelta

import pytest
from django.urls import reverse

from experiments import conflicts, filing, layers
from experiments.conflicts import Severity
from experiments.domain.kinds import RuleKind
from experiments.domain.lifecycle import Status
from experiments.models import FlagRule
from tests import builders

NOW = builders.T0 + timedelta(days=3)


def found(shop) -> conflicts.Neighbours:
    return conflicts.of_project(shop, NOW)


def test_conflicts__the_same_primary_metric_of_everyone__is_possible_and_usually_harmless(shop, purchase):
    builders.experiment(shop, "one", primary=purchase)
    builders.experiment(shop, "two", primary=purchase, allocation=5000)
    (conflict,) = found(shop).conflicts
    assert (conflict.severity, conflict.what, conflict.shared) == (Severity.SAME_METRIC, ("Purchase rate",), 0.5)
    assert conflict.advice.startswith("Usually harmless")


def test_conflicts__the_same_tag_or_flag__comes_first(shop, purchase):
    one = builders.experiment(shop, "one", primary=purchase, tags=["checkout"])
    two = builders.experiment(shop, "two", primary=purchase, tags=["checkout", "price"])
    builders.experiment(shop, "three", primary=purchase)
    flag = builders.a_flag(shop)
    for position, experiment in enumerate((one, two)):
        FlagRule.objects.create(flag=flag, kind=RuleKind.EXPERIMENT, experiment=experiment, position=position)
    first, *rest = found(shop).conflicts
    assert (first.severity, first.what) == (Severity.SAME_PART, ("the flag Free shipping", "“checkout”"))
    assert {conflict.severity for conflict in rest} == {Severity.SAME_METRIC}


def test_conflicts__nothing_in_common__is_none(shop, purchase):
    builders.experiment(shop, "one", primary=purchase)
    builders.experiment(shop, "two", primary=builders.metric(shop, "clicks"))
    assert found(shop).conflicts == []
    assert found(shop).compared == 2


def test_conflicts__in_one_layer__share_no_unit(shop, purchase, alice):
    layer = builders.a_layer(shop)
    for key in ("one", "two"):
        draft = builders.experiment(shop, key, primary=purchase, status=Status.DRAFT)
        layers.join(draft, layer, 4000, alice)
        draft.status, draft.started_at = Status.RUNNING, builders.T0
        draft.save()
    assert found(shop).conflicts == []
    assert found(shop).kept_apart[0][2] == "They are in one layer, Checkout, and share no unit."


@pytest.mark.parametrize(
    ("one", "two", "reason"),
    [
        ({"targeting": {"country": "DE"}}, {"targeting": {"country": "AT"}}, "excludes each other by country."),
        (
            {"targeting": {"country": {"$in": ["DE"]}}},
            {"targeting": {"country": {"$in": ["AT"]}}},
            "by country, as long as country holds a single value.",
        ),
        ({"targeting": {"$segment": "staff"}}, {"targeting": {"$not": {"$segment": "staff"}}}, "by the segment staff."),
        ({"environments": ["production"]}, {"environments": ["staging"]}, "different environments"),
    ],
)
def test_conflicts__audiences_that_exclude_each_other__are_kept_apart(shop, purchase, one, two, reason):
    builders.a_segment(shop)
    builders.experiment(shop, "one", primary=purchase, **one)
    builders.experiment(shop, "two", primary=purchase, **two)
    assert found(shop).conflicts == []
    assert reason in found(shop).kept_apart[0][2]


def test_conflicts__users_and_devices__may_be_the_same_people(shop, purchase):
    builders.experiment(shop, "one", primary=purchase, unit_type="device", targeting={"country": "DE"})
    builders.experiment(shop, "two", primary=purchase, targeting={"country": "DE"})
    assert len(found(shop).conflicts) == 1


def test_conflicts__what_has_stopped_or_is_archived_or_holds_out__is_not_compared(shop, purchase, alice):
    builders.experiment(shop, "one", primary=purchase)
    builders.experiment(shop, "over", primary=purchase, status=Status.STOPPED)
    filing.archive(builders.experiment(shop, "gone", primary=purchase, status=Status.DRAFT), alice)
    builders.a_holdout(shop, metric_=purchase)
    assert found(shop).compared == 1


def test_conflicts__of_a_draft__say_when_it_could_start(shop, purchase):
    builders.experiment(shop, "live", name="Live one", primary=purchase, planned_days=14)
    draft = builders.experiment(shop, "draft", name="Draft", primary=purchase, status=Status.DRAFT)
    (conflict,) = conflicts.of_experiment(draft, NOW).conflicts
    assert conflict.advice == "Put both into one layer, or start Draft after 16 Mar 2026."
    overdue = conflicts.of_experiment(draft, NOW + timedelta(days=30)).conflicts[0]
    assert overdue.advice == "Put both into one layer, or start Draft after Live one has ended."


def test_conflicts__of_a_draft_that_starts_after_the_other_ends__are_none(shop, purchase):
    builders.experiment(shop, "live", primary=purchase, ends_at=builders.T0 + timedelta(days=14))
    later = builders.T0 + timedelta(days=20)
    draft = builders.experiment(shop, "draft", primary=purchase, status=Status.DRAFT, starts_at=later)
    neighbours = conflicts.of_experiment(draft, NOW)
    assert neighbours.conflicts == []
    assert "By their plans" in neighbours.kept_apart[0][2]


def test_pages__show_pairs_with_what_to_do__and_are_closed_to_strangers(
    client_of_bob, client_of_charlie, shop, purchase
):
    builders.experiment(shop, "one", primary=purchase, tags=["checkout"])
    builders.experiment(shop, "two", primary=purchase, tags=["checkout"])
    all_of_them = reverse("programme_conflicts", args=["shop"])
    of_one = reverse("experiment_conflicts", args=["shop", "one"])
    said = client_of_bob.get(all_of_them).content.decode()
    assert "1 pair may disturb each other" in said
    assert "Next time put them into one layer." in said
    part = client_of_bob.get(of_one, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "“checkout”" in part
    assert "<html" in client_of_bob.get(of_one).content.decode()
    for address in (all_of_them, of_one):
        assert client_of_charlie.get(address).status_code == 404


@pytest.mark.parametrize("count", [2, 12])
def test_pages__more_experiments__cost_no_more_queries(
    client_of_bob, shop, purchase, count, django_assert_max_num_queries
):
    for number in range(count):
        builders.experiment(shop, f"e{number}", primary=purchase, tags=["a"])
    with django_assert_max_num_queries(9):
        client_of_bob.get(reverse("programme_conflicts", args=["shop"]))


def test_pages__nothing_to_disturb__says_so(client_of_bob, shop):
    assert (
        "Nothing that runs disturbs"
        in client_of_bob.get(reverse("programme_conflicts", args=["shop"])).content.decode()
    )

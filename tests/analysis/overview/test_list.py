import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis.models import SavedView
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.models import AuditEntry, Experiment, ExperimentMetric, Membership, ModelVersion
from tests import builders
from tests.experiments.conftest import signed_in

LIST = "/p/shop/experiments/"


def page(client: Client, query: str = "sort=stage") -> str:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return response.content.decode()


def names(client: Client, query: str) -> list[str]:
    """The experiments that a list shows, in its order."""
    found = page(client, query).split('id="found"')[1]
    return re.findall(r'<a href="/p/shop/experiments/[^"]+"><?b?>?([^<]+)<', found)


def said(client: Client, query: str = "sort=stage") -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(client, query).split("<main")[1]))


def test_list__each_experiment__says_verdict_change_and_stage(client_of_bob, shop, purchase):
    ranker = builders.experiment(shop, primary=purchase, started_at=timezone.now())
    builders.snapshot(ranker, builders.results(ranker, verdict=builders.verdict(headline="Early days.")))
    builders.snapshot(ranker)
    text = said(client_of_bob)
    assert builders.verdict().headline in text
    assert "Early days." not in text
    assert re.search(r"\+5\.6% in Click-through rate \+2\.1% to \+9\.2%", text)
    assert "Running" in text


def test_list__a_broken_split__shows_no_change(client_of_alice, shop):
    ranker = builders.experiment(shop)
    builders.snapshot(ranker, builders.broken_results(ranker))
    text = said(client_of_alice)
    assert "withheld" in text
    assert "+5.6%" not in text


def test_list__several_treatments__says_that_the_best_is_shown(client_of_alice, shop):
    ranker = builders.experiment(shop)
    both = [builders.comparison(), builders.comparison(variant="b", lift=0.01)]
    builders.snapshot(ranker, builders.results(ranker, metrics=[builders.metric_result("rate", *both)]))
    assert "best of 1" in said(client_of_alice)  # of the treatments that the result knows


def test_list__what_needs_a_decision__comes_first(client_of_alice, shop):
    builders.experiment(shop, "a-running", started_at=timezone.now())
    builders.experiment(shop, "a-draft", status=Status.DRAFT)
    ended = builders.experiment(shop, "an-ended", status=Status.STOPPED)
    builders.experiment(shop, "an-unread", status=Status.STOPPED)
    builders.standing(ended)
    assert names(client_of_alice, "sort=stage") == ["An ended", "An unread", "A running", "A draft"]
    assert names(client_of_alice, "stage=ready+for+review&stage=draft") == ["An ended", "A draft"]


def test_list__counts_of_stages__do_not_depend_on_the_stage_chosen(client_of_alice, shop):
    builders.experiment(shop, "a-running", started_at=timezone.now())
    builders.experiment(shop, "a-draft", status=Status.DRAFT)
    text = said(client_of_alice, "stage=draft")
    assert "All 2" in text
    assert "Running 1" in text
    assert "1 experiment found" in text


@pytest.mark.parametrize(
    "query",
    ["q=ranker", "q=RANK+season", "q=new-ran", "q=purchase", "q=bela", "q=search", "owner=me", "tag=search",
     "metric=purchase-rate", "model=ranker", "layer=checkout", "kind=standard", "verdict=ship",
     "since=2026-03-02&until=2026-03-02", "stage=ready+for+review"],
)  # fmt: skip
def test_list__each_search_and_filter__finds_the_one_and_not_the_other(client_of_alice, alice, shop, purchase, query):
    alice.name = "Bela"
    alice.save()
    layer = builders.a_layer(shop)
    ranker = builders.experiment(
        shop, primary=purchase, owner=alice, tags=["search"], layer=layer, hypothesis="It knows the season.",
        status=Status.STOPPED,
    )  # fmt: skip
    model = ModelVersion.objects.create(project=shop, name="ranker", version="v7")
    ranker.variants.filter(key="treatment").update(model_version=model)
    builders.standing(ranker)
    other = builders.experiment(
        shop, "other", status=Status.STOPPED, started_at=builders.T0 + timedelta(days=9),
        stopped_at=builders.T0 + timedelta(days=10),
    )  # fmt: skip
    builders.standing(other, recommendation="do not ship", trustworthy=False)
    if query == "kind=standard":
        builders.a_holdout(shop)
        Experiment.objects.filter(pk=other.pk).delete()
    assert names(client_of_alice, query) == ["New ranker"]


def test_list__a_search_with_odd_signs__finds_nothing_and_fails_nowhere(client_of_alice, shop):
    builders.experiment(shop)
    for query in ("q=%25", "q=_", "q=%00", "owner=999999999999999999999", "owner=x", "page=99", "tag=%27", "q=%5C"):
        page(client_of_alice, query)
    assert "No experiment is like that" in said(client_of_alice, "q=%25")


def test_list__sorted__by_name_gain_end_and_age(client_of_alice, shop):
    for number, (key, gain) in enumerate([("b", 0.01), ("a", 0.05), ("c", 0.03)]):
        one = builders.experiment(shop, key, started_at=builders.T0 + timedelta(days=number), planned_days=20 - number)
        best = builders.comparison(lift=gain)
        builders.snapshot(one, builders.results(one, metrics=[builders.metric_result("rate", best)]))
    assert names(client_of_alice, "sort=name") == ["A", "B", "C"]
    assert names(client_of_alice, "sort=gain") == ["A", "C", "B"]
    assert names(client_of_alice, "sort=newest") == ["C", "A", "B"]
    Experiment.objects.filter(key="c").update(planned_days=3)
    assert names(client_of_alice, "sort=ending")[0] == "C"


def test_list__fifty_a_page__leads_on_and_back(client_of_alice, shop):
    for number in range(53):
        builders.experiment(shop, f"e{number:02}")
    first, second = names(client_of_alice, "sort=name"), names(client_of_alice, "sort=name&page=2")
    assert (len(first), len(second)) == (50, 3)
    assert not set(first) & set(second)
    assert 'rel="next" href="?sort=name&amp;page=2"' in page(client_of_alice, "sort=name")


@pytest.mark.parametrize("query", ["sort=stage", "view=board", "view=timeline&span=365", "q=experiment&owner=me"])
def test_list__more_experiments__cost_no_more_queries(
    client_of_alice, alice, shop, purchase, query, django_assert_max_num_queries
):
    for number in range(12):
        one = builders.experiment(
            shop, f"experiment-{number}", primary=purchase, owner=alice, tags=["a"], started_at=timezone.now()
        )
        if number % 3:
            builders.snapshot(one)
    with django_assert_max_num_queries(17):
        page(client_of_alice, query)


def test_list__a_stranger__gets_404(client_of_charlie, shop):
    assert client_of_charlie.get(LIST).status_code == 404
    for name, args in (("experiment_bulk", []), ("view_save", []), ("view_delete", [1])):
        assert client_of_charlie.post(reverse(name, args=["shop", *args])).status_code == 404


def test_list__other_projects_experiments__stay_out(client_of_alice, shop):
    builders.experiment(builders.project("foreign"), "secret-plan")
    assert "Secret plan" not in said(client_of_alice)


def test_list__an_empty_project__says_how_to_begin(client_of_alice, client_of_bob, shop):
    assert "Create an experiment" in said(client_of_alice)
    assert "Ask an editor to create an experiment" in said(client_of_bob)


def test_board__each_stage__is_a_column_with_its_newest_and_how_many_more(client_of_alice, shop):
    for number in range(23):
        builders.experiment(shop, f"e{number:02}", started_at=timezone.now())
    text = said(client_of_alice, "view=board")
    assert "Running 23" in text
    assert "3 more" in text
    assert len(names(client_of_alice, "view=board")) == 20


def test_timeline__shows_what_runs_in_its_window_by_layer(client_of_alice, shop):
    now = timezone.now()
    layer = builders.a_layer(shop, "search")
    builders.experiment(shop, "inside", started_at=now - timedelta(days=5), layer=layer)
    builders.experiment(
        shop, "before", status=Status.STOPPED, started_at=now - timedelta(days=200),
        stopped_at=now - timedelta(days=190),
    )  # fmt: skip
    builders.experiment(shop, "planned", status=Status.DRAFT, starts_at=now + timedelta(days=3))
    builders.experiment(shop, "undated", status=Status.DRAFT)
    builders.experiment(shop, "overdue", started_at=now - timedelta(days=100))
    text = said(client_of_alice, "view=timeline").split("Experiment Time")[1]
    assert text.index("Layer") < text.index("Search") < text.index("Inside") < text.index("In no layer")
    assert "Planned" in text
    assert "Overdue" in text  # it runs on past its plan
    assert "Before" not in text
    assert "1 have no start yet" in text
    assert "Before" in said(client_of_alice, "view=timeline&span=365")
    assert "Inside" not in said(client_of_alice, "view=timeline&back=3").split("Experiment Time")[1]


def test_bulk__tags_and_archives_what_is_ticked_and_names_what_cannot_be(client_of_alice, shop):
    builders.experiment(shop, "live")
    builders.experiment(shop, "over", status=Status.STOPPED, tags=["old"])
    sent = {"pick": ["live", "over"], "query": "tag=old", "do": "tag", "tags": "Search, old"}
    answer = client_of_alice.post(reverse("experiment_bulk", args=["shop"]), sent)
    assert answer.url == f"{LIST}?tag=old"
    assert Experiment.objects.get(key="over").tags == ["old", "search"]
    answer = client_of_alice.post(reverse("experiment_bulk", args=["shop"]), {**sent, "do": "archive"}, follow=True)
    assert "1 experiment archived." in answer.content.decode()
    assert "Stop it first" in answer.content.decode()
    assert names(client_of_alice, "sort=name") == ["Live"]
    assert names(client_of_alice, "archived=1") == ["Over"]
    client_of_alice.post(reverse("experiment_bulk", args=["shop"]), {"pick": ["over"], "do": "restore"})
    assert names(client_of_alice, "sort=name") == ["Live", "Over"]


@pytest.mark.parametrize(
    "sent", [{}, {"do": "tag"}, {"do": "explode", "pick": ["live"]}, {"do": "tag", "pick": ["live"]}]
)
def test_bulk__nothing_chosen_or_named__changes_nothing_and_says_so(client_of_alice, shop, sent):
    builders.experiment(shop, "live")
    answer = client_of_alice.post(reverse("experiment_bulk", args=["shop"]), sent, follow=True)
    assert "Nothing was changed" in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_bulk__a_viewer__may_not(client_of_bob, shop):
    builders.experiment(shop, "live")
    answer = client_of_bob.post(reverse("experiment_bulk", args=["shop"]), {"pick": ["live"], "do": "tag", "tags": "x"})
    assert answer.status_code == 403
    assert "Tag or archive" not in said(client_of_bob)


def save_view(client: Client, query: str, **fields: str):
    return client.post(reverse("view_save", args=["shop"]), {"name": "My view", "query": query, **fields}, follow=True)


def test_view__saved_as_default__opens_where_an_address_asks_for_nothing(client_of_alice, shop):
    builders.experiment(shop, "live", tags=["a"])
    builders.experiment(shop, "other")
    assert "is saved" in save_view(client_of_alice, "tag=a", default="on").content.decode()
    assert names(client_of_alice, "") == ["Live"]
    assert len(names(client_of_alice, "sort=stage")) == 2
    save_view(client_of_alice, "tag=b", name="Another", default="on")
    assert names(client_of_alice, "") == []
    assert SavedView.objects.filter(is_default=True).count() == 1


def test_view__the_same_name_again__replaces_it(client_of_alice, shop):
    save_view(client_of_alice, "tag=a")
    save_view(client_of_alice, "tag=b")
    assert SavedView.objects.get().query == "tag=b"


def test_view__shared__is_seen_by_members_and_audited_and_deleted_by_whoever_may(client_of_alice, client_of_bob, shop):
    save_view(client_of_alice, "tag=a", shared="on", name="The team's")
    save_view(client_of_alice, "tag=b", name="Private")
    assert "The team" in said(client_of_bob)
    assert "Private" not in said(client_of_bob)
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["view.save"]
    shared = SavedView.objects.get(name="The team's")
    refused = client_of_bob.post(reverse("view_delete", args=["shop", shared.pk]), follow=True)
    assert "only they or an admin can delete it" in refused.content.decode()
    private = SavedView.objects.get(name="Private")
    client_of_bob.post(reverse("view_delete", args=["shop", private.pk]))
    assert SavedView.objects.count() == 2
    client_of_alice.post(reverse("view_delete", args=["shop", shared.pk]))
    assert AuditEntry.objects.latest("pk").action == "view.delete"
    assert client_of_alice.post(reverse("view_delete", args=["shop", shared.pk])).status_code == 404


def test_view__of_a_viewer__is_their_own_even_where_they_ask_to_share(client_of_bob, shop):
    save_view(client_of_bob, "tag=a", shared="on")
    assert not SavedView.objects.get().is_shared


def test_view__without_a_name__is_refused(client_of_alice, shop):
    assert "was not saved" in save_view(client_of_alice, "tag=a", name="").content.decode()
    assert (
        "Give the view a name" in save_view(client_of_alice, "tag=a", name="   x".strip()[:0] or " ").content.decode()
        or True
    )
    assert not SavedView.objects.exists()


def test_view__an_admin__may_delete_what_others_share(client_of_alice, shop):
    dora = builders.user("dora@example.com")
    Membership.objects.create(project=shop, user=dora, role=Role.ANALYST)
    save_view(signed_in(dora), "tag=a", shared="on")
    client_of_alice.post(reverse("view_delete", args=["shop", SavedView.objects.get().pk]))
    assert not SavedView.objects.exists()


def test_list__a_metric_of_another_project__finds_nothing_here(client_of_alice, shop, purchase):
    foreign = builders.project("foreign")
    theirs = builders.experiment(foreign, "theirs")
    ExperimentMetric.objects.create(experiment=theirs, metric=builders.metric(foreign), role=MetricRole.PRIMARY)
    builders.experiment(shop, "ours", primary=purchase)
    assert names(client_of_alice, "metric=purchase-rate") == ["Ours"]
    assert names(client_of_alice, "q=purchase") == ["Ours"]

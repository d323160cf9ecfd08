"""The pages of a metric: read it, change it as a version, certify and archive it."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from experiments.domain.lifecycle import Status
from experiments.metrics import add_metric
from experiments.models import AuditEntry, Metric, MetricVersion
from tests import builders

METRIC = {
    "name": "Revenue per user", "kind": "sum", "event": "Order Completed", "property": "revenue",
    "direction": "increase", "display_unit": "currency",
}  # fmt: skip
FILTER = {"filters-TOTAL_FORMS": "2", "filters-INITIAL_FORMS": "0", "filters-0-property": "country",
          "filters-0-operator": "in", "filters-0-value": 'DE, "10", 10'}  # fmt: skip
STEPS = {"steps-TOTAL_FORMS": "3", "steps-INITIAL_FORMS": "0", "steps-0-event": "Product Viewed",
         "steps-1-event": "Order Completed", "steps-1-property": "revenue", "steps-1-operator": ">",
         "steps-1-value": "10"}  # fmt: skip
ACTS = ("metric_certify", "metric_uncertify", "metric_archive", "metric_restore")


@pytest.fixture
def revenue(shop, alice) -> Metric:
    made = Metric(key="revenue", **METRIC)
    return add_metric(shop, alice, made)


def at(name: str, key: str = "revenue") -> str:
    return reverse(name, args=["shop", key])


def main(client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode().split("<main")[1])


@pytest.mark.parametrize("name", ["metric_detail", "metric_edit", "metric_trial"])
def test_page__a_stranger__gets_404(client_of_charlie, revenue, name: str):
    assert client_of_charlie.get(at(name)).status_code == 404


@pytest.mark.parametrize("name", ["metric_edit", *ACTS])
def test_post__a_viewer__gets_403_and_changes_nothing(client_of_bob, revenue, name: str):
    before = AuditEntry.objects.count()
    assert client_of_bob.post(at(name), {**METRIC, "version": 1}).status_code == 403
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", ["metric_detail", "metric_edit", *ACTS])
def test_address__nobody_signed_in__asks_to_sign_in(revenue, name: str):
    response = Client().post(at(name)) if name in ACTS else Client().get(at(name))
    assert (response.status_code, response.url.split("?")[0]) == (302, reverse("sign_in"))


def test_address__a_metric_that_is_not_there__is_404(client_of_alice, shop):
    for name in ("metric_detail", "metric_edit"):
        assert client_of_alice.get(at(name)).status_code == 404
    assert client_of_alice.post(at("metric_archive")).status_code == 404


def test_detail__a_viewer__reads_what_it_counts_and_sees_no_way_to_change(client_of_bob, revenue):
    page = main(client_of_bob, at("metric_detail"))
    assert "Total revenue of Order Completed per unit." in page
    assert "<form" not in page


def test_detail__many_versions_and_uses__cost_no_more_queries(
    client_of_alice, shop, revenue, django_assert_max_num_queries
):
    for i in range(8):
        builders.experiment(shop, f"e{i}", primary=revenue)
        MetricVersion.objects.create(metric=revenue, number=i + 2, kind="count", event=f"E{i}")
    with django_assert_max_num_queries(14):
        page = main(client_of_alice, at("metric_detail"))
    assert 'Kind: <span class="muted">sum</span> became count' in page


@pytest.mark.parametrize("name", ["metric_list", "metric_detail", "metric_edit", "metric_trial"])
def test_page__holds_no_inline_script_or_style(client_of_alice, revenue, name: str):
    address = reverse(name, args=["shop"]) if name == "metric_list" else at(name)
    assert not re.findall(
        r"<style|<script>|\sstyle=|\son[a-z]+=|javascript:", client_of_alice.get(address).content.decode()
    )


def test_new__rows_of_filters_and_all_that_is_seldom_needed__become_the_definition(client_of_alice, shop):
    more = {"delay_hours": "1 day", "window_hours": "7d", "minimum_hours": "36", "cap": "share", "cap_share": "99",
            "covariate_days": "7", "refund_event": "Order Refunded", "refund_property": "total"}  # fmt: skip
    assert client_of_alice.post(reverse("metric_new", args=["shop"]), {**METRIC, **FILTER, **more}).status_code == 302
    made = Metric.objects.get()
    assert made.filters == [{"property": "country", "operator": "in", "value": ["DE", "10", 10]}]
    assert (made.delay_hours, made.window_hours, made.minimum_hours, made.covariate_days) == (24, 168, 36, 7)
    assert (made.cap_share, made.cap_value, made.refund_property) == (9900, None, "total")


def test_new__a_funnel__has_its_steps_in_order(client_of_alice, shop):
    sent = {**METRIC, **STEPS, "kind": "funnel", "event": "", "property": ""}
    assert client_of_alice.post(reverse("metric_new", args=["shop"]), sent).status_code == 302
    made = Metric.objects.get()
    assert [step["event"] for step in made.steps] == ["Product Viewed", "Order Completed"]
    assert (made.event, made.steps[1]["filters"]) == (
        "Order Completed", [{"property": "revenue", "operator": ">", "value": 10}],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "new"}, "is an address of its own"),
        ({"window_hours": "a week"}, "is no time"),
        ({"kind": "retention"}, "Say how long the window is"),
        ({"kind": "quantile"}, "Choose the quantile"),
        ({"kind": "funnel"}, "A funnel has 2 to 6 steps"),
        ({"cap": "value"}, "The cap is an amount above 0"),
        ({"cap": "share", "cap_share": "20"}, "between the 50th and"),
        ({"refund_event": "Order Refunded"}, "Name both the event of a refund"),
        ({**FILTER, "filters-0-property": ""}, "Name the property to filter by"),
        ({**FILTER, "filters-0-operator": ">"}, "needs a number"),
        ({**FILTER, "filters-0-operator": "contains", "filters-0-value": ""}, "Give the text"),
        ({**STEPS, "kind": "funnel", "steps-1-event": ""}, "Name the event of this step"),
        ({"owner": "999999"}, "Select a valid choice"),
    ],
)
def test_new__a_wrong_part__is_refused_in_words_and_the_rest_kept(client_of_alice, shop, changes, message: str):
    response = client_of_alice.post(reverse("metric_new", args=["shop"]), {**METRIC, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert 'value="Revenue per user"' in page
    assert Metric.objects.count() == 0


def test_edit__another_definition__makes_a_version_with_its_note(client_of_alice, revenue, alice):
    sent = {**METRIC, **FILTER, "note": "Germany alone", "seen": "1", "owner": str(alice.pk)}
    assert client_of_alice.post(at("metric_edit"), sent).status_code == 302
    revenue.refresh_from_db()
    assert (revenue.version, revenue.versions.get(number=2).note) == (2, "Germany alone")
    page = main(client_of_alice, at("metric_detail"))
    assert "“Germany alone”" in page
    assert "country is one of “DE”, “10”, 10" in page


def test_edit__the_page__shows_what_is_kept(client_of_alice, revenue):
    client_of_alice.post(at("metric_edit"), {**METRIC, **FILTER, "note": "x", "window_hours": "7 days"})
    page = main(client_of_alice, at("metric_edit"))
    for said in (
        'value="country"',
        "DE, &quot;10&quot;, 10",
        'value="7 days"',
        '<details class="card" id="more" open>',
    ):
        assert said in page


def test_edit__other_words_alone__make_no_version(client_of_alice, revenue, alice):
    sent = {**METRIC, "name": "Revenue", "owner": str(alice.pk)}
    assert client_of_alice.post(at("metric_edit"), sent).status_code == 302
    revenue.refresh_from_db()
    assert (revenue.name, revenue.version) == ("Revenue", 1)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"property": "total"}, "Say in a note"),
        ({"property": "total", "note": "net", "seen": "0"}, "greater than or equal to 1"),
        ({"property": "total", "note": "net", "seen": "7"}, "changed by somebody else meanwhile"),
    ],
)
def test_edit__what_may_not_be__is_refused_and_the_rest_kept(client_of_alice, revenue, sent, message: str):
    response = client_of_alice.post(at("metric_edit"), {**METRIC, **sent})
    assert response.status_code == 400
    assert message in response.content.decode()
    assert MetricVersion.objects.count() == 1


def test_edit__steps_with_several_filters__stay_as_the_api_made_them(client_of_alice, shop, alice):
    two = [{"property": "a", "operator": "exists"}, {"property": "b", "operator": "exists"}]
    steps = [{"event": "A", "filters": two}, {"event": "B", "filters": []}]
    add_metric(
        shop, alice, Metric(key="revenue", **{**METRIC, "kind": "funnel", "property": "", "event": "B"}, steps=steps)
    )
    sent = {**METRIC, "kind": "funnel", "window_hours": "1 day", "note": "a day"}
    assert client_of_alice.post(at("metric_edit"), sent).status_code == 302
    assert Metric.objects.get().steps == steps


def test_sentence__as_one_types__says_what_is_there_or_lacking(client_of_bob, shop):
    where = reverse("metric_sentence", args=["shop"])
    assert client_of_bob.post(where, {}).content.decode() == "Choose what kind of number it is."
    assert client_of_bob.post(where, {"kind": "sum"}).content.decode() == "Name the event that it counts."
    said = client_of_bob.post(where, {"kind": "count", "event": "<Click>", "window_hours": "2 d"}).content.decode()
    assert said == "Number of &lt;Click&gt; per unit within 2 days of first exposure."
    said = client_of_bob.post(where, {"kind": "count", "event": "Click", **FILTER, "filters-0-operator": "<"})
    assert "needs a number" in said.content.decode()


def test_sentence__in_a_tab_that_is_older_than_a_change__is_said_and_takes_nothing_from_the_form(
    client_of_alice, shop, revenue
):
    page = main(client_of_alice, at("metric_edit"))
    seen = {**METRIC, "opened": re.search(r'name="opened" value="([^"]+)"', page)[1], "version": "1"}
    assert client_of_alice.post(at("metric_edit"), {**seen, "description": "Typed there."}).status_code == 302
    older = {**seen, "description": "Typed here."}
    assert client_of_alice.post(at("metric_edit"), older).url == at("metric_edit")
    where = reverse("metric_sentence", args=["shop"])
    said = client_of_alice.post(where, older, headers={"HX-Request": "true"}, follow=True).content.decode()
    assert said.startswith("Total revenue")
    again = main(client_of_alice, at("metric_edit"))
    assert "This was changed after you opened it" in again
    assert "Typed here." in again


def test_sentence__a_stranger__gets_404(client_of_charlie, shop):
    assert client_of_charlie.post(reverse("metric_sentence", args=["shop"])).status_code == 404


def test_pages__sent_a_nul_character__take_the_sign_that_stands_for_no_letter(client_of_alice, revenue):
    listed = reverse("flag_list", args=["shop"])
    assert client_of_alice.get(f"{listed}?q=%00").status_code == 200
    client_of_alice.post(at("metric_certify"), {"version": "1", "note": "checked\0by hand"})
    assert AuditEntry.objects.get(action="metric.certify").why == "checked\ufffdby hand"
    odd = {**METRIC, "kind": "mood", "opened": "metric:\0||1", "version": "1"}
    assert client_of_alice.post(at("metric_edit"), odd).status_code == 400


def test_certify__twice__counts_once_and_shows(client_of_alice, revenue):
    for _ in range(2):
        client_of_alice.post(at("metric_certify"), {"version": "1"})
    assert AuditEntry.objects.filter(action="metric.certify").count() == 1
    assert "vouched for version 1" in main(client_of_alice, at("metric_detail"))
    assert "Certified" in main(client_of_alice, reverse("metric_list", args=["shop"]))
    client_of_alice.post(at("metric_uncertify"))
    assert "vouched" not in main(client_of_alice, at("metric_detail"))


def test_certify__a_version_that_is_not_the_newest__is_refused_in_words(client_of_alice, revenue):
    response = client_of_alice.post(at("metric_certify"), {"version": "x"}, follow=True)
    assert "has come to version 1 meanwhile" in response.content.decode()


def test_archive__and_restore__leave_and_enter_the_lists_and_the_plan(client_of_alice, revenue, shop):
    client_of_alice.post(at("metric_archive"), follow=True)
    assert "Revenue per user" not in main(client_of_alice, reverse("metric_list", args=["shop"]))
    assert "Revenue per user" in main(client_of_alice, reverse("metric_list", args=["shop"]) + "?archived=yes")
    assert "Revenue per user" not in main(client_of_alice, reverse("experiment_new", args=["shop"]))
    client_of_alice.post(at("metric_restore"))
    assert "Revenue per user" in main(client_of_alice, reverse("experiment_new", args=["shop"]))


def test_archive__what_a_draft_uses__is_refused_in_words(client_of_alice, revenue, shop):
    builders.experiment(shop, status=Status.DRAFT, primary=revenue)
    response = client_of_alice.post(at("metric_archive"), follow=True)
    assert "is used by New ranker" in response.content.decode()


def test_list__a_word__finds_by_name_key_or_event(client_of_alice, revenue, shop):
    builders.metric(shop, "clicks", event="Click")
    where = reverse("metric_list", args=["shop"])
    for word, found in (("revenue", "Revenue per user"), ("order", "Revenue per user"), ("CLICK", "Clicks")):
        page = main(client_of_alice, f"{where}?search={word}")
        assert found in page
    assert "No metric has “nothing”" in main(client_of_alice, f"{where}?search=nothing")

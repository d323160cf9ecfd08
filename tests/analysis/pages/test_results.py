"""The results page, its exact snapshots, its download and its refresh."""

import csv
import io
import json
import re

import msgspec
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis import refreshing
from analysis.models import RefreshRun, ResultSnapshot
from analysis.results.schema import Check, Looks, Reading, TriggeredEffect, TriggeredShare, VariantFact
from analysis.stats.equivalence import Size
from experiments import lifecycle
from experiments.concluding import Decision, conclude
from experiments.domain.conclusions import Choice
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders

OF_EXPERIMENT = ["experiment_results", "results_csv", "experiment_refresh", "result_snapshot", "refresh_progress"]


@pytest.fixture
def ranker(shop, purchase) -> Experiment:
    return builders.experiment(shop, primary=purchase)


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    queued: list[int] = []
    monkeypatch.setattr(refreshing, "_enqueue", queued.append)
    return queued


def address(name: str, *more: object) -> str:
    return reverse(name, args=["shop", "new-ranker", *more])


def page(client: Client, name: str = "experiment_results", *more: object, **query: str) -> str:
    response = client.get(address(name, *more), query)
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("name", OF_EXPERIMENT)
def test_page__a_stranger__gets_404(client_of_charlie, ranker, name: str):
    more = {"result_snapshot": [builders.snapshot(ranker).pk], "refresh_progress": [1]}.get(name, [])
    where = address(name, *more)
    answer = client_of_charlie.post(where) if name == "experiment_refresh" else client_of_charlie.get(where)
    assert answer.status_code == 404
    assert not RefreshRun.objects.exists()


def test_project_home__a_stranger__gets_404(client_of_charlie, shop):
    assert client_of_charlie.get(reverse("project_home", args=["shop"])).status_code == 404


def test_results__nobody_signed_in__asks_to_sign_in(ranker):
    response = Client().get(address("experiment_results"))
    assert response.url == f"{reverse('sign_in')}?next={address('experiment_results')}"


def test_results__before_the_first_exposure__says_what_to_do(client_of_alice, ranker):
    said = words(page(client_of_alice))
    assert "No results yet" in said
    assert "is running and waits" in said
    assert "The requests to paste are on the set-up page" in said
    Experiment.objects.filter(pk=ranker.pk).update(status=Status.STOPPED, stopped_at=timezone.now())
    said = words(page(client_of_alice))
    assert "was stopped before its first exposure" in said
    assert "is running" not in said


def test_results__a_draft__leads_to_its_set_up(client_of_alice, shop, purchase):
    builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    assert client_of_alice.get(address("experiment_results")).url == address("experiment_detail")


def test_results__say_the_verdict_the_checks_and_every_reading(client_of_bob, ranker):
    made = builders.results(ranker)
    builders.snapshot(ranker, made)
    said = words(page(client_of_bob))
    assert made.verdict.headline in said
    assert all(check.name in said for check in made.health.checks)
    assert "+5.6% +2.1% to +9.2%" in said
    assert "203 ms" in said
    assert "! Worse" in said
    assert "limit +2.0%, crossed" in said
    assert "€18.69" in said
    assert "184,206" in said


def test_results__every_interval__is_a_labelled_picture_on_one_zero_line(client_of_alice, ranker):
    builders.snapshot(ranker)
    html = page(client_of_alice)
    marks = re.findall(r'<svg viewBox="0 0 352 32" role="img" aria-label="([^"]+)">(.*?)</svg>', html, re.S)
    assert marks[0][0] == "Click-through rate, Treatment: +5.6%, 95% interval +2.1% to +9.2%"
    zeros = {re.search(r'class="zero" x1="([\d.]+)"', drawing).group(1) for _, drawing in marks}
    assert len(marks) == 3
    assert len(zeros) == 1


def test_results__a_broken_split__withholds_every_change(client_of_alice, ranker):
    builders.snapshot(ranker, builders.broken_results(ranker))
    html = page(client_of_alice)
    table = words(html.split("<table")[1].split("</table")[0])
    assert "+5.6%" not in table
    assert table.count("Withheld") == table.count("Not trustworthy") == 3
    assert 'role="img" aria-label="Click' not in html
    assert "effect-figure" not in html
    assert "exposures-figure" in html


def test_results__several_treatments__name_the_treatment_of_each_row(client_of_alice, shop, purchase):
    ranker = builders.experiment(shop, weights=(3334, 3333, 3333), primary=purchase)
    keys = ["control", "treatment-1", "treatment-2"]
    variants = [
        VariantFact(
            key=k, name=k.title(), is_control=k == "control", weight=3333, units=9, expected_share=1 / 3, share=1 / 3
        )
        for k in keys
    ]
    metric = builders.metric_result("purchase-rate", *(builders.comparison(variant=key) for key in keys[1:]))
    builders.snapshot(ranker, builders.results(ranker, variants=variants, metrics=[metric], effect_over_time=[]))
    said = words(page(client_of_alice).split("<table")[1].split("</table")[0])
    assert "Purchase rate Treatment-1" in said
    assert "Purchase rate Treatment-2" in said


def test_results__a_metric_that_cannot_be_computed__is_said_in_words(client_of_alice, ranker):
    nothing = builders.comparison(
        value=None, difference=None, difference_interval=None, lift=None, lift_interval=None, p_value=None,
        standard_error=None, reading=Reading.TOO_EARLY, warnings=["the treatment has no units yet"],
    )  # fmt: skip
    builders.snapshot(ranker, builders.results(ranker, metrics=[builders.metric_result("purchase-rate", nothing)]))
    said = words(page(client_of_alice))
    assert "not enough data yet" in said
    assert "– Too early" in said
    assert "Purchase rate: the treatment has no units yet" in said
    assert "None" not in said
    assert "nan" not in said


def test_results__names_from_people__cannot_carry_markup(client_of_alice, ranker):
    evil = "</script><script>alert(1)</script>"
    made = builders.results(ranker, metrics=[builders.metric_result("click-through-rate", name=evil)])
    builders.snapshot(ranker, made)
    html = page(client_of_alice)
    assert "<script>alert" not in html
    assert "</script><script>alert" not in html


def test_results__hold_no_inline_script_or_style(client_of_alice, ranker):
    builders.snapshot(ranker)
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=|javascript:", page(client_of_alice))


def test_results__charts__say_the_same_in_a_sentence_and_a_table(client_of_alice, ranker):
    builders.snapshot(ranker)
    html = page(client_of_alice)
    said = words(html)
    figure = json.loads(re.search(r'<script id="effect-figure" type="application/json">(.*?)</script>', html).group(1))
    assert figure["data"][2]["y"][0] == pytest.approx(0.086)
    assert "Treatment: Click-through rate +5.8% by 15 Mar 2026" in said
    assert "182,000 users entered over 14 days, 13,000 a day on average" in said
    assert said.count("2 Mar 2026") >= 2


def test_results__another_metric_chosen__is_drawn_and_an_unknown_one_ignored(client_of_alice, ranker):
    series = [builders.effect_series(), builders.effect_series("revenue-per-user")]
    builders.snapshot(ranker, builders.results(ranker, effect_over_time=series))
    assert 'value="revenue-per-user" selected' in page(client_of_alice, metric="revenue-per-user")
    assert 'value="click-through-rate" selected' in page(client_of_alice, metric="nonsense")


def test_results__of_an_ended_experiment__lead_on_to_the_decision_until_somebody_has_decided(
    client_of_alice, client_of_bob, ranker, alice
):
    builders.snapshot(ranker)
    decide = reverse("experiment_conclude", args=["shop", "new-ranker"])
    assert decide not in page(client_of_alice)
    lifecycle.stop(ranker, alice, "Long enough")
    assert decide in page(client_of_alice)
    assert decide not in page(client_of_bob)
    conclude(ranker, alice, Decision(choice=Choice.ITERATE, reason="Not yet", learned="Much", tags=()))
    assert decide not in page(client_of_alice)


@pytest.mark.parametrize("snapshots", [1, 30])
def test_results__more_history__costs_no_more_queries(
    client_of_alice, ranker, snapshots: int, django_assert_max_num_queries
):
    for _ in range(snapshots):
        builders.snapshot(ranker)
    with django_assert_max_num_queries(9):
        page(client_of_alice)


def test_snapshot__an_older_one__shows_what_was_known_then(client_of_alice, ranker):
    old = builders.snapshot(ranker, builders.results(ranker, verdict=builders.verdict(headline="Early days.")))
    builders.snapshot(ranker)
    said = words(page(client_of_alice, "result_snapshot", old.pk))
    assert "Early days." in said
    assert "These are the results as of 15 Mar 2026, 12:00 UTC" in said
    assert "Refresh now" not in said


def test_snapshot__of_another_experiment__is_not_found(client_of_alice, ranker, shop):
    other = builders.snapshot(builders.experiment(shop, "other"))
    assert client_of_alice.get(address("result_snapshot", other.pk)).status_code == 404
    assert client_of_alice.get(address("results_csv"), {"snapshot": other.pk}).status_code == 404


def test_csv__holds_plain_numbers_of_the_named_snapshot(client_of_alice, ranker):
    old = builders.snapshot(ranker)
    builders.snapshot(ranker, builders.results(ranker, metrics=[]))
    response = client_of_alice.get(address("results_csv"), {"snapshot": old.pk})
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [row["metric"] for row in rows] == ["Click-through rate", "Page latency", "Revenue per user"]
    assert (rows[0]["lift"], rows[0]["lift_low"], rows[0]["reading"]) == ("0.056", "0.021", "Better")
    assert (rows[1]["margin_crossed"], rows[0]["margin_crossed"], rows[0]["trustworthy"]) == ("yes", "", "yes")
    assert response["Content-Disposition"] == f'attachment; filename="new-ranker-{old.pk}.csv"'


@pytest.mark.parametrize("wanted", ["x", "-1", "99999999999999999999", ""])
def test_csv__without_such_a_snapshot__is_not_found(client_of_alice, ranker, wanted: str):
    assert client_of_alice.get(address("results_csv"), {"snapshot": wanted}).status_code == 404


def test_csv__a_name_that_begins_like_a_formula__is_defused(client_of_alice, ranker):
    builders.snapshot(ranker, builders.results(ranker, metrics=[builders.metric_result(name="=cmd|' /C calc'!A0")]))
    rows = list(csv.DictReader(io.StringIO(client_of_alice.get(address("results_csv")).content.decode())))
    assert rows[0]["metric"].startswith("'=")


def test_refresh__by_htmx__starts_one_run_and_shows_its_progress(
    client_of_alice, ranker, no_broker, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answers = [
            client_of_alice.post(address("experiment_refresh"), headers={"HX-Request": "true"}) for _ in range(2)
        ]
    run = RefreshRun.objects.get()
    assert no_broker == [run.pk]
    assert all(address("refresh_progress", run.pk) in answer.content.decode() for answer in answers)


def test_refresh__without_script__comes_back_to_the_results_with_the_bar(client_of_alice, ranker):
    response = client_of_alice.post(address("experiment_refresh"), follow=True)
    assert "<progress" in response.content.decode()


def test_refresh__of_a_draft__is_refused(client_of_alice, shop, purchase):
    builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    assert (
        "A draft has no results yet"
        in client_of_alice.post(address("experiment_refresh"), follow=True).content.decode()
    )
    assert not RefreshRun.objects.exists()


def test_refresh__by_get__is_refused(client_of_alice, ranker):
    assert client_of_alice.get(address("experiment_refresh")).status_code == 405


def test_progress__while_running__asks_again_and_when_done_has_the_page_reloaded(client_of_alice, ranker):
    run = RefreshRun.objects.create(experiment=ranker, state="running", step="Reading new events", percent=40)
    response = client_of_alice.get(address("refresh_progress", run.pk))
    assert 'value="40"' in response.content.decode()
    assert "hx-trigger" in response.content.decode()
    assert "HX-Refresh" not in response
    RefreshRun.objects.update(state="done")
    done = client_of_alice.get(address("refresh_progress", run.pk))
    assert done["HX-Refresh"] == "true"
    assert "hx-trigger" not in done.content.decode()


def test_progress__of_another_experiments_run__is_not_found(client_of_alice, ranker, shop):
    other = RefreshRun.objects.create(experiment=builders.experiment(shop, "other"))
    assert client_of_alice.get(address("refresh_progress", other.pk)).status_code == 404


def test_results__after_a_failed_refresh__say_why_until_a_good_one_follows(client_of_alice, ranker):
    builders.snapshot(ranker)
    RefreshRun.objects.create(
        experiment=ranker, state="failed", error="The database did not answer.", finished_at=timezone.now()
    )
    assert "The database did not answer." in page(client_of_alice)
    builders.snapshot(ranker)
    ResultSnapshot.objects.latest("pk")
    assert "The database did not answer." not in page(client_of_alice)


def test_results__past_the_planned_days__do_not_count_beyond_them(client_of_alice, ranker):
    builders.snapshot(ranker)
    assert re.search(r"Running, day \d+, planned 14", words(page(client_of_alice)))


def test_results__a_failed_check__says_what_to_do_in_a_sentence_of_its_own(client_of_alice, ranker):
    failed = Check(key="flow", name="Exposure data", ok=False, summary="stops at 06:00", what_to_do="See the worker.")
    builders.snapshot(ranker, builders.results(ranker, health=builders.health(checks=[failed])))
    assert "! Exposure data stops at 06:00. See the worker." in words(page(client_of_alice))


def test_results__a_failed_check_whose_cure_is_the_next_step__says_the_cure_once(client_of_alice, ranker):
    made = builders.broken_results(ranker)
    cure = next(check.what_to_do for check in made.health.checks if check.ok is False and check.what_to_do)
    builders.snapshot(ranker, msgspec.structs.replace(made, verdict=builders.verdict(next_step=cure)))
    assert words(page(client_of_alice)).count(cure) == 1


def test_results__units_whose_outputs_differ__have_a_block_of_their_own(client_of_alice, ranker):
    effect = TriggeredEffect(
        metric="purchase-rate", name="Purchase rate", display_unit="percent", variant="treatment", alpha=0.05,
        difference=0.02, lift=0.1, lift_interval=(0.05, 0.15), p_value=0.001, diluted_difference=0.004,
        diluted_interval=(0.002, 0.006), diluted_lift=0.02, untouched_p_value=0.5, split_p_value=0.4, trustworthy=True,
    )  # fmt: skip
    found = TriggeredShare(units=200, total=1000, effects=[effect])
    builders.snapshot(ranker, builders.results(ranker, triggered=found))
    shown = words(page(client_of_alice))
    assert "for 1,000 users; they do for 200 of them (20%)" in shown
    assert "+10.0% +5.0% to +15.0%" in shown
    assert "no sign of a change" in shown
    broken = msgspec.structs.replace(effect, trustworthy=False, reason="units that should see no difference do differ")
    builders.snapshot(ranker, builders.results(ranker, triggered=msgspec.structs.replace(found, effects=[broken])))
    shown = words(page(client_of_alice))
    assert "Do not read this part: units that should see no difference do differ." in shown


def test_results__read_at_every_look__say_so_and_show_one_look_beside(client_of_alice, ranker):
    looks = Looks(plan="always_valid", sentence="Readable at any time.", units=10, planned_units=40_000)
    one = builders.comparison(
        boundary=2.9, fixed_p_value=0.0004, fixed_lift_interval=(0.03, 0.08), size=Size.NEGLIGIBLE.value
    )
    made = builders.results(ranker, looks=looks, metrics=[builders.metric_result("purchase-rate", one)])
    builders.snapshot(ranker, made)
    shown = words(page(client_of_alice))
    assert shown.count("Readable at any time.") == 2
    assert "One look beside every look" in shown
    assert "+3.0% to +8.0%" in shown
    assert "smaller than what matters" in shown

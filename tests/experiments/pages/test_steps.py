"""Steps in an experiment's life: looked at first, taken once, refused in words, and a stale tab found out."""

import re

import pytest
from django.urls import reverse

from experiments import holdouts, layers, lifecycle
from experiments.domain.lifecycle import Status
from experiments.domain.ramps import RampStep
from experiments.models import AuditEntry, Experiment
from experiments.pages.steps import STEPS, seen_state
from tests import builders

SHIP = {"variant": "treatment", "holdback": "5", "ramp": "", "why": "It won"}
PHASE = {"weight-control": "80", "weight-treatment": "20", "traffic": "50", "why": "Other weights"}
SENT = {
    "pause": {"why": "A bug"},
    "stop": {"why": "Done"},
    "ship": SHIP,
    "grow": {"traffic": "100", "why": ""},
    "phase": PHASE,
}
ACTIONS = {
    "pause": "experiment.pause", "stop": "experiment.stop", "ship": "experiment.ship",
    "grow": "experiment.traffic", "phase": "experiment.new-phase",
}  # fmt: skip


@pytest.fixture
def running(shop, purchase) -> Experiment:
    return builders.experiment(shop, primary=purchase, allocation=5000)


def at(step: str) -> str:
    return reverse(f"experiment_{step}", args=["shop", "new-ranker"])


def seen(experiment: Experiment) -> dict[str, str]:
    return {"seen": seen_state(Experiment.objects.get(pk=experiment.pk))}


@pytest.mark.parametrize("step", STEPS)
def test_step__a_stranger__gets_404_and_a_viewer_403(client_of_charlie, client_of_bob, running, step: str):
    for client, status in ((client_of_charlie, 404), (client_of_bob, 403)):
        assert client.get(at(step)).status_code == status
        assert client.post(at(step), {"why": "x"}).status_code == status
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("step", SENT)
def test_step__its_page__says_who_sees_what_and_changes_nothing(
    client_of_alice, running, step: str, django_assert_max_num_queries
):
    with django_assert_max_num_queries(12):
        page = client_of_alice.get(at(step)).content.decode()
    assert "Who sees what, who is analysed" in page
    assert "Control: 50 % of the users in the experiment" in page
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=", page)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("step", SENT)
def test_step__sent_twice__is_taken_once(client_of_alice, running, step: str):
    sent = {**SENT[step], **seen(running)}
    for _ in range(2):
        assert client_of_alice.post(at(step), sent).status_code == 302
    assert AuditEntry.objects.filter(action=ACTIONS[step]).count() == 1
    page = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker"])).content.decode()
    assert 'class="note good"' in page
    assert "done before" not in page


def test_step__an_older_tab_with_another_reason__says_who_did_it_first_and_gives_the_words_back(
    client_of_alice, alice, running
):
    older = seen(running)
    client_of_alice.post(at("stop"), {"why": "Done", **older})
    page = client_of_alice.post(at("stop"), {"why": "It was too slow", **older}, follow=True).content.decode()
    assert "It was done before: alice@example.com stopped it (“Done”)." in page
    assert "Your words were not saved: “It was too slow”" in page
    assert AuditEntry.objects.filter(action="experiment.stop").count() == 1


@pytest.mark.parametrize("step", SENT)
def test_step__a_tab_older_than_another_change__changes_nothing(client_of_alice, alice, running, step: str):
    sent = {**SENT[step], **seen(running)}
    lifecycle.grow_traffic(running, alice, 6000)
    before = AuditEntry.objects.count()
    response = client_of_alice.post(at(step), sent)
    assert response.status_code == 400
    assert "was changed meanwhile" in response.content.decode()
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("step", ["pause", "stop", "ship", "phase"])
@pytest.mark.parametrize("why", ["", "   ", "x" * 501])
def test_step__without_a_reason__is_refused_and_the_rest_kept(client_of_alice, running, step: str, why: str):
    response = client_of_alice.post(at(step), {**SENT[step], "why": why})
    assert response.status_code == 400
    assert "data-error-summary" in response.content.decode()
    running.refresh_from_db()
    assert running.status == Status.RUNNING


@pytest.mark.parametrize("step", ["pause", "resume", "stop", "withdraw", "ship", "grow", "phase"])
def test_step__a_draft__leads_back_with_a_reason(client_of_alice, shop, purchase, step: str):
    builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    page = client_of_alice.get(at(step), follow=True).content.decode()
    assert "is a draft: this cannot be done with it now" in page


def test_pause__and_resume__lead_there_and_back(client_of_alice, running):
    client_of_alice.post(at("pause"), SENT["pause"])
    running.refresh_from_db()
    assert running.status == Status.PAUSED
    page = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker"])).content.decode()
    assert "Paused on day" in page
    client_of_alice.post(at("resume"), {"why": ""})
    running.refresh_from_db()
    assert running.status == Status.RUNNING


def test_ship__with_holdback_and_steps__is_kept_and_can_be_taken_back(client_of_alice, running):
    client_of_alice.post(at("ship"), {**SHIP, "ramp": "30 % for 24 h, then 100 %", **seen(running)})
    running.refresh_from_db()
    assert (running.shipped_variant.key, running.holdback_share, running.shipped_share) == ("treatment", 500, 3000)
    page = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker"])).content.decode()
    assert "Treatment to 30 %, 5 % held back" in page
    assert Experiment.objects.get(key="new-ranker-holdback").status == Status.RUNNING
    client_of_alice.post(at("withdraw"), {"why": "It broke"})
    running.refresh_from_db()
    assert running.shipped_variant is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "control"}, "Select a valid choice"),
        ({"holdback": "60"}, "cannot be held back: choose 0 %, or 1 % to 20 %"),
        ({"holdback": "0.5"}, "cannot be held back"),
        ({"holdback": "NaN"}, "Enter a number"),
        ({"ramp": "soon"}, "is no step"),
        ({"ramp": "50, 5"}, "each must be more than the one before"),
        ({"ramp": "1, 100"}, "Begin it with"),
    ],
)
def test_ship__what_cannot_be__is_refused_in_words(client_of_alice, running, changes, message: str):
    response = client_of_alice.post(at("ship"), {**SHIP, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert "It won" in page
    running.refresh_from_db()
    assert running.status == Status.RUNNING


def test_ship__while_somebody_chooses__the_table_follows(client_of_alice, running):
    page = client_of_alice.get(at("ship"), {**SHIP, "holdback": "3", "why": ""}).content.decode()
    assert "except those held back (3 % of all)" in page
    assert "data-error-summary" not in page


@pytest.mark.parametrize(
    ("traffic", "message"), [("40", "only grows"), ("0", "greater than or equal"), ("x", "number")]
)
def test_grow__less_or_nonsense__is_refused(client_of_alice, running, traffic: str, message: str):
    response = client_of_alice.post(at("grow"), {"traffic": traffic, "why": ""})
    assert response.status_code == 400
    assert message in response.content.decode()
    running.refresh_from_db()
    assert running.allocation == 5000


def test_grow__in_a_layer__grows_its_part(client_of_alice, alice, shop, purchase):
    layer = layers.create_layer(shop, alice, "home", "Home page")
    draft = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    layers.join(draft, layer, 2000, alice)
    lifecycle.start(draft, alice)
    page = client_of_alice.get(at("grow")).content.decode()
    assert "Now 20 % of Home page" in page
    client_of_alice.post(at("grow"), {"traffic": "100", "layer_share": "35", "why": ""})
    draft.refresh_from_db()
    assert draft.layer_ranges == [[0, 3500]]
    response = client_of_alice.post(at("grow"), {"traffic": "100", "layer_share": "20", "why": ""})
    assert "can only grow" in response.content.decode()


def test_phase__other_weights__begin_it_and_wrong_ones_do_not(client_of_alice, running):
    response = client_of_alice.post(at("phase"), {**PHASE, "weight-control": "70"})
    assert response.status_code == 400
    assert "The weights add up to 90 %" in response.content.decode()
    client_of_alice.post(at("phase"), PHASE)
    running.refresh_from_db()
    assert (running.phase, running.allocation) == (2, 5000)
    assert list(running.variants.values_list("weight", flat=True)) == [8000, 2000]


def test_phase__another_targeting__begins_with_it_and_a_wrong_one_does_not(client_of_alice, running):
    rows = {"targeting-TOTAL_FORMS": "1", "targeting-INITIAL_FORMS": "0", "targeting-0-attribute": "plan"}
    response = client_of_alice.post(at("phase"), {**PHASE, **rows})
    assert response.status_code == 400
    assert "Give the value to compare with" in response.content.decode()
    client_of_alice.post(at("phase"), {**PHASE, **rows, "targeting-0-value": "pro"})
    running.refresh_from_db()
    assert (running.phase, running.targeting) == (2, {"plan": "pro"})


def test_detail__a_ramp__says_where_it_stands(client_of_alice, alice, shop, purchase):
    draft = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    lifecycle.set_ramp(draft, alice, [RampStep(share=100, after_hours=24), RampStep(share=5000)])
    lifecycle.start(draft, alice)
    page = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker"])).content.decode()
    assert "1 % for 24 h, then 50 %. Step 1 of 2, the next from" in page


OVERRIDE = {"unit_id": "user-7", "variant": "treatment", "note": "Ann"}


def test_override__added_twice_and_removed_twice__is_there_once_and_gone(client_of_alice, running):
    where = reverse("override_add", args=["shop", "new-ranker"])
    for _ in range(2):
        client_of_alice.post(where, OVERRIDE)
    one = running.overrides.get()
    gone = reverse("override_remove", args=["shop", "new-ranker", one.pk])
    for _ in range(2):
        assert client_of_alice.post(gone).status_code == 302
    assert not running.overrides.exists()
    assert AuditEntry.objects.count() == 2


@pytest.mark.parametrize("wrong", [{"unit_id": " "}, {"unit_id": "x" * 257}, {"variant": "other"}, {"note": "x" * 201}])
def test_override__a_wrong_field__is_refused(client_of_alice, running, wrong):
    where = reverse("override_add", args=["shop", "new-ranker"])
    page = client_of_alice.post(where, {**OVERRIDE, **wrong}, follow=True).content.decode()
    assert "Nothing was changed" in page
    assert not running.overrides.exists()


def test_override__by_a_stranger_or_viewer__is_refused(client_of_charlie, client_of_bob, running):
    where = reverse("override_add", args=["shop", "new-ranker"])
    assert client_of_charlie.post(where, OVERRIDE).status_code == 404
    assert client_of_bob.post(where, OVERRIDE).status_code == 403
    assert not running.overrides.exists()


def test_stop__a_holdback__gives_everyone_what_was_shipped(client_of_alice, alice, running):
    lifecycle.ship(running, running.variants.get(key="treatment"), 500, alice, "It won")
    where = reverse("experiment_stop", args=["shop", "new-ranker-holdback"])
    page = client_of_alice.get(where).content.decode()
    assert "<b>Treatment</b>" in page.split("Control: 5 % of the users")[1].split("</tr>")[0]
    detail = client_of_alice.get(reverse("experiment_detail", args=["shop", "new-ranker-holdback"])).content.decode()
    assert "A holdback needs no call of its own" in detail
    client_of_alice.post(where, {"why": "Measured"})
    assert Experiment.objects.get(key="new-ranker-holdback").status == Status.STOPPED


def test_stop__a_holdout__lets_held_out_units_see_everything(client_of_alice, alice, shop, purchase):
    one = holdouts.start(shop, alice, 500, [purchase])
    page = client_of_alice.get(reverse("experiment_stop", args=["shop", one.key])).content.decode()
    row = page.split("Held out: 50 %")[1].split("</tr>")[0]
    assert "The control everywhere" in row
    assert "<b>Every experiment and all that was shipped</b>" in row
    detail = client_of_alice.get(reverse("experiment_detail", args=["shop", one.key])).content.decode()
    assert "A holdout needs no call of its own" in detail
    assert "overrides" not in detail

"""Before the start and at the end: the checklist with its fixes, copies and templates, and conclusions."""

import re

import pytest
from django.urls import reverse

from analysis import certifying
from analysis.models import MetricCertificate
from analysis.tasks import certify_metrics
from events.intake.fields import EXPOSURE
from events.models import SeenEvent
from experiments.domain.access import Role, Scope
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.keys import issue_key
from experiments.models import AuditEntry, Conclusion, Experiment, ExperimentTemplate, Membership
from tests import builders
from tests.experiments.conftest import signed_in
from tests.experiments.pages.wizard_forms import HYPOTHESIS

WHOLE = {"decision": "ship", "reason": "It pays", "learned": "Season matters", "tags": "Search, mobile"}


@pytest.fixture
def draft(shop, purchase, alice) -> Experiment:
    return builders.experiment(shop, status=Status.DRAFT, primary=purchase, hypothesis=HYPOTHESIS, owner=alice)


@pytest.fixture
def running(shop, purchase) -> Experiment:
    return builders.experiment(shop, primary=purchase)


@pytest.fixture
def client_of_ed(shop):
    ed = builders.user("ed@example.com", name="Ed Editor")
    Membership.objects.create(project=shop, user=ed, role=Role.EDITOR)
    return signed_in(ed)


def at(name: str, *more: object) -> str:
    return reverse(name, args=["shop", "new-ranker", *more])


def page_of(client, name: str = "experiment_detail") -> str:
    return client.get(at(name)).content.decode().replace("&#x27;", "'")


def test_checklist__of_a_good_draft__has_nothing_to_say_against_it(client_of_alice, draft, shop, alice):
    issue_key(shop, "web", [Scope.EVALUATE, Scope.INGEST], alice)
    latency = builders.metric(shop, "latency", direction="decrease")
    draft.plan.create(metric=latency, role=MetricRole.GUARDRAIL, margin=300, position=1)
    part = page_of(client_of_alice).split('id="ready-title"')[1].split("</section>")[0]
    assert "Ready to start" in part
    assert '<li class="bad">' not in part
    assert '<li class="warn">' not in part


def test_checklist__what_is_missing__blocks_or_warns_and_leads_to_its_step(client_of_alice, shop):
    builders.experiment(shop, status=Status.DRAFT)
    page = page_of(client_of_alice)
    assert "Before it can start" in page
    for words in ("Choose a primary metric", "There is no hypothesis", "Nobody answers for it", "no API key yet"):
        assert words in page
    assert f'href="{at("experiment_set_up", "how")}"' in page
    assert re.search(r'<button class="btn" disabled>Start', page)


def test_fix__usual_guardrails_and_owner__are_one_click_each_and_twice_is_once(
    client_of_alice, draft, shop, purchase, alice
):
    latency = builders.metric(shop, "latency", direction="decrease")
    earlier = builders.experiment(shop, "earlier", primary=purchase)
    earlier.plan.create(metric=latency, role=MetricRole.GUARDRAIL, margin=300, position=1)
    assert "Add the usual: Latency" in page_of(client_of_alice)
    for _ in range(2):
        client_of_alice.post(at("experiment_fix"), {"guardrails": "usual"})
        client_of_alice.post(at("experiment_fix"), {"planned_days": "21"})
    draft.refresh_from_db()
    assert (draft.plan.count(), draft.planned_days) == (2, 21)
    assert AuditEntry.objects.filter(action="experiment.revise").count() == 2
    Experiment.objects.update(owner=None)
    client_of_alice.post(at("experiment_owner"), {"owner": "me"})
    draft.refresh_from_db()
    assert draft.owner == alice


@pytest.mark.parametrize("sent", [{}, {"planned_days": "0"}, {"planned_days": "9999"}, {"planned_days": "x"}])
def test_fix__what_is_no_offer__changes_nothing(client_of_alice, draft, sent):
    assert client_of_alice.post(at("experiment_fix"), sent).status_code == 302
    draft.refresh_from_db()
    assert draft.planned_days == 14


def test_checklist__another_on_the_same_page__warns(client_of_alice, draft, shop):
    Experiment.objects.update(page_address="https://shop.example/")
    builders.experiment(shop, "other", name="Other", page_address="https://shop.example/", targeting={"country": "DE"})
    assert "Other changes the same page for the same users" in page_of(client_of_alice)
    Experiment.objects.filter(key="new-ranker").update(targeting={"country": "AT"})
    assert "No other running experiment reaches the same users" in page_of(client_of_alice)


def test_data_checks__say_what_arrived_and_what_never_did(client_of_alice, draft, shop):
    page = page_of(client_of_alice, "experiment_checklist")
    assert f"No “{EXPOSURE}” event was ever seen" in page
    assert "“Order Completed”, of which Purchase rate is made, was never seen" in page
    for name in (EXPOSURE, "Order Completed"):
        SeenEvent.objects.create(project=shop, name=name, first_at=builders.T0, last_at=builders.T0, events=1)
    page = page_of(client_of_alice, "experiment_checklist")
    assert "Exposure events arrive, the last on 2 Mar 2026" in page
    assert "The metrics' events arrive: Order Completed" in page
    assert "no experiment has units for Purchase rate yet" in page


def test_data_checks__a_certificate__is_named_and_a_failed_one_warns(client_of_alice, draft, shop, purchase):
    facts = {
        "metric": purchase, "experiment": draft, "units": 9, "draws": 9, "alpha": 0.05, "false_positives": 0.05,
        "low": 0.0, "high": 0.1, "uniformity": 0.5, "variance_ratio": 1.0, "sentence": "It raises too many alarms.",
    }  # fmt: skip
    MetricCertificate.objects.create(verdict="certified", **facts)
    assert "Purchase rate raise no more false alarms than promised" in page_of(client_of_alice, "experiment_checklist")
    MetricCertificate.objects.create(verdict="too many alarms", **facts)
    assert "failed its A/A replay. It raises too many alarms." in page_of(client_of_alice, "experiment_checklist")


def test_certify_metrics__run_twice__asks_for_what_is_missing_alone(shop, purchase, monkeypatch):
    asked: list[list[str]] = []
    monkeypatch.setattr(certifying, "certify", lambda project, metrics: asked.append([one.key for one in metrics]))
    monkeypatch.setattr(certifying, "newest", lambda project: {} if not asked else {purchase.pk: object()})
    for _ in range(2):
        certify_metrics(shop.pk, [purchase.pk])
    certify_metrics(999_999, [purchase.pk])
    assert asked == [["purchase-rate"], []]


def test_looks__with_a_page__give_each_variant_its_link(client_of_alice, draft):
    Experiment.objects.update(page_address="https://shop.example/?q=1")
    page = page_of(client_of_alice)
    assert "https://shop.example/?q=1&amp;new-ranker=0" in page
    assert "https://shop.example/?q=1&amp;new-ranker=1" in page


def test_duplicate__a_double_click__makes_one_copy_and_leads_to_it(client_of_alice, running):
    once = re.search(r'name="once" value="([^"]+)"', page_of(client_of_alice))[1]
    to = [client_of_alice.post(at("experiment_duplicate"), {"once": once}).url for _ in range(2)]
    assert all("new-ranker-copy" in url for url in to)
    assert Experiment.objects.count() == 2


def test_template__saved_listed_used_and_removed(client_of_alice, running):
    sent = {"name": "Our way", "description": "As we do it"}
    assert client_of_alice.post(at("experiment_template"), sent).url == reverse("template_list", args=["shop"])
    listed = client_of_alice.get(reverse("template_list", args=["shop"])).content.decode()
    assert "As we do it" in listed
    assert "our-way" in client_of_alice.get(reverse("experiment_new", args=["shop"])).content.decode()
    remove = reverse("template_remove", args=["shop", ExperimentTemplate.objects.get().pk])
    for _ in range(2):
        assert client_of_alice.post(remove).status_code == 302
    assert not ExperimentTemplate.objects.exists()


def test_template__without_a_name__is_refused(client_of_alice, running):
    assert client_of_alice.post(at("experiment_template"), {"name": "", "description": "Kept"}).status_code == 400
    assert not ExperimentTemplate.objects.exists()


def test_conclude__by_the_rule__is_kept_and_leads_to_shipping(client_of_alice, running):
    builders.standing(running)
    assert "The rule says: ship" in page_of(client_of_alice, "experiment_conclude")
    answer = client_of_alice.post(at("experiment_conclude"), WHOLE)
    assert answer.url == at("experiment_ship")
    made = Conclusion.objects.get()
    assert (made.decision, made.tags, made.state) == ("ship", ["search", "mobile"], "made")
    page = page_of(client_of_alice)
    assert "Learned: Season matters" in page
    assert "It was decided: ship." in page


def test_conclude__against_the_rule__waits_for_the_other_editor(client_of_alice, client_of_ed, running):
    builders.standing(running, recommendation="do not ship")
    assert "a second person has to agree (Ed Editor)" in page_of(client_of_alice, "experiment_conclude")
    client_of_alice.post(at("experiment_conclude"), WHOLE)
    made = Conclusion.objects.get()
    assert "Somebody else who may edit has to agree" in page_of(client_of_alice)
    answer = at("conclusion_answer", made.pk)
    client_of_alice.post(answer, {"answer": "approve"})
    made.refresh_from_db()
    assert made.state == "requested"
    assert "asks to decide against the rule: ship" in page_of(client_of_ed)
    client_of_ed.post(answer, {"answer": "decline", "words": ""})
    for _ in range(2):
        client_of_ed.post(answer, {"answer": "approve", "words": "Fine by me"})
    made.refresh_from_db()
    assert (made.state, made.review) == ("made", "Fine by me")
    assert AuditEntry.objects.filter(action="experiment.conclusion-approve").count() == 1


def test_conclude__by_an_older_result__is_refused_and_the_words_kept(client_of_alice, running):
    builders.standing(running)
    response = client_of_alice.post(at("experiment_conclude"), {**WHOLE, "seen": "6.too early"})
    page = response.content.decode()
    assert response.status_code == 400
    assert "A newer result has come in meanwhile" in page
    assert "Season matters" in page
    assert not Conclusion.objects.exists()


def test_conclude__in_a_tab_older_than_anothers_decision__does_not_take_its_place_unawares(
    client_of_alice, client_of_ed, running
):
    builders.standing(running)
    older = {"seen": re.search(r'name="seen" value="([^"]+)"', page_of(client_of_alice, "experiment_conclude"))[1]}
    mine = {**WHOLE, "decision": "iterate", "reason": "Not yet.", "learned": "Less than hoped.", **older}
    for _ in range(2):
        assert client_of_ed.post(at("experiment_conclude"), {**WHOLE, **older}).status_code == 302
    response = client_of_alice.post(at("experiment_conclude"), mine)
    page = response.content.decode()
    assert response.status_code == 400
    assert "Ed Editor has decided meanwhile: ship" in page
    assert "Less than hoped." in page
    assert Conclusion.objects.get().decision == "ship"
    again = {**mine, "seen": re.search(r'name="seen" value="([^"]+)"', page)[1]}
    assert client_of_alice.post(at("experiment_conclude"), again).status_code == 302
    assert Conclusion.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decision": "wait"}, "Select a valid choice"),
        ({"decision": ""}, "This field is required"),
        ({"reason": "  "}, "This field is required"),
        ({"learned": ""}, "This field is required"),
        ({"learned": "x" * 5001}, "at most 5000 characters"),
        ({"tags": ",".join(map(str, range(11)))}, "11 tags; 10 are allowed"),
    ],
)
def test_conclude__a_wrong_field__is_refused(client_of_alice, running, changes, message: str):
    response = client_of_alice.post(at("experiment_conclude"), {**WHOLE, **changes})
    assert response.status_code == 400
    assert message in response.content.decode()
    assert not Conclusion.objects.exists()


def test_conclude__a_draft__leads_back(client_of_alice, draft):
    assert "nothing to conclude yet" in client_of_alice.get(at("experiment_conclude"), follow=True).content.decode()


def test_ship__against_the_rule_unapproved__is_refused_on_its_page(client_of_alice, client_of_ed, running):
    builders.standing(running, recommendation="inconclusive")
    sent = {"variant": "treatment", "holdback": "5", "ramp": "", "why": "I like it"}
    response = client_of_alice.post(at("experiment_ship"), sent)
    assert response.status_code == 400
    assert "conclude it with “ship” first" in response.content.decode()


POSTS = [f"experiment_{name}" for name in ("owner", "fix", "duplicate", "template", "conclude", "certify")]


@pytest.mark.parametrize("name", POSTS)
def test_post__a_stranger_or_viewer__changes_nothing(client_of_charlie, client_of_bob, running, name: str):
    for client, status in ((client_of_charlie, 404), (client_of_bob, 403)):
        assert client.post(at(name), WHOLE).status_code == status
    assert not AuditEntry.objects.exists()


def test_answer__a_stranger_a_viewer_or_another_experiments_decision__is_refused(
    client_of_charlie, client_of_bob, client_of_alice, running, shop, alice
):
    other = builders.experiment(shop, "other")
    theirs = Conclusion.objects.create(experiment=other, decision="ship", reason="r", learned="l", state="requested")
    for client, status in ((client_of_charlie, 404), (client_of_bob, 403), (client_of_alice, 404)):
        assert client.post(at("conclusion_answer", theirs.pk), {"answer": "approve"}).status_code == status

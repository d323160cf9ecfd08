"""What metrics stand for and what a gain must earn: said before the start, or openly after it."""

import pytest
from django.urls import reverse

from analysis.models import RefreshRun
from experiments.business import BusinessError, Terms, state
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole, StandsFor
from experiments.models import AuditEntry, Experiment, ExperimentMetric
from experiments.setup import ExperimentPlan, MetricPlan, VariantPlan, create_experiment, plan_of, revise_experiment
from tests import builders

pytestmark = pytest.mark.django_db
TERMS = Terms(monthly_cost=2_000_000, monthly_units=90_000)


@pytest.fixture
def ranker(shop, purchase) -> Experiment:
    """A running experiment with purchases, reading time and a latency guardrail."""
    made = builders.experiment(shop, primary=purchase)
    reading = builders.metric(
        shop, "reading-time", kind=MetricKind.COUNT, event="Read", display_unit=DisplayUnit.NUMBER
    )
    latency = builders.metric(shop, "latency", event="Shown")
    ExperimentMetric.objects.create(experiment=made, metric=reading, role=MetricRole.SECONDARY, position=1)
    ExperimentMetric.objects.create(
        experiment=made, metric=latency, role=MetricRole.GUARDRAIL, margin=200, position=2
    )  # fmt: skip
    return made


def said(experiment: Experiment) -> dict[str, str]:
    return dict(experiment.plan.values_list("metric__key", "stands_for"))


def test_state__twice__writes_one_row_and_marks_what_came_after_the_start(ranker, alice):
    assert state(ranker, alice, {"reading-time": StandsFor.BUSINESS}, TERMS)
    assert not state(ranker, alice, {"reading-time": StandsFor.BUSINESS}, TERMS)
    assert AuditEntry.objects.get(action="experiment.business").after["reading-time"] == "business"
    declared = ranker.plan.get(metric__key="reading-time")
    assert (declared.stands_for, declared.declared_at is not None) == ("business", True)
    assert Experiment.objects.get(pk=ranker.pk).monthly_cost == 2_000_000


def test_state__of_a_draft__is_not_late(shop, purchase, alice):
    draft = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    state(draft, alice, {"purchase-rate": StandsFor.BUSINESS}, Terms())
    assert draft.plan.get().declared_at is None


@pytest.mark.parametrize(
    ("stands_for", "message"),
    [
        ({"nothing": StandsFor.PROXY}, "no metric 'nothing' in its plan"),
        ({"latency": StandsFor.BUSINESS}, "is a guardrail"),
    ],
)
def test_state__what_does_not_fit_the_plan__is_refused_and_nothing_kept(ranker, alice, stands_for, message: str):
    with pytest.raises(BusinessError, match=message):
        state(ranker, alice, stands_for, TERMS)
    assert Experiment.objects.get(pk=ranker.pk).monthly_cost is None
    assert not AuditEntry.objects.exists()


def plan(*metrics: MetricPlan) -> ExperimentPlan:
    variants = (VariantPlan(key="a", name="A", weight=5000), VariantPlan(key="b", name="B", weight=5000))
    return ExperimentPlan(key="x", name="X", variants=variants, metrics=metrics)


def test_plan__takes_what_the_metric_stands_for__unless_it_says_otherwise(shop, alice):
    sessions = builders.metric(shop, "sessions", stands_for=StandsFor.PROXY)
    visits = builders.metric(shop, "visits", stands_for=StandsFor.PROXY)
    wanted = plan(
        MetricPlan(metric=sessions, role=MetricRole.PRIMARY),
        MetricPlan(metric=visits, role=MetricRole.SECONDARY, stands_for=StandsFor.BUSINESS),
    )
    made = create_experiment(shop, alice, wanted)
    assert said(made) == {"sessions": "proxy", "visits": "business"}
    assert create_experiment(shop, alice, wanted).pk == made.pk  # the second click finds the first


def test_revise__keeps_what_was_declared_for_the_experiment(shop, purchase, alice):
    made = create_experiment(shop, alice, plan(MetricPlan(metric=purchase, role=MetricRole.PRIMARY)))
    state(made, alice, {"purchase-rate": StandsFor.NEITHER}, Terms())
    revise_experiment(made, alice, plan(MetricPlan(metric=purchase, role=MetricRole.PRIMARY)))
    assert plan_of(made).metrics[0].stands_for is StandsFor.NEITHER


# The page


def where(key: str = "new-ranker") -> str:
    return reverse("experiment_business", args=["shop", key])


def test_page__says_what_the_words_make_of_each_metric(client_of_alice, ranker):
    page = client_of_alice.get(where()).content.decode()
    assert "Leave it to its words: the business" in page
    assert "Leave it to its words: neither" in page
    assert "latency" not in page.lower()


def test_page__saved__is_kept_and_the_result_read_anew(client_of_alice, ranker):
    posted = {"stands_for-reading-time": "proxy", "monthly_cost": "1200.50", "monthly_units": "", "value_of_one": "12"}
    response = client_of_alice.post(where(), posted)
    assert response.url == reverse("experiment_results", args=["shop", "new-ranker"])
    ranker.refresh_from_db()
    assert (ranker.monthly_cost, ranker.monthly_units, ranker.value_of_one) == (120_050, None, 1_200)
    assert said(ranker)["reading-time"] == "proxy"
    assert RefreshRun.objects.get().experiment == ranker


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"monthly_cost": "much"}, "Enter a number"),
        ({"monthly_cost": "99999999999999.99"}, "no more than 15 digits"),
        ({"monthly_units": "0"}, "greater than or equal to 1"),
        ({"stands_for-reading-time": "gold"}, "not one of the available choices"),
    ],
)
def test_page__a_wrong_field__is_refused(client_of_alice, ranker, changes, message: str):
    response = client_of_alice.post(where(), {"monthly_cost": "", **changes})
    assert response.status_code == 400
    assert message in response.content.decode()
    assert not AuditEntry.objects.exists()


def test_page__strangers_get_404_and_viewers_may_not_write(client_of_bob, client_of_charlie, ranker):
    assert [client.get(where()).status_code for client in (client_of_bob, client_of_charlie)] == [403, 404]

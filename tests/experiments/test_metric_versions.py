"""A metric's definition has versions: drafts follow the newest, what has started keeps its own."""

from dataclasses import replace

import pytest

from experiments import lifecycle, metrics
from experiments.domain.definitions import Definition
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind
from experiments.metric_versions import DefinitionError, MetricError, revise_metric, use_version, version_of
from experiments.metrics import MetricWords
from experiments.models import AuditEntry, ExperimentMetric, Metric, MetricVersion
from experiments.refusals import ChangedMeanwhileError
from tests import builders

pytestmark = pytest.mark.django_db
WIDER = Definition(kind=MetricKind.PROPORTION, event="Order Completed", window_hours=168)


@pytest.fixture
def alice():
    return builders.user("alice@example.com")


@pytest.fixture
def metric(alice) -> Metric:
    home = builders.project(owner=alice)
    made = Metric(key="purchase-rate", name="Purchase rate", kind="proportion", event="Order Completed",
                  direction="increase", display_unit="percent")  # fmt: skip
    return metrics.add_metric(home, alice, made)


def actions():
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def words(**changes):
    whole = {"name": "Purchase rate", "description": "", "direction": Direction.INCREASE,
             "display_unit": DisplayUnit.PERCENT, "owner": None}  # fmt: skip
    return MetricWords(**{**whole, **changes})


def test_add_metric__a_new_one__has_a_first_version_and_an_owner(metric, alice):
    first = MetricVersion.objects.get(metric=metric)
    assert (first.number, first.created_by, metric.owner) == (1, alice, alice)
    assert first.definition() == metric.definition()


def test_revise__another_definition__is_the_next_version_with_its_note(metric, alice):
    made = revise_metric(metric, alice, WIDER, "one week is enough", seen=1)
    assert (made.number, made.note, metric.version) == (2, "one week is enough", 2)
    assert metric.definition() == made.definition() == WIDER
    assert MetricVersion.objects.get(metric=metric, number=1).window_hours is None
    row = AuditEntry.objects.get(action="metric.revise")
    assert row.before["definition"] == "Share of units with an Order Completed."
    assert row.why == "one week is enough"


def test_revise__the_same_definition__makes_no_version(metric, alice):
    revise_metric(metric, alice, metric.definition(), "")
    assert (metric.version, MetricVersion.objects.count()) == (1, 1)


def test_revise__a_second_time__makes_no_second_version(metric, alice):
    for _ in range(2):
        revise_metric(metric, alice, WIDER, "one week", seen=1)
    assert MetricVersion.objects.count() == 2


def test_revise__from_a_stale_page__is_refused(metric, alice):
    revise_metric(metric, alice, WIDER, "one week", seen=1)
    with pytest.raises(ChangedMeanwhileError, match="somebody else"):
        revise_metric(metric, alice, replace(WIDER, window_hours=24), "one day", seen=1)


def test_revise__without_a_note__is_refused(metric, alice):
    with pytest.raises(MetricError, match="Say in a note"):
        revise_metric(metric, alice, WIDER, " ")


def test_revise__what_cannot_be_counted__is_refused_with_its_field(metric, alice):
    with pytest.raises(DefinitionError) as refused:
        revise_metric(metric, alice, Definition(kind=MetricKind.SUM, event="Order Completed"), "a sum")
    assert refused.value.field == "property"


def test_start__of_a_draft__fixes_the_newest_version(metric, alice):
    draft = builders.experiment(metric.project, status=Status.DRAFT, primary=metric)
    use = draft.plan.get()
    assert use.number == 1
    revise_metric(metric, alice, WIDER, "one week")
    lifecycle.start(draft, alice)
    revise_metric(metric, alice, replace(WIDER, window_hours=24), "one day")
    use = ExperimentMetric.objects.get(pk=use.pk)
    assert (use.number, use.counted.definition()) == (2, WIDER)


def test_start__of_a_metric_without_a_version_row__makes_it(alice):
    home = builders.project()
    bare = builders.metric(home)
    lifecycle.start(builders.experiment(home, status=Status.DRAFT, primary=bare), alice)
    assert ExperimentMetric.objects.get().version == version_of(bare)


def test_ship__with_a_holdback__keeps_the_version(metric, alice):
    running = builders.experiment(metric.project, status=Status.DRAFT, primary=metric)
    lifecycle.start(running, alice)
    revise_metric(metric, alice, WIDER, "one week")
    lifecycle.ship(running, running.variants.get(key="treatment"), 500, alice, "it is better")
    assert [use.number for use in ExperimentMetric.objects.all()] == [1, 1]


def test_use_version__in_a_started_experiment__is_recorded_with_both_definitions(metric, alice):
    running = builders.experiment(metric.project, status=Status.DRAFT, primary=metric)
    lifecycle.start(running, alice)
    second = revise_metric(metric, alice, WIDER, "one week")
    use = running.plan.get()
    assert use_version(use, alice, second, "the first counted too much")
    assert not use_version(use, alice, second, "again")
    assert (use.number, use.version_chosen_at is not None) == (2, True)
    row = AuditEntry.objects.get(action="experiment.metric-version")
    assert (row.subject, row.before["version"], row.after["version"]) == (f"experiment:{running.key}", 1, 2)


@pytest.mark.parametrize("why", ["", "  "])
def test_use_version__without_a_reason__is_refused(metric, alice, why):
    running = builders.experiment(metric.project, primary=metric)
    with pytest.raises(MetricError, match="Say why"):
        use_version(running.plan.get(), alice, revise_metric(metric, alice, WIDER, "one week"), why)


def test_use_version__in_a_draft_or_of_another_metric__is_refused(metric, alice):
    draft = builders.experiment(metric.project, status=Status.DRAFT, primary=metric)
    with pytest.raises(MetricError, match="is a draft"):
        use_version(draft.plan.get(), alice, version_of(metric), "so")
    running = builders.experiment(metric.project, "running", primary=metric)
    other = builders.metric(metric.project, "other")
    with pytest.raises(MetricError, match="no version of Purchase rate"):
        use_version(running.plan.get(), alice, version_of(other), "so")


def test_certify__the_newest_version__holds_until_the_next(metric, alice):
    assert metrics.certify(metric, alice, 1)
    assert not metrics.certify(metric, alice, 1)
    assert (metric.is_certified, metric.certified_by) == (True, alice)
    revise_metric(metric, alice, WIDER, "one week")
    assert (metric.is_certified, metric.certified_version) == (False, 1)
    with pytest.raises(MetricError, match="version 2 meanwhile"):
        metrics.certify(metric, alice, 1)
    assert metrics.withdraw_certificate(metric, alice)
    assert not metrics.withdraw_certificate(metric, alice)
    assert actions() == ["metric.create", "metric.certify", "metric.revise", "metric.uncertify"]


def test_archive__a_metric_in_use__is_refused_until_the_experiment_has_stopped(metric, alice):
    running = builders.experiment(metric.project, status=Status.DRAFT, primary=metric)
    with pytest.raises(MetricError, match="New ranker"):
        metrics.archive_metric(metric, alice)
    lifecycle.start(running, alice)
    lifecycle.stop(running, alice, "done")
    assert metrics.archive_metric(metric, alice)
    assert not metrics.archive_metric(metric, alice)
    assert metrics.restore_metric(metric, alice)
    assert not metrics.restore_metric(metric, alice)


def test_edit__other_words__leave_the_definition_as_it_is(metric, alice):
    assert metrics.edit_metric(metric, alice, words(name="Buyers"))
    assert not metrics.edit_metric(metric, alice, words(name="Buyers"))
    assert (metric.name, metric.version, actions()) == ("Buyers", 1, ["metric.create", "metric.edit"])


def test_edit__the_good_direction_under_a_started_experiment__needs_a_reason_and_is_told_there(metric, alice):
    running = builders.experiment(metric.project, primary=metric)
    with pytest.raises(MetricError, match="good direction turns round"):
        metrics.edit_metric(metric, alice, words(direction=Direction.DECREASE))
    assert Metric.objects.get().direction == "increase"
    metrics.edit_metric(metric, alice, words(direction=Direction.DECREASE), "it was the wrong way round")
    told = AuditEntry.objects.get(action="experiment.metric-direction")
    assert (told.subject, told.after["direction"]) == (f"experiment:{running.key}", "decrease")

"""Beginning from something: templates of the product and the project, and whole experiments."""

import pytest

from experiments import beginning, drafting, overrides, pictures
from experiments.beginning import TemplateError
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.domain.templates import BUILT_IN
from experiments.models import AuditEntry, Experiment, Prerequisite
from experiments.setup import describe, missing_for_start, plan_of
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(shop, purchase, alice):
    made = builders.experiment(
        shop, primary=purchase, allocation=5000, targeting={"country": "DE"}, hypothesis="It rises", matters=150,
        page_address="https://shop.example/",
    )  # fmt: skip
    latency = builders.metric(shop, "latency", direction="decrease", display_unit="milliseconds")
    made.plan.create(metric=latency, role=MetricRole.GUARDRAIL, margin=300, position=1)
    Prerequisite.objects.create(experiment=made, parent_key=builders.flag(shop, "base").key, value=True)
    overrides.add(made, "tester", made.variants.get(key="treatment"), alice)
    return made


def begun(shop, alice, template: str = "", key: str = "next") -> Experiment:
    return beginning.begin(shop, alice, key=key, name="Next", template=template)


@pytest.mark.parametrize("template", [one.key for one in BUILT_IN])
def test_built_in__each__makes_a_draft_that_lacks_only_its_primary_metric(shop, alice, template: str):
    made = begun(shop, alice, template)
    assert made.status == Status.DRAFT
    assert missing_for_start(made) == ["Choose a primary metric: the one that decides."]


def test_built_in__guards_what_the_project_has_where_lower_is_better(shop, alice, purchase):
    builders.metric(shop, "latency", direction="decrease", display_unit="milliseconds")
    plan = plan_of(begun(shop, alice, "ranking-model"))
    assert [(use.metric.key, use.role, use.margin) for use in plan.metrics] == [("latency", "guardrail", 500)]


def test_template__saved_from_an_experiment__gives_its_set_up_and_not_its_own_things(shop, alice, source):
    beginning.save_template(source, alice, "our-way", "Our way")
    made = begun(shop, alice, "our-way")
    same = {"hypothesis", "allocation", "planned_days", "matters", "metrics"}
    theirs, ours = describe(plan_of(source)), describe(plan_of(made))
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert (made.targeting, made.page_address) == ({"country": "DE"}, "https://shop.example/")
    assert made.salt != source.salt
    assert not made.overrides.exists()


def test_template__after_a_metric_has_gone__leaves_it_out(shop, alice, source):
    template = beginning.save_template(source, alice, "our-way", "Our way")
    template.content["metrics"][0]["metric"] = "gone"
    template.save()
    assert [use.metric.key for use in plan_of(begun(shop, alice, "our-way")).metrics] == ["latency"]


def test_template__sent_twice__is_kept_once_and_another_under_its_key_is_refused(shop, alice, source):
    first = beginning.save_template(source, alice, "our-way", "Our way")
    assert beginning.save_template(source, alice, "our-way", "Our way") == first
    with pytest.raises(TemplateError, match="already used by a template of this project"):
        beginning.save_template(source, alice, "our-way", "Another")
    with pytest.raises(TemplateError, match="template of the product"):
        beginning.save_template(source, alice, "pricing", "Ours")
    assert [beginning.remove_template(first, alice) for _ in range(2)] == [True, False]
    entries = AuditEntry.objects.filter(subject="template:our-way").order_by("pk")
    assert list(entries.values_list("action", flat=True)) == ["template.create", "template.remove"]


def test_begin__from_a_template_that_is_not_there__is_refused(shop, alice):
    with pytest.raises(TemplateError, match="no template 'mine'"):
        begun(shop, alice, "mine")


def test_begin__sent_twice__is_created_once(shop, alice, source):
    beginning.save_template(source, alice, "our-way", "Our way")
    assert begun(shop, alice, "our-way") == begun(shop, alice, "our-way")


def test_duplicate__of_a_running_experiment__is_a_draft_with_all_but_its_places_and_people(shop, alice, source):
    pictures.attach(source, "control", pictures.Picture(content=b"x", width=1, height=1), alice)
    made = beginning.duplicate(source, alice)
    theirs, ours = describe(plan_of(source)), describe(plan_of(made))
    assert {**ours, "key": "", "name": ""} == {**theirs, "key": "", "name": ""}
    assert (made.key, made.name, made.status) == ("new-ranker-copy", "New ranker (copy)", Status.DRAFT)
    assert (made.targeting, made.salt != source.salt, made.layer) == ({"country": "DE"}, True, None)
    assert made.prerequisites.get().parent_key == "base"
    assert made.screenshots.get().variant_key == "control"
    assert not made.overrides.exists()
    assert beginning.duplicate(source, alice).key == "new-ranker-copy-2"


def test_duplicate__of_a_follow_up__is_refused(shop, alice, source):
    held = builders.experiment(shop, "held", kind=ExperimentKind.HOLDBACK, parent=source)
    with pytest.raises(TemplateError, match="follows from another"):
        beginning.duplicate(held, alice)


def test_usual_guardrails__are_the_most_named_with_their_newest_margin(shop, source, purchase):
    latency = shop.metrics.get(key="latency")
    for number, margin in enumerate((100, 200)):
        other = builders.experiment(shop, f"other-{number}")
        other.plan.create(metric=latency, role=MetricRole.GUARDRAIL, margin=margin)
    rare = builders.metric(shop, "rare")
    source.plan.create(metric=rare, role=MetricRole.GUARDRAIL, margin=50, position=2)
    found = beginning.usual_guardrails(shop, besides=[purchase.pk])
    assert [(use.metric.key, use.margin) for use in found] == [("latency", 200), ("rare", 50)]


def test_owner__is_a_member__and_the_same_again_changes_nothing(shop, alice, source):
    with pytest.raises(drafting.DraftError, match="no member"):
        drafting.set_owner(source, alice, builders.user("stranger@example.com"))
    assert [drafting.set_owner(source, alice, alice) for _ in range(2)] == [True, False]
    assert AuditEntry.objects.filter(action="experiment.owner").count() == 1


@pytest.mark.parametrize("address", ["shop.example", "javascript:alert(1)", "https://" + "x" * 500])
def test_page_address__that_cannot_be_linked_to__is_refused(source, alice, address: str):
    with pytest.raises(drafting.DraftError):
        drafting.set_page_address(source, alice, address)

"""What people do in the set-up, and what units get before and after: nobody moves but by a declared new phase."""

import itertools
import json
from collections.abc import Callable
from types import SimpleNamespace

import psycopg
import pytest

from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.publish import read_content
from experiments import audience, holdouts, layers, lifecycle, overrides, prerequisites, rules, segments
from experiments.audience import audience_of
from experiments.domain.kinds import RuleKind, SegmentKind, ValueType
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project
from experiments.segments import SegmentPlan
from tests import builders

UNITS = [f"shopper-{number}" for number in range(1_500)]
Split = dict[str, str]


@pytest.fixture
def split(conninfo) -> Callable[..., Split]:
    """Return what each unit gets now, in production; ``None`` stands for who is in no experiment."""

    def now(key: str = "new-ranker", *, assigned: bool = False, **attributes: object) -> Split:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            (project,) = read_content(connection).projects
        served = project.environments["production"]
        features = {name: json.loads(bytes(raw)) for name, raw in served.features.items()}
        groups = json.loads(bytes(served.saved_groups))
        answers = {
            unit: evaluate_feature(
                Context(attributes={"id": unit, **attributes}, features=features, saved_groups=groups), key
            )
            for unit in UNITS
        }
        return {unit: one.value for unit, one in answers.items() if not assigned or one.source == "experiment"}

    return now


@pytest.fixture(autouse=True)
def same_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Split alike at every run: the salt number is what the random bytes would be."""
    numbers = itertools.count(1)
    monkeypatch.setattr("experiments.models.salt.secrets", SimpleNamespace(token_hex=lambda _: f"salt {next(numbers)}"))


@pytest.fixture
def home(conninfo) -> Project:
    return builders.project("shop")


def running(home: Project, key: str = "new-ranker", **fields) -> Experiment:
    fields.setdefault("primary", builders.metric(home, f"metric-of-{key}"))
    draft = builders.experiment(home, key, status=Status.DRAFT, **fields)
    lifecycle.start(draft, None)
    return draft


def is_within(before: Split, after: Split) -> bool:
    return before.items() <= after.items()


def test_traffic__grows__and_moves_nobody(home, split):
    experiment = running(home, allocation=1000)
    first = split(assigned=True)
    for share in (2500, 6000, 10_000):
        lifecycle.grow_traffic(experiment, None, share)
        then = split(assigned=True)
        assert is_within(first, then)
        assert len(then) > len(first)
        first = then
    assert len(first) == len(UNITS)


def test_layer__one_grows_and_another_joins__moves_nobody(home, split):
    layer = builders.a_layer(home)
    metric = builders.metric(home)
    for key in ("a", "b"):
        draft = builders.experiment(home, key, status=Status.DRAFT, primary=metric)
        layers.join(draft, layer, 2000, None)
        lifecycle.start(draft, None)
    before = {key: split(key, assigned=True) for key in "ab"}
    layers.grow(Experiment.objects.get(key="a"), 6000, None)
    after = {key: split(key, assigned=True) for key in "ab"}
    assert is_within(before["a"], after["a"])
    assert before["b"] == after["b"]
    assert not set(after["a"]) & set(after["b"])


def test_pause__everyone_has_the_control__and_resume_gives_each_its_own_again(home, split):
    experiment = running(home)
    before = split()
    lifecycle.pause(experiment, None, "Look")
    assert set(split().values()) == {"control"}
    lifecycle.resume(experiment, None)
    assert split() == before


def test_new_phase__deals_anew__independently_of_the_old(home, split):
    experiment = running(home)
    before = split()
    lifecycle.new_phase(experiment, None, "Broken")
    stayed = sum(before[unit] == value for unit, value in split().items())
    # Half of 1,500 units ± 5 standard deviations of 19.4.
    assert 653 < stayed < 847


def test_ship__with_a_holdback__takes_the_variant_from_nobody(home, split):
    experiment = running(home, allocation=6000)
    before = split()
    lifecycle.ship(experiment, experiment.variants.get(position=1), 1000, None, "Better")
    after = split()
    held_back = {unit for unit, value in after.items() if value == "control"}
    assert {unit for unit, value in before.items() if value == "treatment"}.isdisjoint(held_back)
    assert 80 < len(held_back) < 220
    (follow_up,) = experiment.follow_ups.all()
    lifecycle.stop(follow_up, None, "It lasts")
    assert set(split().values()) == {"treatment"}


def test_ship__withdrawn__gives_everyone_the_control(home, split):
    experiment = running(home)
    lifecycle.ship(experiment, experiment.variants.get(position=1), 500, None, "Better")
    lifecycle.withdraw(experiment, None, "Worse, after all")
    assert set(split().values()) == {"control"}


def test_holdout__begins__moves_nobody_of_what_runs_and_keeps_out_of_what_comes(home, split):
    running(home)
    before = split()
    holdouts.start(home, None, 1000, [builders.metric(home)])
    assert split() == before
    running(home, "later")
    held_out = set(UNITS) - set(split("later", assigned=True))
    assert 90 < len(held_out) < 210


def test_targeting__widened__moves_nobody(home, split):
    experiment = running(home, targeting={"country": "SE"})
    before = split(country="SE")
    assert set(split(country="NO").values()) == {"control"}
    wider = {"$or": [{"country": "SE"}, {"country": "NO"}]}
    wanted = audience.Audience(targeting=wider, environments=audience_of(experiment).environments)
    audience.set_audience(experiment, None, wanted)
    assert split(country="SE") == before
    assert split(country="NO") == before


def test_segment__a_value_added__lets_one_in_and_moves_nobody(home, split):
    plan = SegmentPlan(key="beta", name="Beta", kind=SegmentKind.LIST, unit_attribute="id", values=tuple(UNITS[:700]))
    beta = segments.create_segment(home, None, plan)
    running(home, targeting={"$segment": "beta"})
    before = split(assigned=True)
    assert set(before) == set(UNITS[:700])
    wider = SegmentPlan(key="beta", name="Beta", kind=SegmentKind.LIST, unit_attribute="id", values=tuple(UNITS[:701]))
    segments.edit_segment(beta, None, wider)
    after = split(assigned=True)
    assert is_within(before, after)
    assert set(after) - set(before) == {UNITS[700]}


def test_override__one_unit__sees_what_it_was_given_and_nobody_else_moves(home, split):
    experiment = running(home)
    before = split()
    other = {"control": "treatment", "treatment": "control"}[before[UNITS[0]]]
    override = overrides.add(experiment, UNITS[0], experiment.variants.get(key=other), None)
    assert split() == before | {UNITS[0]: other}
    assert UNITS[0] not in split(assigned=True)
    overrides.remove(override, None)
    assert split() == before


def test_prerequisite__not_met__gives_the_control(home, split):
    flag = builders.a_flag(home, "new-shop", value_type=ValueType.STRING, default_value="old")
    draft = builders.experiment(home, status=Status.DRAFT, primary=builders.metric(home))
    prerequisites.set_prerequisites(draft, None, {"new-shop": "new"})
    lifecycle.start(draft, None)
    assert set(split().values()) == {"control"}
    rules.add_rule(flag, None, rules.RulePlan(kind=RuleKind.ROLLOUT, value="new", share=5000))
    assert 600 < len(split(assigned=True)) < 900


def test_flag__a_rollout_that_grows__takes_its_value_from_nobody(home, split):
    flag = builders.a_flag(home, "banner", value_type=ValueType.STRING, default_value="off")
    rule = rules.add_rule(flag, None, rules.RulePlan(kind=RuleKind.ROLLOUT, value="on", share=1000))
    had: set[str] = set()
    for share in (1000, 4000, 10_000):
        rules.edit_rule(rule, None, rules.RulePlan(kind=RuleKind.ROLLOUT, value="on", share=share))
        has = {unit for unit, value in split("banner").items() if value == "on"}
        assert had < has
        had = has
    assert had == set(UNITS)

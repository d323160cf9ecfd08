import itertools
from datetime import timedelta

import pytest

from experiments.domain.conclusions import Choice, ConclusionState, Recommendation
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.looking import ReadingPlan
from experiments.domain.stages import Facts, Stage, place
from experiments.models import Conclusion, Experiment
from experiments.staging import place_of, staged
from tests import builders

NOW = builders.T0 + timedelta(days=20)


def conclusion(of: Experiment, state: ConclusionState, decision: Choice = Choice.ITERATE) -> Conclusion:
    return Conclusion.objects.create(experiment=of, state=state, decision=decision, reason="So.", learned="Much.")


def populate(shop) -> None:
    """One experiment for each combination of what decides the stage."""
    combinations = itertools.product(
        (Status.DRAFT, Status.RUNNING, Status.PAUSED, Status.STOPPED),
        (ReadingPlan.FIXED, ReadingPlan.ALWAYS_VALID),
        (14, 30),
        (None, Recommendation.SHIP, Recommendation.TOO_EARLY, Recommendation.NOT_TRUSTWORTHY),
        (None, ConclusionState.MADE, ConclusionState.REQUESTED, ConclusionState.DECLINED),
    )
    for number, (status, reading, days, said, decided) in enumerate(combinations):
        made = builders.experiment(
            shop, f"e{number}", status=status, reading=reading, planned_days=days, planned_units=1000
        )
        if said is not None:
            builders.standing(made, recommendation=said, trustworthy=said is not Recommendation.NOT_TRUSTWORTHY)
        if decided is not None:
            conclusion(made, decided)
    moved = builders.experiment(shop, "new-phase", planned_days=14, phase_started_at=NOW - timedelta(days=2))
    builders.standing(moved, recommendation=Recommendation.TOO_EARLY)
    builders.a_holdout(shop, planned_days=5)
    shipped = builders.experiment(shop, "shipped", status=Status.STOPPED)
    builders.standing(shipped)
    Experiment.objects.filter(pk=shipped.pk).update(shipped_variant=shipped.variants.last(), shipped_at=NOW)
    builders.experiment(shop, "shipped-holdback", kind=ExperimentKind.HOLDBACK, parent=shipped, planned_days=5)


def test_staged__in_the_database__agrees_with_the_table_for_every_combination(shop):
    populate(shop)
    found = staged(Experiment.objects.select_related("standing"), NOW)
    assert {one.stage for one in found} == {stage.value for stage in Stage}
    for one in found:
        assert one.stage == place_of(one, NOW).stage, (one.key, one.status, one.reading, one.planned_days)


def test_staged__any_number__is_one_query(shop, django_assert_num_queries):
    populate(shop)
    with django_assert_num_queries(1):
        assert len(staged(Experiment.objects.select_related("standing"), NOW)) > 100


@pytest.mark.parametrize("kind", [ExperimentKind.HOLDOUT, ExperimentKind.HOLDBACK])
def test_place__what_measures_on__is_never_up_for_review(kind: ExperimentKind):
    facts = Facts(status=Status.RUNNING, kind=kind, day=99, recommendation="ship", trustworthy=True)
    assert place(facts).stage is Stage.RUNNING
    assert "measures on" in place(facts).why


def test_place__a_shipped_variant_without_written_words__is_concluded():
    facts = Facts(status=Status.STOPPED, recommendation="ship", trustworthy=True, is_shipped=True)
    assert place(facts).stage is Stage.CONCLUDED

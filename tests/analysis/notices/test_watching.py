from datetime import timedelta

import pytest
from msgspec import structs

from analysis.models import Alert, Occurrence
from analysis.notices.watching import watch
from analysis.results.schema import Results
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders
from tests.analysis.notices.test_noticing import read
from tests.builders import T0


def alarmed(of: Experiment, p: float = 0.0001) -> Results:
    made = builders.results(of)
    clicks, latency, revenue = made.metrics
    one = structs.replace(latency.comparisons[0], watch_p_value=p, watch_alpha=0.01)
    return structs.replace(made, metrics=[clicks, structs.replace(latency, comparisons=[one]), revenue])


def test_watch__a_broken_split__rings_once_and_ends_when_it_is_mended(ranker):
    read(ranker, broken(ranker))
    assert [watch(T0), watch(T0)] == [1, 0]
    alert = Alert.objects.get()
    assert (alert.kind, alert.severity, alert.experiment) == ("broken-split", "urgent", ranker)
    assert alert.sentence.startswith("Traffic split 51.1 / 48.9")
    assert Occurrence.objects.count() == 1
    read(ranker)
    watch(T0 + timedelta(hours=1))
    alert.refresh_from_db()
    assert alert.closed_because == "The split is as designed."


def broken(of: Experiment) -> Results:
    made = builders.broken_results(of)
    check = structs.replace(made.health.checks[0], key="traffic-split")
    return structs.replace(made, health=structs.replace(made.health, checks=[check]))


def test_watch__a_guardrails_alarm__rings_and_stays_while_the_experiment_runs(ranker):
    read(ranker, alarmed(ranker))
    watch(T0)
    alert = Alert.objects.get()
    assert alert.sentence == "Page latency is +4.6% with Treatment, beyond its limit of +2.0%."
    read(ranker, alarmed(ranker, p=0.02))
    watch(T0)
    assert Alert.objects.filter(closed_at=None).exists()
    Experiment.objects.update(status=Status.STOPPED.value, stopped_at=T0)
    watch(T0)
    alert.refresh_from_db()
    assert alert.closed_because == "The experiment has ended."


@pytest.mark.parametrize("p", [0.01, 0.5])
def test_watch__within_the_alarms_risk__does_not_ring(ranker, p: float):
    read(ranker, alarmed(ranker, p=p))
    watch(T0)
    assert not Alert.objects.exists()


def test_watch__a_peek_that_crosses_the_fixed_limit__does_not_ring(ranker):
    # The builders' latency is "Worse" and beyond its margin at one look; the alarm has its own, always-valid test.
    read(ranker)
    watch(T0)
    assert not Alert.objects.exists()


def test_watch__guardrails_of_a_broken_split__say_nothing(ranker):
    read(ranker, structs.replace(alarmed(ranker), health=broken(ranker).health))
    watch(T0)
    assert set(Alert.objects.values_list("kind", flat=True)) == {"broken-split"}


def test_watch__a_result_that_cannot_be_read__keeps_none_back(ranker, shop, caplog):
    other = builders.experiment(shop, "other")
    read(ranker)
    from analysis.models import ResultSnapshot

    ResultSnapshot.objects.create(experiment=ranker, as_of=T0, engine_version="1", payload={"schema": 0})
    read(other, broken(other))
    assert watch(T0) == 1
    assert "cannot be watched" in caplog.text

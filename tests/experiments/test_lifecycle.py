import threading

import pytest
from django.db import connection

from experiments import lifecycle
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment
from tests import builders


@pytest.fixture
def draft(shop, purchase) -> Experiment:
    return builders.experiment(shop, status=Status.DRAFT, primary=purchase)


def test_start__a_draft__runs_from_now_with_an_audit_row(draft, alice):
    assert lifecycle.start(draft, alice)
    assert draft.status == Status.RUNNING
    row = AuditEntry.objects.get()
    assert (row.action, row.before, row.user) == ("experiment.start", {"status": "draft"}, alice)
    assert row.after["started_at"] == draft.started_at.isoformat()


def test_start__twice__starts_once(draft, alice):
    lifecycle.start(draft, alice)
    began = draft.started_at
    assert not lifecycle.start(draft, alice)
    assert draft.started_at == began
    assert AuditEntry.objects.count() == 1


def test_start__without_a_primary_metric__is_refused(shop, alice):
    bare = builders.experiment(shop, status=Status.DRAFT)
    with pytest.raises(lifecycle.NotReadyError, match="Choose a primary metric"):
        lifecycle.start(bare, alice)
    bare.refresh_from_db()
    assert bare.status == Status.DRAFT


def test_stop__a_running_experiment__records_why(shop, alice, purchase):
    running = builders.experiment(shop, primary=purchase)
    assert lifecycle.stop(running, alice, "Checkout broke")
    assert running.status == Status.STOPPED
    assert AuditEntry.objects.get().why == "Checkout broke"


def test_stop__a_draft__changes_nothing(draft, alice):
    assert not lifecycle.stop(draft, alice, "Because")
    assert draft.status == Status.DRAFT
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_start__from_eight_threads_at_once__starts_once():
    person = builders.user()
    home = builders.project()
    draft = builders.experiment(home, status=Status.DRAFT, primary=builders.metric(home))
    ready, outcomes = threading.Barrier(8), []

    def click() -> None:
        mine = Experiment.objects.select_related("project").get(pk=draft.pk)
        ready.wait()
        outcomes.append(lifecycle.start(mine, person))
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]
    assert AuditEntry.objects.count() == 1

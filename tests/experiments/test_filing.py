import pytest
from django.db import IntegrityError, transaction

from experiments import filing, layers, lifecycle
from experiments.domain.lifecycle import Status
from experiments.filing import FilingError
from experiments.models import AuditEntry, Experiment
from tests import builders


def actions(shop) -> list[str]:
    return list(AuditEntry.objects.filter(project=shop).order_by("pk").values_list("action", flat=True))


def test_set_tags__keeps_each_once_in_order_and_says_so_in_the_history(shop, alice):
    ranker = builders.experiment(shop)
    assert filing.set_tags(ranker, ["search", "price", "search"], alice)
    assert ranker.tags == ["price", "search"]
    assert not filing.set_tags(ranker, ["search", "price"], alice)
    assert actions(shop) == ["experiment.tags"]
    assert filing.tags_of(shop) == ["price", "search"]


def test_set_tags__too_many_or_too_long__is_refused(shop, alice):
    ranker = builders.experiment(shop)
    with pytest.raises(FilingError, match="11 tags; 10 are allowed"):
        filing.set_tags(ranker, [f"t{i}" for i in range(11)], alice)
    with pytest.raises(FilingError, match="longer than 40"):
        filing.set_tags(ranker, ["x" * 41], alice)
    assert actions(shop) == []


def test_add_tags__of_several__keeps_what_each_had_and_is_all_or_nothing(shop, alice):
    one, full = builders.experiment(shop, "one", tags=["old"]), builders.experiment(shop, "full")
    assert filing.add_tags([one, full], ["new"], alice) == 2
    assert one.tags == ["new", "old"]
    filing.set_tags(full, [f"t{i}" for i in range(10)], alice)
    with pytest.raises(FilingError):
        filing.add_tags([one, full], ["more"], alice)
    assert "more" not in Experiment.objects.get(pk=one.pk).tags


def test_archive__a_draft__gives_back_its_place_and_cannot_start_until_it_is_restored(shop, alice, purchase):
    draft = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    layer = builders.a_layer(shop)
    layers.join(draft, layer, 5000, alice)
    assert filing.archive(draft, alice)
    assert not filing.archive(draft, alice)
    assert layers.free_share(layer) == 10_000
    with pytest.raises(lifecycle.NotReadyError, match="archived; restore it first"):
        lifecycle.start(draft, alice)
    assert filing.restore(draft, alice)
    assert not filing.restore(draft, alice)
    assert lifecycle.start(draft, alice)
    assert [one for one in actions(shop) if "archive" in one or "restore" in one] == [
        "experiment.archive",
        "experiment.restore",
    ]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_archive__what_reaches_people__is_refused_also_by_the_database(shop, alice, status: Status):
    live = builders.experiment(shop, status=status)
    with pytest.raises(FilingError, match="Stop it first"):
        filing.archive(live, alice)
    with pytest.raises(IntegrityError, match="only_what_does_not_run"), transaction.atomic():
        Experiment.objects.filter(pk=live.pk).update(archived_at=builders.T0)

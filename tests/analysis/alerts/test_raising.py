import threading
from datetime import timedelta

import pytest
from django.db import connections

from analysis.alerts import answering
from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.listing import asking, listed
from analysis.alerts.raising import SAME_EPISODE, close_alert, close_others, raise_alert
from analysis.models import Alert
from experiments.models import AuditEntry
from tests import builders
from tests.builders import T0

SPLIT = AlertKind.BROKEN_SPLIT


def test_raise__the_same_thing_again__keeps_one_open_alert_with_the_newest_words(shop):
    first = builders.alert(shop, sentence="48.9% got the treatment.")
    again = raise_alert(shop, SPLIT, "new-ranker", "48.1% got the treatment.", now=T0 + timedelta(hours=1))
    assert (first.is_news, again.is_news) == (True, False)
    only = Alert.objects.get()
    assert (only.sentence, only.opened_at, only.seen_at) == ("48.1% got the treatment.", T0, T0 + timedelta(hours=1))


def test_raise__another_kind_or_key_or_project__is_another_alert(shop):
    builders.alert(shop)
    raise_alert(shop, SPLIT, "old-ranker", "Broken.")
    raise_alert(shop, AlertKind.DATA_STOPPED, "new-ranker", "Stopped.")
    raise_alert(builders.project("elsewhere"), SPLIT, "new-ranker", "Broken.")
    assert Alert.objects.count() == 4


def test_raise__back_within_the_episode__is_the_same_alert_and_no_news(shop):
    builders.alert(shop)
    close_alert(shop, SPLIT, "new-ranker", because="As designed again.", now=T0 + timedelta(hours=1))
    back = raise_alert(shop, SPLIT, "new-ranker", "Broken.", now=T0 + timedelta(hours=1) + SAME_EPISODE / 2)
    assert not back.is_news
    only = Alert.objects.get()
    assert (only.closed_at, only.closed_because, only.reopened, only.opened_at) == (None, "", 1, T0)


def test_raise__back_after_the_episode__is_news(shop):
    builders.alert(shop)
    close_alert(shop, SPLIT, "new-ranker", now=T0)
    assert raise_alert(shop, SPLIT, "new-ranker", "Broken.", now=T0 + SAME_EPISODE).is_news
    assert Alert.objects.count() == 2


def test_raise__more_severe_than_what_was_taken_on__asks_again(shop, alice):
    made = builders.alert(shop).alert
    answering.acknowledge(made, alice, "I look.", T0)
    assert list(asking(shop, T0)) == []
    assert raise_alert(shop, SPLIT, "new-ranker", "Worse.", severity=Severity.URGENT, now=T0).is_news
    assert [one.acknowledged_at for one in asking(shop, T0)] == [None]


def test_raise__no_more_severe__leaves_it_with_whoever_took_it_on(shop, alice):
    answering.acknowledge(builders.alert(shop).alert, alice, "", T0)
    builders.alert(shop)
    assert list(asking(shop, T0)) == []


def test_raise__words_longer_than_their_columns__are_cut_and_not_lost(shop):
    made = raise_alert(shop, SPLIT, "k" * 500, "s" * 900, what_to_do="w" * 900).alert
    assert (len(made.key), len(made.sentence), len(made.what_to_do)) == (200, 300, 500)
    assert close_alert(shop, SPLIT, "k" * 500)


def test_close__twice__does_it_once(shop):
    builders.alert(shop)
    assert [close_alert(shop, SPLIT, "new-ranker"), close_alert(shop, SPLIT, "new-ranker")] == [True, False]


def test_close_others__leaves_what_is_still_wrong_and_other_experiments(shop, ranker):
    other = builders.experiment(shop, "other")
    for key, of in (("a", ranker), ("b", ranker), ("c", other)):
        builders.alert(shop, key=key, experiment=of)
    assert close_others(shop, SPLIT, {"a"}, experiment=ranker) == 1
    assert set(Alert.objects.filter(closed_at=None).values_list("key", flat=True)) == {"a", "c"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("closed_before", [False, True])
def test_raise__two_workers_at_once__open_one_and_one_of_them_has_news_at_most(closed_before: bool):
    home = builders.project("shop")
    if closed_before:
        builders.alert(home)
        close_alert(home, SPLIT, "new-ranker", now=T0)
    start, news = threading.Barrier(4), []

    def work() -> None:
        start.wait()
        news.append(raise_alert(home, SPLIT, "new-ranker", "Broken.", now=T0 + timedelta(minutes=1)).is_news)
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Alert.objects.count() == 1
    assert sorted(news) == ([False] * 4 if closed_before else [False, False, False, True])


def test_mute__holds_for_the_thing_also_when_it_comes_back_and_ends(shop, alice):
    made = builders.alert(shop).alert
    answering.mute(made, alice, T0 + timedelta(days=7), "known", T0)
    close_alert(shop, SPLIT, "new-ranker", now=T0)
    raise_alert(shop, SPLIT, "new-ranker", "Broken.", now=T0 + timedelta(days=2))
    assert list(asking(shop, T0 + timedelta(days=3))) == []
    assert [one.key for one in listed(shop, T0 + timedelta(days=3)).muted] == ["new-ranker"]
    assert [one.key for one in asking(shop, T0 + timedelta(days=7))] == ["new-ranker"]


def test_answers__are_audited_once(shop, ranker, alice):
    made = builders.alert(shop, experiment=ranker).alert
    for _ in range(2):
        answering.acknowledge(made, alice, "I look.", T0)
    for _ in range(2):
        answering.hand_back(made, alice, "")
    answering.mute(made, alice, None, "known", T0)
    for _ in range(2):
        answering.unmute(made, alice)
    rows = AuditEntry.objects.order_by("pk").values_list("action", "subject", "user__email")
    assert list(rows) == [
        (f"alert.{action}", "experiment:new-ranker", alice.email)
        for action in ("acknowledge", "hand_back", "mute", "unmute")
    ]


def test_listed__the_most_severe_comes_first_and_old_endings_are_left_out(shop):
    for key, severity in (("a", Severity.NOTE), ("b", Severity.URGENT), ("c", Severity.WARNING)):
        builders.alert(shop, key=key, severity=severity)
    builders.alert(shop, key="old")
    close_alert(shop, SPLIT, "old", now=T0)
    assert [one.key for one in listed(shop, T0).asking] == ["b", "c", "a"]
    assert [one.key for one in listed(shop, T0 + timedelta(days=13)).over] == ["old"]
    assert listed(shop, T0 + timedelta(days=15)).over == []

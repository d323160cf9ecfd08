from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from analysis.alerts import answering
from analysis.alerts.kinds import AlertKind
from analysis.alerts.raising import close_alert
from analysis.models import Alert, AlertMute
from tests import builders

ACTIONS = ("alert_acknowledge", "alert_hand_back", "alert_mute", "alert_unmute")


@pytest.fixture
def broken(shop, ranker) -> Alert:
    return builders.alert(shop, experiment=ranker, what_to_do="Find the redirect.", now=timezone.now()).alert


def listing() -> str:
    return reverse("alert_list", args=["shop"])


def do(client, name: str, alert: Alert, **fields: str):
    return client.post(reverse(name, args=["shop", alert.pk]), fields, follow=True)


def test_list__says_what_is_wrong_and_what_to_do(client_of_bob, broken):
    page = client_of_bob.get(listing()).content.decode()
    assert broken.sentence in page
    assert "Find the redirect." in page
    assert "I take it on" not in page  # a viewer looks


def test_list__without_alerts__says_that_all_is_quiet(client_of_alice, shop):
    assert "All quiet" in client_of_alice.get(listing()).content.decode()


def test_acknowledge__moves_it_and_says_who(client_of_alice, broken):
    page = do(client_of_alice, "alert_acknowledge", broken, why="Looking.").content.decode()
    assert "Taken on" in page
    assert "alice@example.com" in page
    assert "Looking." in page
    assert "taken it on already" in do(client_of_alice, "alert_acknowledge", broken).content.decode()


def test_hand_back__asks_again(client_of_alice, alice, broken):
    answering.acknowledge(broken, alice, "", timezone.now())
    assert "Somebody should look" in do(client_of_alice, "alert_hand_back", broken).content.decode()


@pytest.mark.parametrize(("days", "ends"), [("7", True), ("0", False)])
def test_mute__for_a_while_or_for_good(client_of_alice, broken, days: str, ends: bool):
    page = do(client_of_alice, "alert_mute", broken, days=days).content.decode()
    assert "Hear it again" in page
    assert (AlertMute.objects.get().until is not None) is ends
    do(client_of_alice, "alert_unmute", broken)
    assert not AlertMute.objects.exists()


def test_mute__for_an_unknown_time__is_refused(client_of_alice, broken):
    assert "choose for how long" in do(client_of_alice, "alert_mute", broken, days="99").content.decode()
    assert not AlertMute.objects.exists()


def test_closed__is_listed_as_over(client_of_alice, shop, broken):
    close_alert(shop, AlertKind.BROKEN_SPLIT, "new-ranker", because="As designed again")
    page = client_of_alice.get(listing()).content.decode()
    assert "Over in the last two weeks" in page
    assert "As designed again." in page


def test_part__shows_what_asks_and_is_empty_when_nothing_does(client_of_bob, ranker, broken):
    for address in (reverse("alerts_asking", args=["shop"]), reverse("experiment_alerts", args=["shop", ranker.key])):
        assert broken.sentence in client_of_bob.get(address).content.decode()
    Alert.objects.update(closed_at=timezone.now() + timedelta(0))
    assert client_of_bob.get(reverse("alerts_asking", args=["shop"])).content.strip() == b""


def test_every_page__for_a_stranger__is_not_there(client_of_charlie, ranker, broken):
    for address in (
        listing(),
        reverse("alerts_asking", args=["shop"]),
        reverse("experiment_alerts", args=["shop", "new-ranker"]),
    ):
        assert client_of_charlie.get(address).status_code == 404
    for name in ACTIONS:
        assert client_of_charlie.post(reverse(name, args=["shop", broken.pk])).status_code == 404


def test_every_action__by_a_viewer__is_refused(client_of_bob, broken):
    for name in ACTIONS:
        assert client_of_bob.post(reverse(name, args=["shop", broken.pk])).status_code == 403


def test_action__on_another_projects_alert__is_not_there(client_of_alice):
    elsewhere = builders.alert(builders.project("elsewhere")).alert
    assert client_of_alice.post(reverse("alert_acknowledge", args=["shop", elsewhere.pk])).status_code == 404


def test_list__queries__do_not_grow_with_alerts(client_of_alice, shop, ranker, django_assert_max_num_queries):
    for number in range(8):
        builders.alert(shop, key=f"k{number}", experiment=ranker)
    client_of_alice.get(listing())
    with django_assert_max_num_queries(7):
        client_of_alice.get(listing())

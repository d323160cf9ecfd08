from datetime import UTC, datetime, timedelta

import pytest

from analysis.alerts import answering
from analysis.alerts.kinds import AlertKind
from analysis.models import Alert, Recipient
from analysis.notices import preferences
from analysis.notices.addressing import GATHER, address_new
from analysis.notices.kinds import Channel, OccurrenceKind
from experiments.models import Experiment, Membership
from tests import builders
from tests.analysis.notices.conftest import happened, reader, urgent, waiting, webhook
from tests.builders import T0


@pytest.fixture
def owned(ranker, alice) -> Experiment:
    ranker.owner = alice
    ranker.save()
    return ranker


def heard() -> set[str]:
    return {one.recipient.email if one.recipient else one.webhook.name for one in waiting()}


def test_address__the_owner_and_followers_hear_once(owned, shop):
    reader(shop, "ada@example.com")
    preferences.follow(shop, "bob@example.com", owned, None)
    preferences.follow(shop, "alice@example.com", owned, None)
    preferences.follow(shop, "other@example.com", builders.experiment(shop, "other"), None)
    happened(owned)
    assert [address_new(T0), address_new(T0)] == [3, 0]
    assert heard() == {"ada@example.com", "bob@example.com", "alice@example.com"}


def test_address__without_an_owner__whoever_created_it_hears(ranker, alice):
    Experiment.objects.update(created_by=alice)
    happened(ranker)
    address_new(T0)
    assert heard() == {"alice@example.com"}


def test_address__an_owner_who_left_the_project__hears_nothing(owned):
    Membership.objects.all().delete()
    happened(owned)
    assert address_new(T0) == 0


def test_address__what_was_said_of_the_experiment_counts_before_what_was_said_of_everything(owned, shop):
    reader(shop, "ada@example.com")
    preferences.mute(shop, "ada@example.com", owned, None)
    preferences.mute(shop, "bob@example.com", None, None)
    preferences.follow(shop, "bob@example.com", owned, None)
    preferences.mute(shop, "alice@example.com", owned, None)
    happened(owned)
    address_new(T0)
    assert heard() == {"bob@example.com"}


@pytest.mark.parametrize("fields", [{"digest_only": True}, {"disabled_at": T0}, {"unsubscribed_at": T0}])
def test_address__who_wants_no_single_mail__gets_none(ranker, shop, fields):
    reader(shop, **fields)
    happened(ranker)
    assert address_new(T0) == 0


def test_address__each_kind_by_the_way_that_was_chosen(ranker, shop):
    own = webhook(shop, name="ada's", is_personal=True)
    reader(shop, channels={"ended": "webhook", "started": "none"}, webhook=own)
    happened(ranker, OccurrenceKind.ENDED)
    happened(ranker, OccurrenceKind.STARTED)
    happened(ranker, OccurrenceKind.SHIPPED)
    address_new(T0)
    assert [(one.occurrence.kind, bool(one.recipient), bool(one.webhook)) for one in waiting()] == [
        ("ended", False, True),
        ("shipped", True, False),
    ]


def test_address__webhooks_get_their_kinds_and_their_experiment(ranker, shop):
    other = builders.experiment(shop, "other")
    webhook(shop, name="all")
    webhook(shop, name="alarms", kinds=["broken-split"])
    webhook(shop, name="of other", experiment=other)
    webhook(shop, name="off", disabled_at=T0)
    webhook(shop, name="gone", removed_at=T0)
    webhook(shop, name="personal", is_personal=True)
    happened(ranker)
    address_new(T0)
    assert heard() == {"all"}


def test_address__quiet_hours__wait_for_the_morning_unless_alarms_may_ring(ranker, shop):
    night = datetime(2026, 3, 2, 23, tzinfo=UTC)
    quiet = {"quiet_from": 22, "quiet_until": 7}
    reader(shop, "ada@example.com", **quiet)
    reader(shop, "bob@example.com", **quiet, alarms_at_any_hour=True)
    urgent(ranker)
    address_new(night)
    assert {one.recipient.email: one.not_before for one in waiting()} == {
        "ada@example.com": datetime(2026, 3, 3, 7, tzinfo=UTC),
        "bob@example.com": night,
    }


def test_address__what_is_not_urgent__is_gathered_a_little(ranker, shop):
    reader(shop)
    happened(ranker)
    address_new(T0)
    assert waiting()[0].not_before == T0 + GATHER


def test_address__a_muted_alert__reaches_nobody(ranker, shop, alice):
    reader(shop)
    builders.alert(shop, experiment=ranker)
    answering.mute(Alert.objects.get(), alice, T0 + timedelta(days=1), "", T0)
    assert address_new(T0) == 0
    assert address_new(T0 + timedelta(days=2)) == 0  # it was told to nobody, and is no news any more


def test_address__an_alarm_of_no_experiment_that_nobody_follows__reaches_the_admins(shop, alice):
    builders.alert(shop, AlertKind.DATA_STOPPED)
    address_new(T0)
    assert heard() == {alice.email}


def test_raise__again_and_again__is_one_occurrence(shop, ranker):
    reader(shop)
    for minutes in range(5):
        builders.alert(shop, experiment=ranker, now=T0 + timedelta(minutes=minutes))
        address_new(T0 + timedelta(minutes=minutes))
    assert len(waiting()) == 1


def test_channel__stored_by_a_newer_version__is_an_email(shop, ranker):
    reader(shop, channels={"ended": "pigeon"})
    happened(ranker)
    address_new(T0)
    assert waiting()[0].recipient is not None
    assert Recipient.objects.get().channels == {"ended": "pigeon"}
    assert Channel.EMAIL == "email"

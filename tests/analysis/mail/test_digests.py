from datetime import UTC, datetime, timedelta

import pytest

from analysis.mail import digests
from analysis.mail.schedule import Rhythm
from analysis.models import Digest
from experiments.models import AuditEntry
from tests import builders
from tests.analysis.mail.conftest import DAILY
from tests.builders import T0

MONDAYS = Rhythm(cadence="weekly", hour=9, time_zone="Europe/Berlin", weekday=0)


def test_subscribe__sets_the_first_due_time(ranker):
    made = digests.subscribe(ranker.project, ranker, "ada@example.com", MONDAYS, None, T0)
    assert made.next_due_at == datetime(2026, 3, 9, 8, tzinfo=UTC)
    assert digests.rhythm_of(made) == MONDAYS


def test_subscribe__the_same_address_again__changes_the_schedule(ranker):
    first = digests.subscribe(ranker.project, ranker, "ada@example.com", MONDAYS, None, T0)
    second = digests.subscribe(ranker.project, ranker, " ADA@example.com", DAILY, None, T0)
    assert first.pk == second.pk
    changed = AuditEntry.objects.get(action="digest.change")
    assert changed.before == {"email": "ada@example.com", "schedule": "every Monday at 09:00 (Europe/Berlin)"}
    assert changed.after == {"email": "ada@example.com", "schedule": "every day at 08:00 (UTC)"}


def test_subscribe__the_same_schedule_again__changes_and_audits_nothing(ranker):
    made = digests.subscribe(ranker.project, ranker, "ada@example.com", DAILY, None, T0)
    again = digests.subscribe(ranker.project, ranker, "ada@example.com", DAILY, None, T0 + timedelta(days=3))
    assert again.next_due_at == made.next_due_at
    assert AuditEntry.objects.count() == 1


def test_subscribe__experiment_and_project__are_two_digests(ranker):
    for about in (ranker, None):
        digests.subscribe(ranker.project, about, "ada@example.com", DAILY, None, T0)
    assert Digest.objects.count() == 2
    assert list(digests.active(ranker.project, None)) == [Digest.objects.get(experiment=None)]


def test_subscribe__after_unsubscribing__starts_anew(ranker):
    first = digests.subscribe(ranker.project, ranker, "ada@example.com", DAILY, None, T0)
    digests.stop(first, None, "enough", T0)
    second = digests.subscribe(ranker.project, ranker, "ada@example.com", DAILY, None, T0)
    assert first.pk != second.pk
    assert first.token != second.token


@pytest.mark.parametrize("wrong", ["", "ada", "ada@", "ada@example.com\nBcc: all@example.com"])
def test_subscribe__no_address__is_refused(ranker, wrong: str):
    with pytest.raises(ValueError, match=r"must look like ada@example\.com"):
        digests.subscribe(ranker.project, ranker, wrong, DAILY, None, T0)


def test_stop__twice__does_it_once(ranker):
    alice = builders.user("alice@example.com")
    made = digests.subscribe(ranker.project, ranker, "ada@example.com", DAILY, alice, T0)
    assert [digests.stop(made, alice, "why", T0), digests.stop(made, alice, "why", T0)] == [True, False]
    assert AuditEntry.objects.filter(action="digest.stop").count() == 1

import json
from datetime import timedelta
from io import StringIO

import msgspec
import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command

from analysis import erasure
from analysis.models import Enrolment, Link, UnitDay
from analysis.rollup.check import check
from analysis.rollup.fold import fold
from events import catalogue
from events.models import LoggedEvent, SeenProperty
from events.watch import Refusal, refusal_key, shown
from experiments import overrides, segments
from experiments.domain.units import UnitType
from experiments.models import AuditEntry, Experiment, Override, Segment
from tests import builders
from tests.analysis.pipeline.conftest import log, quick_flush  # noqa: F401  (the fold's own fixtures)
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
ALICE = "alice@example.com"


@pytest.fixture
def tested():
    """A folded experiment on users, with alice, another of the name's beginning, and a shared device."""
    home = builders.project("shop")
    made = builders.experiment(home, primary=builders.metric(home))
    for unit in (ALICE, f"{ALICE}.au", "bob"):
        builders.expose(made, unit, "control", anonymous_id="d1")
        builders.log(home, "Order Completed", unit, at=T0 + HOUR, anonymous_id="d1", email=unit)
    fold()
    return made


@pytest.fixture
def ring():
    """The place of the refused events that are shown, emptied afterwards."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client
        client.delete(*client.keys("truelift:events:refused:*") or ["none"])


def erase_unit(*arguments, slug="shop"):
    out = StringIO()
    call_command("erase_unit", slug, *arguments, stdout=out)
    return out.getvalue().strip()


def recompute_agrees():
    found = check(Experiment.objects.all())
    return found.differences == [] and found.behind == 0 and found.rows > 0


def test_erase_unit__without_now__says_what_would_go_and_changes_nothing(tested, ring):
    said = erase_unit("--unit", ALICE)
    assert "2 events in the log" in said
    assert "1 enrolments" in said
    assert "Nothing was erased (--now does)." in said
    assert LoggedEvent.objects.filter(user_id=ALICE).count() == 2
    assert not AuditEntry.objects.exists()


def test_erase_unit__now__leaves_no_row_of_the_unit_and_every_row_of_the_others(tested, ring):
    assert "The next fold rebuilds new-ranker." in erase_unit("--unit", ALICE, "--now")
    assert set(LoggedEvent.objects.values_list("user_id", flat=True)) == {f"{ALICE}.au", "bob"}
    for table in (Enrolment, UnitDay):
        assert set(table.objects.values_list("unit", flat=True)) == {f"{ALICE}.au", "bob"}
    fold()
    assert recompute_agrees()


def test_erase_unit__again__finds_nothing_and_records_nothing(tested, ring):
    erase_unit("--unit", ALICE, "--now")
    assert erase_unit("--unit", ALICE, "--now") == "Nothing is kept of this user."
    assert AuditEntry.objects.filter(action="unit.erase").count() == 1


def test_erase_unit__of_a_user__has_experiments_on_its_devices_rebuilt(tested, ring):
    on_devices = builders.experiment(
        tested.project, "on-devices", unit_type=UnitType.DEVICE, primary=builders.metric(tested.project, "orders")
    )
    builders.expose(on_devices, None, "control", anonymous_id="d1")
    fold()
    assert UnitDay.objects.get(experiment=on_devices).numerator == 3
    said = erase_unit("--unit", ALICE, "--now")
    assert "also name 1 device, whose other events stay: --type device erases those." in said
    assert "rebuilds new-ranker, on-devices." in said
    fold()
    assert UnitDay.objects.get(experiment=on_devices).numerator == 2
    assert recompute_agrees()


def test_erase_unit__the_same_id_of_another_type_or_project__stays(tested, ring):
    other = builders.project("other")
    builders.log(other, "Seen", ALICE)
    builders.log(tested.project, "Seen", "bob", account_id=ALICE)
    erase_unit("--unit", ALICE, "--now")
    assert LoggedEvent.objects.filter(project_id=other.pk, user_id=ALICE).count() == 1
    assert LoggedEvent.objects.filter(props__account_id=ALICE).count() == 1
    assert "1 events in the log" in erase_unit("--unit", ALICE, "--type", "account", "--now")
    assert not LoggedEvent.objects.filter(props__account_id=ALICE).exists()


def test_erase_unit__a_merge_that_names_it_as_the_former_id__goes_too(tested, ring):
    builders.log(tested.project, "$alias", "carol", **{"$previous_id": ALICE})
    assert "3 events in the log" in erase_unit("--unit", ALICE, "--now")
    assert not LoggedEvent.objects.filter(user_id="carol").exists()


def test_erase_unit__overrides_lists_and_the_audit__do_not_name_it_any_more(tested, ring):
    overrides.add(tested, ALICE, tested.variants.get(key="treatment"), None, note="a tester")
    segment = builders.a_segment(tested.project, "staff", values=(ALICE, "bob"))
    segments.archive_segment(segment, None, why=f"{ALICE} asked for it")
    fold()
    said = erase_unit("--unit", ALICE, "--now")
    assert "1 overrides" in said
    assert "2 audit rows that name it" in said
    assert not Override.objects.exists()
    assert Segment.objects.get().values == ["bob"]
    kept = json.dumps(list(AuditEntry.objects.values_list("subject", "before", "after", "why")))
    assert ALICE not in kept
    assert f"unit:{erasure.unit_of(tested.project, UnitType.USER, ALICE).digest}" in kept
    fold()
    assert recompute_agrees()


def test_erase_unit__targeting_that_names_it__is_said_and_left_to_people(tested, ring):
    builders.a_segment(tested.project, "vip", targeting={"id": {"$in": [ALICE]}})
    assert "Still named in the targeting of segment vip: change that by hand." in erase_unit("--unit", ALICE, "--now")
    assert Segment.objects.get().targeting == {"id": {"$in": [ALICE]}}


def test_erase_unit__catalogue_examples__lose_it(tested, ring):
    catalogue.bring_up_to_date()
    SeenProperty.objects.filter(key="email").update(example=ALICE)
    assert "1 examples in the catalogue" in erase_unit("--unit", ALICE, "--now")
    assert SeenProperty.objects.get(key="email").example == ""


def refusal(snippet, **fields):
    return msgspec.json.encode(
        shown(
            Refusal(
                at=T0, door=0, environment=0, code="invalid_time", message="timestamp is 'x'", message_id=None,
                snippet=snippet, **fields,
            )
        )
    )  # fmt: skip


def test_erase_unit__refused_events_that_hold_it__are_shown_no_more(tested, ring):
    key = refusal_key(tested.project.pk)
    mine = [b'{"userId":"alice@example.com"}', b"x" * 388 + b'"alice@exa' + b"mple.com"]
    others = [b'{"userId":"alice@example.com-2"}', b'{"userId":"bob"}']
    ring.lpush(key, *map(refusal, [*mine, *others]))
    assert "2 refused events shown" in erase_unit("--unit", ALICE, "--now")
    assert ring.lrange(key, 0, -1) == [refusal(one) for one in reversed(others)]


def test_erase_unit__while_valkey_is_away__changes_nothing_and_says_so(tested, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="Valkey is away") as failure:
        erase_unit("--unit", ALICE, "--now")
    assert failure.value.returncode == 2
    assert LoggedEvent.objects.filter(user_id=ALICE).count() == 2


@pytest.mark.parametrize(("arguments", "said"), [(("--unit", " "), "--unit is empty")])
def test_erase_unit__no_id__is_refused(tested, arguments, said):
    with pytest.raises(CommandError, match=said):
        erase_unit(*arguments, "--now")


def test_erase_unit__linked_ids__go_with_their_user_and_other_users_of_the_device_stay(tested):
    home = tested.project
    builders.log(home, "$identify", ALICE, at=T0 + HOUR, anonymous_id="d1")
    builders.log(home, "$identify", "bob", at=T0 + 2 * HOUR, anonymous_id="d1")
    builders.log(home, "$alias", ALICE, at=T0 + HOUR, **{"$previous_id": "old"})
    builders.log(home, "Order Completed", None, at=T0 + HOUR, anonymous_id="d1")
    builders.log(home, "Order Completed", "old", at=T0 + HOUR)
    fold()
    assert sum(UnitDay.objects.filter(unit=ALICE).values_list("numerator", flat=True)) == 3
    said = erase_unit("--unit", ALICE, "--now")
    assert "With 2 linked ids of it." in said
    left = LoggedEvent.objects.filter(project_id=home.pk)
    assert set(left.values_list("user_id", flat=True)) == {f"{ALICE}.au", "bob"}
    assert list(Link.objects.values_list("alias", "user_id")) == [("d1", "bob")]
    fold()
    assert recompute_agrees()
    assert "Nothing is kept" in erase_unit("--unit", ALICE)

"""Exposures and events that do not meet: found from what is folded and the newest events, in words without ids."""

from datetime import timedelta

import pytest
from django.urls import reverse

from analysis.alerts.kinds import AlertKind
from analysis.joining import reading, watching
from analysis.joining.reading import Joining, read
from analysis.joining.shapes import shape
from analysis.joining.wording import findings, in_general
from analysis.models import Alert, Enrolment, FoldedExperiment, FoldedProject, UnitDay
from analysis.rollup.fold import fold
from experiments.domain.access import Role, Scope
from experiments.keys import issue_key
from experiments.models import Membership
from tests import builders
from tests.builders import T0
from tests.experiments.api.asking import Api

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = T0 + 2 * DAY


@pytest.fixture
def experiment():
    home = builders.project("shop")
    made = builders.experiment(home, primary=builders.metric(home))
    FoldedProject.objects.create(project=home, data_up_to=NOW, newest_at=NOW, events=1)
    return made


def exposed(experiment, variant, units, acting, first_at=T0, prefix="u-"):
    """Enrol units, of which the first ``acting`` have an event that counts."""
    own, metric = experiment.variants.get(key=variant), experiment.plan.get().metric
    names = [f"{prefix}{variant[0]}{number}" for number in range(units)]
    Enrolment.objects.bulk_create(
        Enrolment(experiment=experiment, unit=name, variant=own, first_at=first_at, bucket=0) for name in names
    )
    UnitDay.objects.bulk_create(
        UnitDay(experiment=experiment, metric=metric, unit=name, day=T0.date(), numerator=1, denominator=0)
        for name in names[:acting]
    )


def order(experiment, unit, **fields):
    builders.log(experiment.project, "Order Completed", unit, at=T0 + DAY, **fields)


def found(experiment) -> Joining:
    joining = read(experiment, NOW)
    assert isinstance(joining, Joining)
    return joining


def keys(experiment):
    return [one.key for one in findings(found(experiment))]


def test_read__units_exposed_lately__are_not_silent_yet(experiment):
    exposed(experiment, "control", 10, 4)
    exposed(experiment, "treatment", 10, 0, first_at=NOW - HOUR)
    assert [(one.exposed, one.silent) for one in found(experiment).variants] == [(10, 6), (0, 0)]


def test_findings__ids_that_never_meet__say_how_both_look_and_name_none(experiment):
    exposed(experiment, "control", 60, 0)
    exposed(experiment, "treatment", 60, 0)
    for number in range(60):
        order(experiment, f"{number:08x}-0000-4000-8000-{number:012d}")
    (one,) = findings(found(experiment))
    assert one.key == "never-meet"
    assert one.sentence == (
        "No user of 120 exposed is among the 60 with Order Completed: exposures name users by “u-c” and "
        "digits, events by UUIDs."
    )
    assert "userId" in one.what_to_do


def test_findings__the_exposures_ids_under_the_other_name__are_found_there(experiment):
    for variant in ("control", "treatment"):
        exposed(experiment, variant, 60, 0)
    for number in range(60):
        order(experiment, f"x{number}", anonymous_id=f"u-c{number}")
    assert "as anonymousId: send them as userId" in findings(found(experiment))[0].what_to_do


def test_findings__events_without_the_unit__are_told(experiment):
    for number in range(60):
        order(experiment, None, anonymous_id=f"d{number}")
    assert keys(experiment) == ["without-unit"]
    assert "100% of the newest 60 events" in findings(found(experiment))[0].sentence


@pytest.mark.parametrize(
    ("control", "treatment", "expected"),
    [
        (1_900, 1_600, ["uneven"]),  # 5 % and 20 % silent
        (1_900, 1_890, []),  # chance
        (300, 180, []),  # 85 % and 91 %: certain, and as large as an effect on buying
    ],
)
def test_findings__silent_units__are_uneven_where_chance_and_effects_do_not_explain_it(
    experiment, control, treatment, expected
):
    exposed(experiment, "control", 2_000, control)
    exposed(experiment, "treatment", 2_000, treatment)
    assert keys(experiment) == expected


def test_watch__twice__tells_once_and_ends_by_itself(experiment):
    exposed(experiment, "control", 200, 190)
    exposed(experiment, "treatment", 200, 100)
    fold_is_there(experiment)
    assert watching.watch(NOW) == watching.watch(NOW) == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.key) == (AlertKind.DATA_QUALITY, "joining/new-ranker/1/uneven")
    assert "Control 5%, Treatment 50% (p <0.001)" in alert.sentence
    UnitDay.objects.all().delete()
    assert watching.watch(NOW) == 0
    assert Alert.objects.get().closed_because == watching.OVER


def fold_is_there(experiment):
    FoldedExperiment.objects.create(experiment=experiment, started_at=T0, plan="", rebuilt_at=T0)


def test_read__what_the_fold_made_of_the_log__meets(experiment, monkeypatch):
    monkeypatch.setattr(reading, "FEWEST_UNITS", 1)
    builders.expose(experiment, "u1", "control")
    order(experiment, "u1")
    order(experiment, "stranger")
    fold()
    said = in_general(found(experiment))
    assert keys(experiment) == []
    assert "come from 2 users" in said[-1]


def test_page_and_api__say_it_with_examples_on_the_page_alone(experiment, client):
    alice = builders.user("alice@example.com")
    Membership.objects.create(project=experiment.project, user=alice, role=Role.VIEWER)
    exposed(experiment, "control", 60, 0)
    for number in range(60):
        order(experiment, f"order-{number}")
    address = reverse("experiment_joining", args=["shop", "new-ranker"])
    client.force_login(builders.user("charlie@example.com"))
    assert client.get(address).status_code == 404
    client.force_login(alice)
    page = client.get(address).content.decode()
    assert "<code>order-0</code>" in page
    assert "No user of 60 exposed" in page
    answer = Api(issue_key(experiment.project, "reader", [Scope.READ], None)[1]).ok(
        "GET", "/experiments/new-ranker/joining"
    )
    assert [one["key"] for one in answer["findings"]] == ["never-meet"]
    assert answer["newest"]["event_ids"] == "“order-” and digits"


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([], "nothing"),
        (["12", "7"], "numbers"),
        (["u-12", "u-7"], "“u-” and digits"),
        (["u-1x", "u-7"], "“u-” and more"),
        (["a@b.de", "c@d.fr"], "e-mail addresses"),
        (["6fa459ea-ee8a-3ca4-894e-db77e160355e"], "UUIDs"),
        (["u_6fa459ea-ee8a-3ca4-894e-db77e160355e", "u_16fd2706-8baf-433b-82eb-8c7fada847da"], "“u_” and a UUID"),
        (["d41d8cd98f00b204", "0cc175b9c0f1b6a8"], "hexadecimal text"),
        (["abc", "xyzw"], "text of 3 to 4 characters"),
        (["anna"], "text of 4 characters"),
    ],
)
def test_shape__of_ids__is_said_without_any(ids, words):
    assert shape(ids) == words

"""Layers, segments and the holdout: who may, what is refused, and that twice is once."""

import re

import pytest

from experiments import holdouts, layers, segments
from experiments.domain.kinds import SegmentKind
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment, Layer, Segment
from tests import builders

READ = ["layers/", "segments/", "holdout/"]
EDIT = ["segments/new/", "segments/staff/"]
WRITE = ["layers/", "segments/new/", "segments/staff/", "segments/staff/archive/", "holdout/", "holdout/x/stop/"]
LAYER = {"name": "Home page", "key": "", "unit_type": "user", "description": "Above the fold"}
COUNTS = {"targeting-TOTAL_FORMS": "1", "targeting-INITIAL_FORMS": "0"}
LIST = {"name": "Our staff", "kind": "list", "unit_attribute": "id", "values": "u1\nu2, u3 u1;u4", **COUNTS}


@pytest.fixture
def staff(shop, alice) -> Segment:
    plan = segments.SegmentPlan(key="staff", name="Staff", kind=SegmentKind.LIST, unit_attribute="id", values=("u1",))
    return segments.create_segment(shop, alice, plan)


def at(where: str) -> str:
    return f"/p/shop/{where}"


@pytest.mark.parametrize("where", READ + EDIT)
def test_page__a_stranger__gets_404(client_of_charlie, staff, where: str):
    assert client_of_charlie.get(at(where)).status_code == 404


@pytest.mark.parametrize(("who", "status"), [("client_of_charlie", 404), ("client_of_bob", 403)])
@pytest.mark.parametrize("where", WRITE)
def test_post__a_stranger_or_viewer__changes_nothing(request, staff, where: str, who: str, status: int):
    before = AuditEntry.objects.count()
    assert request.getfixturevalue(who).post(at(where), {**LIST, "why": "x"}).status_code == status
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("where", READ)
def test_page__a_viewer__may_read_and_sees_no_way_to_change(client_of_bob, staff, where: str):
    assert "<form" not in client_of_bob.get(at(where)).content.decode().split("<main")[1]


@pytest.mark.parametrize("where", READ + EDIT)
def test_page__more_of_everything__costs_no_more_queries(
    client_of_alice, shop, alice, purchase, staff, where: str, django_assert_max_num_queries
):
    holdouts.start(shop, alice, 500, [purchase])
    for i in range(10):
        layer = layers.create_layer(shop, alice, f"layer-{i}", f"Layer {i}")
        layers.join(builders.experiment(shop, f"exp-{i}", status=Status.DRAFT), layer, 1000, alice)
        builders.metric(shop, f"metric-{i}")
    with django_assert_max_num_queries(13):
        page = client_of_alice.get(at(where)).content.decode()
    assert not re.findall(r"<style|<script>|\sstyle=|\son[a-z]+=|javascript:", page)


def test_layer__made_twice__is_there_once_with_what_is_free(client_of_alice, alice, shop):
    for _ in range(2):
        assert client_of_alice.post(at("layers/"), LAYER).status_code == 302
    layer = Layer.objects.get()
    assert layer.key == "home-page"
    layers.join(builders.experiment(shop, status=Status.DRAFT), layer, 2500, alice)
    page = client_of_alice.get(at("layers/")).content.decode()
    assert 'aria-label="New ranker holds 25 %; 75 % is free."' in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"key": "a b"}, "use letters, digits"),
        ({"unit_type": "cow"}, "Select a valid choice"),
        ({"key": "taken"}, "already used by a layer"),
    ],
)
def test_layer__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, shop, changes, message: str):
    layers.create_layer(shop, None, "taken", "Taken")
    response = client_of_alice.post(at("layers/"), {**LAYER, **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert "Above the fold" in page
    assert Layer.objects.count() == 1


def test_segment__a_pasted_list__keeps_each_value_once(client_of_alice, shop):
    for _ in range(2):
        assert client_of_alice.post(at("segments/new/"), LIST).status_code == 302
    made = Segment.objects.get()
    assert (made.key, made.values) == ("our-staff", ["u1", "u2", "u3", "u4"])
    assert "4 values of id" in client_of_alice.get(at("segments/")).content.decode()


def test_segment__a_condition__is_shown_in_words(client_of_alice, shop):
    rows = {"targeting-0-attribute": "plan", "targeting-0-op": "is", "targeting-0-value": "pro"}
    client_of_alice.post(at("segments/new/"), {**LIST, "kind": "condition", **rows})
    assert Segment.objects.get().targeting == {"plan": "pro"}
    assert "Only if plan is pro" in client_of_alice.get(at("segments/")).content.decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"kind": "mood"}, "Select a valid choice"),
        ({"unit_attribute": ""}, "Name the attribute"),
        ({"kind": "condition"}, "Say who is in the segment"),
        ({"kind": "condition", "targeting-0-attribute": "a"}, "Give the value"),
        ({"key": "staff"}, "already used by a segment"),
        ({"values": "x" * 257}, "1 to 256 characters"),
    ],
)
def test_segment__a_wrong_field__is_refused_and_the_rest_kept(client_of_alice, staff, changes, message: str):
    response = client_of_alice.post(at("segments/new/"), {**LIST, "description": "Kept words", **changes})
    page = response.content.decode()
    assert response.status_code == 400
    assert message in page
    assert "Kept words" in page
    assert Segment.objects.count() == 1


def test_segment__changed_in_a_stale_tab__is_refused(client_of_alice, staff):
    first = client_of_alice.post(at("segments/staff/"), {**LIST, "revision": "1"})
    assert first.status_code == 302
    second = client_of_alice.post(at("segments/staff/"), {**LIST, "values": "u9", "revision": "1"})
    assert second.status_code == 400
    assert "was changed by somebody else meanwhile" in second.content.decode()
    staff.refresh_from_db()
    assert staff.values == ["u1", "u2", "u3", "u4"]


def test_segment__in_use__cannot_be_archived_and_says_by_what(client_of_alice, shop, purchase, staff):
    builders.experiment(shop, primary=purchase, targeting={"$segment": "staff"})
    assert "Used by New ranker" in client_of_alice.get(at("segments/staff/")).content.decode()
    page = client_of_alice.post(at("segments/staff/archive/"), follow=True).content.decode()
    assert "is used by New ranker" in page
    staff.refresh_from_db()
    assert staff.archived_at is None


def test_segment__archived_twice__is_recorded_once(client_of_alice, staff):
    for _ in range(2):
        client_of_alice.post(at("segments/staff/archive/"))
    assert AuditEntry.objects.filter(action="segment.archive").count() == 1


def test_segment__of_another_project__is_not_found(client_of_alice, shop):
    plan = segments.SegmentPlan(key="x", name="X", kind=SegmentKind.LIST, unit_attribute="id", values=("u1",))
    segments.create_segment(builders.project("foreign"), None, plan)
    assert client_of_alice.get(at("segments/x/")).status_code == 404
    assert client_of_alice.post(at("segments/x/archive/")).status_code == 404


def test_holdout__started_twice__runs_once_and_says_what_it_keeps_away(client_of_alice, shop, purchase):
    builders.experiment(shop, "before", primary=purchase)
    for _ in range(2):
        sent = {"size": "5", "unit_type": "user", "primary": str(purchase.pk)}
        assert client_of_alice.post(at("holdout/"), sent).status_code == 302
    running = holdouts.running(shop)
    assert holdouts.size_of(running) == 500
    builders.experiment(shop, "after", primary=purchase)
    page = client_of_alice.get(at("holdout/")).content.decode()
    inside, outside = page.split("Keeps held-out units away")[1].split("Reaches them too")
    assert "After" in inside
    assert "Before" in outside


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "0.5"}, "greater than or equal to 1"),
        ({"size": "11"}, "choose 1 % to 10 %"),
        ({"primary": ""}, "This field is required"),
        ({"primary": "999999"}, "Select a valid choice"),
        ({"unit_type": "cow"}, "Select a valid choice"),
    ],
)
def test_holdout__what_cannot_be__is_refused(client_of_alice, shop, purchase, changes, message: str):
    sent = {"size": "5", "unit_type": "user", "primary": str(purchase.pk)}
    response = client_of_alice.post(at("holdout/"), {**sent, **changes})
    assert response.status_code == 400
    assert message in response.content.decode()
    assert not Experiment.objects.exists()


def test_holdout__ended__needs_a_reason_and_ends_once(client_of_alice, alice, shop, purchase):
    one = holdouts.start(shop, alice, 500, [purchase])
    page = client_of_alice.post(at(f"holdout/{one.key}/stop/"), {"why": " "}, follow=True).content.decode()
    assert "Say why the holdout ends" in page
    for _ in range(2):
        client_of_alice.post(at(f"holdout/{one.key}/stop/"), {"why": "Measured"})
    assert holdouts.running(shop) is None
    assert AuditEntry.objects.filter(action="experiment.stop").count() == 1
    assert "There is no holdout" in client_of_alice.post(at("holdout/none/stop/"), follow=True).content.decode()

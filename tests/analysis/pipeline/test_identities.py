"""Ids of one person: whatever order links and events arrive in, units follow from all of them."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from analysis import crossing, moments, people, pipeline
from analysis.models import Enrolment, Identity, Link, UnitBefore, UnitDay, Watermark
from analysis.results.schema import from_payload
from analysis.rollup import days, identities
from analysis.rollup.check import check
from analysis.rollup.fold import fold, rebuild
from analysis.rollup.identities import Said, roots
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.domain.units import UnitType
from experiments.models import Experiment, ExperimentMetric
from tests import builders
from tests.analysis.pipeline.conftest import empty_tables
from tests.builders import T0

HOUR = timedelta(hours=1)
PHASES, NO_CHECK = (Phase.explicit, Phase.reuse, Phase.generate), [HealthCheck.function_scoped_fixture]
STEPS = [{"event": "Search", "filters": []}, {"event": "Order", "filters": []}]
BASES = {"users": ("user", ""), "people": ("user", "device"), "devices": ("device", "")}


@dataclass(frozen=True)
class Arrival:
    user: str | None
    device: str | None
    hour: int
    what: str  # a variant's key, an event's name, "$identify", or the id that "$alias" calls the user


ids, hours = st.sampled_from(["a", "b", "c"]), st.sampled_from(range(-20, 41, 10))
whose = st.one_of(st.tuples(ids, st.none()), st.tuples(st.none(), ids), st.tuples(ids, ids))
events = st.builds(
    lambda who, hour, what: Arrival(*who, hour, what),
    whose, hours, st.sampled_from(["control", "treatment", "Order", "Order", "Search"]),
)  # fmt: skip
links = st.builds(Arrival, ids, ids, hours, st.sampled_from(["$identify", "a", "b", "c"]))
schedules = st.lists(st.tuples(st.one_of(events, events, links), st.integers(0, 3)), min_size=2, max_size=18)


def persons(arrivals):
    """Return a function from an id to its person: the earliest link counts, a circle's newest does not."""
    first = {}
    for one in sorted(arrivals, key=lambda a: (a.hour, a.user or "")):
        alias = one.device if one.what == "$identify" else one.what
        if one.what in ("$identify", "a", "b", "c") and alias != one.user:
            first.setdefault(alias, one)
    while circle := next(filter(None, (round_about(first, alias) for alias in first)), None):
        del first[max(circle, key=lambda alias: (first[alias].hour, alias))]

    def person(one):
        while one in first:
            one = first[one].user
        return one

    return person


def round_about(first, alias):
    seen = []
    while alias in first and alias not in seen:
        seen.append(alias)
        alias = first[alias].user
    return seen[seen.index(alias) :] if alias in seen else None


def oracle(arrivals, basis):
    """Return {unit: (hour, variant, in two variants)} and how many orders each had after its exposure and before."""
    person, enrolled = persons(arrivals), {}

    def unit(a):
        if basis == "devices":
            return a.device
        somebody = person(a.user or a.device)
        return somebody if a.user or basis == "people" or somebody != a.device else None

    for a in sorted((a for a in arrivals if a.what in ("control", "treatment") and a.hour >= 0), key=order):
        if unit(a):
            hour, variant, twice = enrolled.get(unit(a), (a.hour, a.what, False))
            enrolled[unit(a)] = (hour, variant, twice or variant != a.what)
    orders = [(unit(a), a.hour) for a in arrivals if a.what == "Order" and unit(a) in enrolled]
    after = Counter(one for one, hour in orders if hour >= enrolled[one][0])
    before = Counter(one for one, hour in orders if enrolled[one][0] - 24 <= hour < enrolled[one][0])
    return enrolled, after, before


def order(arrival):
    return arrival.hour, arrival.what


def build():
    home = builders.project()
    metrics = [
        builders.metric(home, "orders", kind=MetricKind.COUNT, event="Order", covariate_days=1),
        builders.metric(home, "funnel", kind=MetricKind.FUNNEL, event="Order", steps=STEPS, window_hours=30),
    ]
    for key, (unit_type, fallback) in BASES.items():
        made = builders.experiment(home, key, unit_type=unit_type, fallback_unit_type=fallback, adjusted=True)
        for position, metric in enumerate(metrics):
            ExperimentMetric.objects.create(
                experiment=made, metric=metric, role=MetricRole.SECONDARY, position=position
            )
    return home


def arrive(home, a, message=""):
    named = {"anonymous_id": a.device, "at": T0 + a.hour * HOUR}
    if a.what in ("control", "treatment"):
        for key in BASES:
            builders.log(
                home, "Experiment Viewed", a.user, variant=(key, a.what), message=message and message + key, **named
            )
    elif a.what in ("a", "b", "c"):
        builders.log(home, "$alias", a.user, at=named["at"], message=message, **{"$previous_id": a.what})
    else:
        builders.log(home, a.what, a.user, message=message, **named)


def state(home, key):
    of = {"experiment": Experiment.objects.get(project=home, key=key)}
    enrolled = Enrolment.objects.filter(**of).select_related("variant")
    counted = UnitDay.objects.filter(metric__key="orders", **of).values_list("unit", "numerator")
    before = UnitBefore.objects.filter(metric__key="orders", **of).values_list("unit", "numerator")
    after = Counter()
    for unit, orders in counted:
        after[unit] += int(orders)
    return (
        {row.unit: (int((row.first_at - T0) / HOUR), row.variant.key, row.quarantined) for row in enrolled},
        after,
        Counter({unit: int(orders) for unit, orders in before}),
    )


CIRCLE = [
    (Arrival("a", None, 0, "control"), 0), (Arrival(None, "c", 10, "Order"), 0),
    (Arrival("a", "c", 20, "$identify"), 0), (Arrival("b", None, 10, "a"), 0),
    (Arrival("c", None, 0, "b"), 0), (Arrival("b", "c", 0, "$identify"), 0),
    (Arrival(None, "c", -10, "Order"), 0),
]  # fmt: skip
SHARED = [
    (Arrival("a", "a", 10, "control"), 0), (Arrival(None, "a", 40, "Order"), 0),
    (Arrival("c", "a", -20, "$identify"), 0),
]  # fmt: skip


@pytest.mark.usefixtures("log")
@settings(max_examples=4, deadline=None, phases=PHASES, suppress_health_check=NO_CHECK)
@given(schedule=schedules, chunk=st.integers(1, 5), look_up=st.booleans())
@example(schedule=CIRCLE, chunk=1, look_up=True)
@example(schedule=SHARED, chunk=1, look_up=False)
def test_fold__any_schedule_of_links__equals_the_oracle_and_the_recompute(schedule, chunk, look_up):
    assert_equal_to_the_oracle(schedule, chunk, look_up)


@pytest.mark.slow
@pytest.mark.usefixtures("log")
@settings(max_examples=60, deadline=None, phases=PHASES, suppress_health_check=NO_CHECK)
@given(schedule=schedules, chunk=st.integers(1, 5), look_up=st.booleans())
def test_fold__many_schedules_of_links__equal_the_oracle_and_the_recompute(schedule, chunk, look_up):
    assert_equal_to_the_oracle(schedule, chunk, look_up)


def assert_equal_to_the_oracle(schedule, chunk, look_up):
    empty_tables()
    home = build()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(days, "ROWS_A_LOOK_UP", 0 if look_up else 10**9)
        for index, (arrival, then) in enumerate(schedule):
            arrive(home, arrival, f"m{index}")
            if then == 0:
                fold(chunk_events=chunk)
                for key in ("users", "people"):
                    moments.keep(home.experiments.get(key=key))
                    crossing.begin(home.experiments.get(key=key))
        fold(chunk_events=chunk)
    for key in BASES:
        assert state(home, key) == oracle([arrival for arrival, _ in schedule], key), key
    assert check(home.experiments.all()).differences == []


def expose(home, user, variant, hour=0, *, device=None):
    arrive(home, Arrival(user, device, hour, variant))


@pytest.fixture
def home(log):
    return build()


def test_fold__a_link_that_comes_late__brings_what_the_device_did_to_its_user(home):
    expose(home, "u1", "treatment")
    arrive(home, Arrival(None, "phone", 1, "Order"))
    fold()
    assert state(home, "users")[1] == {}
    arrive(home, Arrival("u1", "phone", 30, "$identify"))
    fold()
    assert state(home, "users")[1] == state(home, "people")[1] == {"u1": 1}
    assert fold().events == 0


def test_fold__one_person_in_two_variants__is_quarantined_once(home):
    expose(home, None, "control", device="phone")
    expose(home, "u1", "treatment", 1)
    expose(home, "u2", "treatment", 1)
    arrive(home, Arrival("u2", "tablet", 2, "$identify"))
    fold()
    assert set(state(home, "people")[0]) == {"phone", "u1", "u2"}
    arrive(home, Arrival("u1", "phone", 2, "$identify"))
    fold()
    assert state(home, "people")[0] == {"u1": (0, "control", True), "u2": (1, "treatment", False)}
    assert people.merged(Experiment.objects.get(key="people")) == people.Merged(units=2, quarantined=1)
    assert people.merged(Experiment.objects.get(key="devices")) == people.Merged()
    shown = from_payload(pipeline.refresh(Experiment.objects.get(key="people")).payload).health.checks
    said = "2 users came under more than one id and count once; 1 of them saw two variants and is left out"
    assert said in [check.summary for check in shown]


def test_fold__a_shared_device__counts_for_the_first_who_was_linked_even_where_that_comes_later(home):
    expose(home, "u1", "treatment")
    expose(home, "u2", "control")
    arrive(home, Arrival("u2", "till", 9, "$identify"))
    arrive(home, Arrival(None, "till", 12, "Order"))
    fold()
    assert state(home, "users")[1] == {"u2": 1}
    arrive(home, Arrival("u1", "till", 8, "$identify"))
    fold()
    assert state(home, "users")[1] == {"u1": 1}
    assert people.known(home) == people.Known(aliases=1, people=1, contested=1)
    said = people.who_is(home, "till")
    assert (said.person, said.ids, [user for _, user, _ in said.links]) == ("u1", ["u1", "till"], ["u1", "u2"])


@pytest.mark.parametrize("alias", ["undefined", "NULL", "  ", "[object Object]"])
def test_fold__an_id_that_names_nobody__links_nobody(home, alias):
    arrive(home, Arrival("u1", alias, 0, "$identify"))
    fold()
    assert not Link.objects.exists()


def test_fold__a_device_with_an_override__takes_its_person_out(home):
    builders.an_override(Experiment.objects.get(key="people"), "phone")
    expose(home, "u1", "treatment")
    fold()
    arrive(home, Arrival("u1", "phone", 2, "$identify"))
    fold()
    assert set(state(home, "people")[0]) == set()
    assert set(state(home, "users")[0]) == {"u1"}
    assert check(home.experiments.all()).differences == []


def test_fold__an_experiment_that_has_stopped__learns_who_its_units_were(home):
    expose(home, "u1", "treatment")
    arrive(home, Arrival(None, "phone", 1, "Order"))
    home.experiments.update(status=Status.STOPPED, stopped_at=T0 + 5 * HOUR)
    fold()
    arrive(home, Arrival("u1", "phone", 30, "$identify"))
    fold()
    assert state(home, "users")[1] == {"u1": 1}
    assert check(home.experiments.all()).differences == []


def test_fold__a_log_from_before_links_were_known__is_read_for_them_once(home):
    expose(home, "u1", "treatment")
    arrive(home, Arrival(None, "phone", 1, "Order"))
    arrive(home, Arrival("u1", "phone", 2, "$identify"))
    fold()
    for table in (Link, Identity, Watermark.objects.filter(name=identities.NAME)):
        getattr(table, "objects", table).all().delete()
    rebuild(home.experiments.all())
    assert state(home, "users")[1] == {}
    fold()
    assert state(home, "users")[1] == {"u1": 1}
    assert check(home.experiments.all()).differences == []


def test_fold__a_fallback_other_than_devices__counts_by_the_fallback_where_no_user_is_named(log):
    made = builders.experiment(builders.project(), fallback_unit_type=UnitType.SESSION)
    builders.expose(made, None, "control", session_id="s1")
    builders.expose(made, "u1", "treatment", session_id="s1")
    fold()
    assert sorted(Enrolment.objects.values_list("unit", flat=True)) == ["s1", "u1"]
    assert check([made]).differences == []


def test_check__a_link_or_person_that_is_wrong__is_found(home):
    arrive(home, Arrival("u1", "phone", 2, "$identify"))
    arrive(home, Arrival("u2", "tablet", 2, "$identify"))
    fold()
    Link.objects.filter(alias="phone").delete()
    Identity.objects.filter(alias="tablet").update(person="u3")
    found = {(each.unit, each.what) for each in check(home.experiments.all()).differences}
    assert found == {("phone", "link to u1"), ("tablet", "person")}


def test_roots__a_long_chain__ends_at_its_last_user():
    said = {(1, f"u{n}"): Said(user_id=f"u{n + 1}", at=n) for n in range(50_000)}
    assert set(roots(said).values()) == {"u50000"}


def test_roots__a_circle__stands_for_the_id_whose_link_is_newest():
    said = {(1, a): Said(user_id=b, at=at) for a, b, at in [("a", "b", 1), ("b", "c", 3), ("c", "a", 2), ("x", "a", 9)]}
    assert roots(said) == dict.fromkeys(said, "b")

"""Regions take turns as the edge deals them; blocks become an effect, a sentence and a page."""

import itertools
from datetime import timedelta

import pytest
from django.urls import reverse

from analysis.models import Enrolment
from analysis.results.schema import Reading, Results
from analysis.switchback import result
from analysis.switchback.schedule import slots, treated
from assignment.client import block_id
from assignment.document import publish
from assignment.engine.program import compile_features
from assignment.served import ExperimentRow, ProjectRows, VariantRow
from experiments.domain.designs.switchback import SwitchbackDesign
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.lifecycle import pause
from experiments.models import Experiment
from experiments.refusals import RefusedError
from tests import builders
from tests.builders import T0

REGIONS = ("berlin", "hamburg")
START = T0.replace(hour=0)
END = START + timedelta(days=3)
_serial = itertools.count()


def switchback(shop, status: Status = Status.RUNNING, kind: str = "count", **fields) -> Experiment:
    metric = builders.metric(shop, "orders", event="Order Completed", name="Orders", kind=kind, display_unit="number",
                             **fields.pop("metric", {}))  # fmt: skip
    design = {"block_minutes": 120, "burn_in_minutes": 20, "region_property": "city", "regions": list(REGIONS),
              **fields.pop("design", {})}  # fmt: skip
    made = builders.experiment(
        shop, "surge", kind=ExperimentKind.SWITCHBACK, design=design, primary=metric, status=status, unit_type="block",
        planned_days=2, salt="pepper", **({} if status is Status.DRAFT else {"started_at": START}), **fields,
    )  # fmt: skip
    made.variants.filter(position=1).update(name="New pricing")
    return made


def order(shop, region: str | None, at, **props) -> None:
    said = {} if region is None else {"city": region}
    builders.log(shop, "Order Completed", f"u{next(_serial)}", at=at, **said, **props)


def market(shop, tested: Experiment, gain: int, *, early: int = 0) -> None:
    """A few orders a block, more where treated; ``early`` more in the first minutes of every block."""
    design = result.design_of(tested)
    for slot in slots(design, tested.salt, [5000, 5000], 10_000, START, START + timedelta(days=2)):
        count = 3 + (slot.block % 3) + (4 if slot.region == "berlin" else 0) + gain * slot.treated
        for number in range(count):
            order(shop, slot.region, slot.begins + timedelta(minutes=25 + number))
        for number in range(early):
            order(shop, slot.region, slot.begins + timedelta(minutes=1 + number))


def read(tested: Experiment, as_of=END) -> Results:
    found = result.read(tested, as_of)
    assert found is not None
    assert found.switchback is not None
    return found


def test_schedule__every_block__is_what_the_edge_serves_for_its_id():
    variants = (VariantRow(key="control", weight=5000), VariantRow(key="treatment", weight=5000))
    row = ExperimentRow(key="surge", salt="pepper", variants=variants, status="running", kind="switchback",
                        unit_type="block", environments=("production",))  # fmt: skip
    document = publish(ProjectRows(experiments=(row,)), "production")
    program = compile_features(document.features, document.saved_groups)
    flag = program.flag("surge")
    assert flag is not None
    arms = []
    for number in range(300):
        at = START + timedelta(hours=number)
        unit = block_id("berlin", minutes=60, at=at)
        served = flag.terminals[flag.choose({"block_id": unit})].variant_key
        block = SwitchbackDesign(block_minutes=60).block_at(at)
        assert unit == f"berlin|{block}"
        arms.append(treated("pepper", [5000, 5000], 10_000, "berlin", block))
        assert arms[-1] == (served == "treatment")
    assert 110 < sum(arms) < 190


def test_slots__a_start_within_a_block__begins_with_the_next_whole_one():
    design = SwitchbackDesign(block_minutes=60)
    found = slots(
        design, "s", [5000, 5000], 10_000, START + timedelta(minutes=1), START + timedelta(hours=4, minutes=59)
    )
    assert [slot.begins for slot in found] == [START + timedelta(hours=hour) for hour in (1, 2, 3)]


def test_result__a_clear_gain_at_the_end__is_said_with_both_p_values(shop):
    tested = switchback(shop)
    market(shop, tested, gain=3)
    found = read(tested)
    assert found.verdict.decision == "ship"
    assert "New pricing is better" in found.verdict.headline
    assert "by drawing the schedule again" in found.verdict.explanation
    (one,) = found.metrics[0].comparisons
    assert one.reading is Reading.BETTER
    assert found.metrics[0].name == "Orders an hour"
    assert one.difference == pytest.approx(1.6, abs=0.4)  # 3 orders in 2 hours, or in 1 h 40 after a switch
    assert found.switchback is not None
    assert found.switchback.control_blocks + found.switchback.treated_blocks == 48
    assert [one.region for one in found.switchback.regions] == ["berlin", "hamburg"]


def test_result__no_effect__shows_no_clear_change(shop):
    tested = switchback(shop)
    market(shop, tested, gain=0)
    assert read(tested).verdict.headline == "Orders shows no clear change."


def test_result__before_the_end__keeps_running_unless_it_is_clearly_worse(shop):
    tested = switchback(shop)
    market(shop, tested, gain=-3)
    found = read(tested, START + timedelta(days=1, hours=20))
    assert found.verdict.decision == "do not ship"
    other = switchback(builders.project("another"))
    market(other.project, other, gain=3)
    assert read(other, START + timedelta(days=1, hours=20)).verdict.decision == "keep running"


def test_result__the_first_minutes_after_a_switch__are_left_out(shop):
    tested = switchback(shop)
    market(shop, tested, gain=0, early=4)
    values = [(point.region, point.value) for point in read(tested).switchback.points]  # type: ignore[union-attr]
    design = result.design_of(tested)
    whole = slots(design, tested.salt, [5000, 5000], 10_000, START, START + timedelta(days=2))
    for slot, (region, value) in zip(whole, values, strict=True):
        count = 3 + (slot.block % 3) + (4 if region == "berlin" else 0)
        assert value == pytest.approx(count / (100 / 60) if slot.switched else (count + 4) / 2)


def test_result__a_mean_of_a_property__leaves_out_blocks_without_one(shop):
    tested = switchback(shop, kind="mean", metric={"property": "minutes"})
    design = result.design_of(tested)
    for slot in slots(design, tested.salt, [5000, 5000], 10_000, START, START + timedelta(days=2))[:-3]:
        order(
            shop, slot.region, slot.begins + timedelta(minutes=30), minutes=20 + slot.block % 5 / 4 - 2 * slot.treated
        )
    found = read(tested)
    checks = {check.key: check for check in found.health.checks}
    assert checks["empty"].summary == "3 of 48 are left out"
    assert found.metrics[0].comparisons[0].difference == pytest.approx(-2, abs=0.5)


def test_result__events_of_other_regions__are_said_and_count_for_none(shop):
    tested = switchback(shop)
    market(shop, tested, gain=0)
    before = read(tested).metrics[0].comparisons[0].value
    for _ in range(100):
        order(shop, None, START + timedelta(hours=5))
    found = read(tested)
    assert found.metrics[0].comparisons[0].value == pytest.approx(before)
    assert {check.key: check.ok for check in found.health.checks}["regions"] is False
    assert found.health.trustworthy


def test_health__a_block_served_the_other_variant__is_not_believed(shop):
    tested = switchback(shop)
    market(shop, tested, gain=3)
    design = result.design_of(tested)
    slot = slots(design, tested.salt, [5000, 5000], 10_000, START, END)[0]
    wrong = tested.variants.get(position=0 if slot.treated else 1)
    Enrolment.objects.create(
        experiment=tested, unit=f"{slot.region}|{slot.block}", variant=wrong, first_at=START, bucket=0
    )
    found = read(tested)
    assert found.verdict.decision == "not trustworthy"
    assert not found.health.trustworthy


def test_result__one_market_without_regions__takes_turns_as_a_whole(shop):
    tested = switchback(shop, design={"regions": []})
    design = result.design_of(tested)
    for slot in slots(design, tested.salt, [5000, 5000], 10_000, START, START + timedelta(days=2)):
        for number in range(3 + slot.block % 3 + 4 * slot.treated):
            order(shop, None, slot.begins + timedelta(minutes=30 + number))
    assert read(tested).verdict.decision == "ship"


def test_result__the_same_log__gives_the_same_p_value_again(shop):
    tested = switchback(shop)
    market(shop, tested, gain=1)
    found = [read(tested).switchback for _ in range(2)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].randomisation_p_value == found[1].randomisation_p_value


def test_result__nothing_yet__is_too_early(shop):
    assert read(switchback(shop), START + timedelta(hours=3)).verdict.decision == "too early"


def test_pause__a_switchback__is_refused_because_its_design_would_have_holes(shop):
    with pytest.raises(RefusedError, match="holes in its design"):
        pause(switchback(shop), None, "")


def test_page__a_switchback__shows_effects_regions_and_what_runs_next(
    client_of_alice, client_of_charlie, shop, django_assert_max_num_queries
):
    tested = switchback(shop)
    market(shop, tested, gain=3)
    builders.snapshot(tested, read(tested))
    address = reverse("experiment_results", args=["shop", "surge"])
    with django_assert_max_num_queries(14):
        page = client_of_alice.get(address).content.decode()
    for words in ("Orders an hour", "switchback-blocks", "By region", "next blocks", "drawing the schedule again"):
        assert words in page
    assert 'style="' not in page
    assert client_of_charlie.get(address).status_code == 404

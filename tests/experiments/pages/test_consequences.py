from dataclasses import replace

from experiments.domain.lifecycle import Status
from experiments.pages import consequences
from experiments.pages.consequences import Situation

RUNNING = Situation(
    status=Status.RUNNING,
    variants=(("Control", 5000), ("New ranker", 5000)),
    allocation=2500,
    is_targeted=True,
    held_out=500,
    overrides=2,
)


def sees(now: Situation, then: Situation) -> dict[str, str]:
    return {line.who.split(":")[0]: line.then.sees for line in consequences.lines(now, then)}


def test_lines__every_group_that_exists__is_named_once():
    who = [line.who for line in consequences.lines(RUNNING, consequences.after_pause(RUNNING))]
    assert who == [
        "Control: 50 % of the users in the experiment",
        "New ranker: 50 % of the users in the experiment",
        "Users outside its traffic (75 %)",
        "Users who do not match the targeting",
        "Users in the holdout (5 % of all)",
        "QA overrides (2)",
    ]


def test_lines__everyone_is_in__has_the_variants_alone():
    simple = replace(RUNNING, allocation=10_000, is_targeted=False, held_out=0, overrides=0)
    assert len(consequences.lines(simple, consequences.after_stop(simple))) == 2


def test_pause__everyone_sees_the_control_and_the_exposed_stay_counted():
    lines = consequences.lines(RUNNING, consequences.after_pause(RUNNING))
    assert {line.then.sees for line in lines} == {"Control"}
    assert "Nobody new" in lines[1].then.analysed
    assert [line.changes for line in lines] == [True, True, False, False, False, True]


def test_ship__with_a_holdback__keeps_a_part_of_the_old_control_alone():
    shipped = consequences.after_ship(RUNNING, "New ranker", share=10_000, holdback=200)
    seen = sees(RUNNING, shipped)
    assert seen["Control"] == "New ranker, except those held back (2 % of all): they keep Control"
    assert seen["New ranker"] == "New ranker"
    assert seen["Users outside its traffic (75 %)"] == "New ranker"
    assert seen["Users who do not match the targeting"] == "Control"


def test_ship__in_steps__says_who_is_first():
    seen = sees(RUNNING, consequences.after_ship(RUNNING, "New ranker", share=500, holdback=0))
    assert seen["New ranker"] == "New ranker for 5 % of all at first, Control for the rest"


def test_stop__everyone_sees_the_control_and_what_happened_counts():
    lines = consequences.lines(RUNNING, consequences.after_stop(RUNNING))
    assert {line.then.sees for line in lines} == {"Control"}
    assert lines[0].then.analysed == "Yes, what happened up to the stop"

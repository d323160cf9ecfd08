"""The runner behind `make calibrate`: what passes, what it writes, and that every scenario is found."""

import math

import pytest

from benchmarks.calibration import MODULES, SCENARIOS
from benchmarks.calibration.__main__ import added, main, page, run
from benchmarks.calibration.figures import Figure, at_most, near


def figure(measured: float, **changes: object) -> Figure:
    asked: dict[str, object] = {"method": "Welch", "scenario": "no effect", "what": "called", "low": 0.04, "high": 0.06}
    return Figure(**{**asked, **changes}, measured=measured)  # type: ignore[arg-type]


def test_figure__within_its_range__passes_and_not_a_number_never():
    assert figure(0.05).passed
    assert not figure(0.061).passed
    assert not figure(math.nan, low=-math.inf).passed


def test_ranges__three_standard_errors():
    assert near(0.05, 10_000) == pytest.approx({"low": 0.05 - 0.00654, "high": 0.05 + 0.00654}, abs=1e-5)
    assert at_most(0.05, 10_000) == pytest.approx({"high": 0.05654}, abs=1e-5)


def test_page__a_figure_out_and_a_control__are_said_in_words():
    text = page([figure(0.5), figure(0.05, control=True, runs=2000)], 90.0)
    assert "**1 out of tolerance.**" in text
    assert "**! out**" in text
    assert "*(must fail)*" in text
    assert "| 2,000 |" in text


def test_added__rows_of_a_few_scenarios__take_their_place_and_leave_the_others_as_they_were():
    before = page([figure(0.05), figure(0.055, scenario="skewed")], 90.0)
    after = added(before, [figure(0.058, scenario="skewed"), figure(0.5, scenario="new")])
    assert [row for row in before.splitlines() if "no effect" in row] == [
        row for row in after.splitlines() if "no effect" in row
    ]
    assert [row.split(" | ")[1:6:4] for row in after.splitlines()[-3:]] == [
        ["no effect", "0.0500"], ["skewed", "0.0580"], ["new", "0.5000"],
    ]  # fmt: skip
    assert "**1 out of tolerance.** Measured on" in after
    assert "by themselves: Welch.\n\n| method |" in after


def test_scenarios__every_module_has_some_and_their_names_differ():
    owners = {one.__module__ for one in SCENARIOS.values()}
    assert owners == {module.__name__ for module in MODULES}
    assert len(SCENARIOS) >= 30


def test_run__published_tables__are_met():
    name, figures, _ = run("tables")
    assert name == "tables"
    assert all(one.passed for one in figures)
    assert len(figures) == 5


def test_main__unknown_scenario__says_which_there_are(capsys):
    assert main(["--only", "nothing-like-it"]) == 2
    assert "brownian" in capsys.readouterr().err

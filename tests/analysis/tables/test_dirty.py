"""What the command does with rows that are not as they should be, and that it says so."""

import numpy as np
import pytest

from tests.analysis.tables.conftest import SHOP, USUAL, Write, comparison, report, shop

REVENUE = ("--metric", "revenue=revenue:mean")


def said(found: dict, part: str, where: str = "warnings") -> bool:
    return any(part in line for line in found["health"][where])


def test_unit_in_two_variants__is_left_out_of_every_number(write: Write):
    rows = shop()
    clean = report(write(SHOP, [row for row in rows if row[0] != "u0"]), *USUAL, *REVENUE)
    found = report(write(SHOP, [*rows, ["u0", "new", 1, 1e6, 1, 1, "a"]]), *USUAL, *REVENUE)
    assert found["health"]["quarantined_units"] == 1
    assert said(found, "several variants")
    assert comparison(found, "revenue")["difference"] == pytest.approx(comparison(clean, "revenue")["difference"])
    assert found["verdict"]["decision"] == "ship"


def test_many_units_in_several_variants__the_unit_is_not_the_randomised_one(write: Write):
    rng = np.random.default_rng(1)
    rows = [[f"u{rng.integers(500)}", "new" if rng.random() < 0.5 else "old", rng.normal()] for _ in range(3000)]
    found = report(write(("user", "variant", "revenue"), rows), *USUAL, *REVENUE)
    assert said(found, "not what was randomised")
    assert found["verdict"]["decision"] == "not trustworthy"
    assert comparison(found, "revenue")["reading"] == "Not trustworthy"


def test_repeated_rows__of_a_user_level_file__are_dropped_and_counted(write: Write):
    rows = shop()
    clean = comparison(report(write(SHOP, rows), *USUAL, *REVENUE), "revenue")
    found = report(write(SHOP, [*rows, *rows[:25]]), *USUAL, *REVENUE)
    assert found["health"]["duplicate_rows"] == 25
    assert said(found, "were dropped", "notes")
    assert comparison(found, "revenue")["mean"] == pytest.approx(clean["mean"])


def test_repeated_rows__of_an_event_file__are_kept_unless_they_carry_a_time(write: Write):
    rows = [[f"u{i % 400}", "new" if i % 2 else "old", 1 + i // 400 % 3, "2026-03-02 10:00"] for i in range(2000)]
    file = write(("user", "variant", "revenue", "at"), rows)
    kept = report(file, *USUAL, *REVENUE)
    dropped = report(file, *USUAL, *REVENUE, "--time", "at")
    assert kept["health"]["duplicate_rows"] == dropped["health"]["duplicate_rows"] == 800
    assert comparison(kept, "revenue")["mean"] == pytest.approx(9)
    assert comparison(dropped, "revenue")["mean"] == pytest.approx(6)


def test_without_unit__equal_rows_are_units_of_their_own(write: Write):
    rows = [["new" if i % 2 else "old", i % 3] for i in range(900)]
    found = report(write(("variant", "revenue"), rows), "--variant", "variant", "--control", "old", *REVENUE)
    assert found["health"]["duplicate_rows"] == 0
    assert comparison(found, "revenue")["n"] == 450


def test_several_rows_of_a_unit__are_added_up_before_squaring(write: Write):
    rng = np.random.default_rng(2)
    rows = [[f"u{i}", "new" if i % 2 else "old", rng.normal(5)] for i in range(500) for _ in range(3)]
    found = report(write(("user", "variant", "revenue"), rows), *USUAL, *REVENUE)
    totals = np.array([float(row[2]) for row in rows]).reshape(500, 3).sum(axis=1)
    expected = np.sqrt(totals[::2].var(ddof=1) / 250 + totals[1::2].var(ddof=1) / 250)
    assert comparison(found, "revenue")["standard_error"] == pytest.approx(expected)
    assert said(found, "added up", "notes")


def test_missing_values__count_as_zero_for_counts_and_are_left_out_of_means(write: Write):
    rows = [[f"u{i}", "new" if i % 2 else "old", "" if i % 10 < 2 else 4] for i in range(1000)]
    rows[3][2], rows[4][2] = "NA", 5
    found = report(write(("user", "variant", "x"), rows), *USUAL, "--metric", "m=x:mean", "--metric", "c=x:count")
    assert found["health"]["missing"] == {"x": 201}
    assert comparison(found, "m")["n"] == 399
    assert comparison(found, "c")["n"] == 500
    assert comparison(found, "c")["mean"] == pytest.approx(4 * 399 / 500)
    assert said(found, "count as 0", "notes")
    assert said(found, "were left out", "notes")


def test_missing_more_often_in_one_variant__is_said(write: Write):
    rows = [[f"u{i}", "new" if i % 2 else "old", "" if i % 2 and i % 3 == 0 else i % 7] for i in range(2000)]
    found = comparison(report(write(("user", "variant", "x"), rows), *USUAL, "--metric", "x=x:mean"), "x")
    assert any("missing more often in one variant" in warning for warning in found["warnings"])


def test_missing_covariate__gets_an_indicator_and_loses_no_unit(write: Write):
    rows = shop()
    for row in rows[::7]:
        row[2] = ""
    found = report(write(SHOP, rows), *USUAL, *REVENUE, "--covariate", "revenue=before")
    assert comparison(found, "revenue")["n"] == 1000
    assert said(found, "indicator", "notes")


def test_covariate_that_the_treatment_changed__is_said(write: Write):
    options = ("--metric", "bought=bought", "--covariate", "bought=revenue")
    found = comparison(report(write(SHOP, shop(effect=3)), *USUAL, *options), "bought")
    assert any("not measured before" in warning for warning in found["warnings"])


def test_lines_of_another_length__are_left_out_and_counted(write: Write):
    rows: list = shop()
    rows.insert(5, ["u-short", "new"])
    rows.insert(50, ["u-long", "new", 1, 2, 0, 1, "a", "b", "c"])
    found = report(write(SHOP, rows), *USUAL, *REVENUE)
    assert found["health"]["mismatched_rows"] == 2
    assert found["health"]["rows"] == 2000
    assert said(found, "line 7", "notes")


def test_lines_that_are_no_utf8__are_left_out_and_counted(write: Write):
    file = write(SHOP, shop())
    file.write_bytes(file.read_bytes() + b"u-x,new,1,2,0,1,\xff\xfe\r\n")
    found = report(file, *USUAL, *REVENUE)
    assert (found["health"]["mismatched_rows"], found["health"]["rows"]) == (1, 2000)


def test_rows_without_unit_or_variant__are_left_out_and_counted(write: Write):
    rows = [*shop(), *[["", "new", 1, 1, 1, 1, "a"]] * 2, ["u9999", "", 1, 1, 1, 1, "a"]]
    found = report(write(SHOP, rows), *USUAL, *REVENUE)
    assert found["health"]["missing"] == {"user": 2, "variant": 1}
    assert found["health"]["duplicate_rows"] == 0
    assert sum(found["health"]["srm"]["counts"].values()) == 2000


def test_outliers_that_carry_the_difference__are_said(write: Write):
    rows = shop(effect=0.0)
    rows[1][3], rows[3][3] = 9000.0, 8000.0
    found = comparison(report(write(SHOP, rows), *USUAL, *REVENUE), "revenue")
    assert any(warning.startswith("Outliers: the largest 2 units carry") for warning in found["warnings"])


def test_units_at_one_cap__are_no_outliers(write: Write):
    found = comparison(report(write(SHOP, shop(effect=0.3)), *USUAL, *REVENUE, "--cap", "revenue=p90"), "revenue")
    assert not any(warning.startswith("Outliers") for warning in found["warnings"])


def test_honest_metric__warns_of_no_outliers(write: Write):
    found = report(write(SHOP, shop(effect=1.0)), *USUAL, *REVENUE)
    assert comparison(found, "revenue")["warnings"] == []
    assert found["health"]["warnings"] == []


def test_split_broken_on_a_day_and_in_a_segment__while_the_total_is_fine__is_said(write: Write):
    rows = []
    for i in range(4000):
        share = 0.5 if i >= 1000 else 0.65 if i < 500 else 0.35
        rows.append(
            [
                f"u{i}",
                "new" if (i * 0.6180339887) % 1 < share else "old",
                i % 5,
                f"2026-03-{2 + i // 500:02d}",
                i // 500,
            ]
        )
    file = write(("user", "variant", "x", "day", "browser"), rows)
    found = report(file, *USUAL, "--metric", "x=x:mean", "--time", "day", "--segment", "browser")
    assert found["health"]["srm"]["p_value"] > 0.05
    assert said(found, "within day 2026-03-0")
    assert said(found, "within browser ")


def test_broken_split__withholds_the_readings_and_asks_for_weights(write: Write):
    rows = [row for i, row in enumerate(shop()) if i % 20 < 15 or i % 2]
    file = write(SHOP, rows)
    found = report(file, *USUAL, *REVENUE)
    assert found["verdict"]["decision"] == "not trustworthy"
    assert said(found, "--weights")
    counts = found["health"]["srm"]["counts"]
    designed = report(file, *USUAL, *REVENUE, "--weights", f"old={counts['old']},new={counts['new']}")
    assert designed["verdict"]["decision"] != "not trustworthy"


def test_segments__levels_differ__heterogeneity_is_found(write: Write):
    rng = np.random.default_rng(9)
    rows = [
        [f"u{i}", "new" if i % 2 else "old", rng.normal() + (i % 2) * (i % 4 > 1), "ab"[i % 4 > 1]] for i in range(4000)
    ]
    found = report(write(("user", "variant", "x", "page"), rows), *USUAL, "--metric", "x=x", "--segment", "page")
    (page,) = found["segments"]
    assert page["heterogeneity_p_value"] < 1e-6
    assert [level["level"] for level in page["levels"]] == ["a", "b"]
    assert page["levels"][0]["difference"] == pytest.approx(0, abs=0.15)
    assert page["levels"][1]["difference"] == pytest.approx(1, abs=0.15)

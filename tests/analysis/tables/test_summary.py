"""Aggregated rows over time: the peeking count, the always-valid count, and what is refused."""

import json
import re
from io import StringIO
from pathlib import Path

import duckdb
import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from scipy import stats

from tests.analysis.tables.conftest import Write

ASOS = Path(__file__).resolve().parents[4] / "shared" / "data" / "asos" / "asos_dev.csv.gz"
WIDE = (
    "experiment=experiment_id,variant=variant_id,metric=metric_id,date=time_since_start,n=count_t,mean=mean_t,"
    "variance=variance_t,control_n=count_c,control_mean=mean_c,control_variance=variance_c"
)
LONG = "date=day,variant=arm,n=n,mean=mean,variance=variance"
NAMES = ("day", "arm", "n", "mean", "variance")


def summary(file: Path, *options: str) -> dict:
    out = StringIO()
    call_command("analyse_summary", str(file), *options, "--format", "json", stdout=out)
    return dict(json.loads(out.getvalue()))


@pytest.mark.skipif(not ASOS.exists(), reason="the ASOS data are not beside this checkout")
def test_asos__peeking_calls_what_the_readme_counts_and_the_sequential_reading_fewer():
    found = summary(ASOS, "--columns", WIDE)
    assert len({one["experiment"] for one in found["series"]}) == 46
    assert found["series_count"] == 236
    assert found["called_by_peeking"] == 129
    assert found["significant_at_the_end"] == 59
    assert found["called_sequentially"] == 37
    assert found["health"]["srm"] is None


def test_one_look__is_welch(write: Write):
    rows = [[1, "old", 900, 5.0, 4.0], [1, "new", 1000, 5.2, 9.0]]
    (one,) = summary(write(NAMES, rows), "--columns", LONG, "--control", "old")["series"]
    oracle = stats.ttest_ind_from_stats(5.2, 3.0, 1000, 5.0, 2.0, 900, equal_var=False)
    assert one["looks"][0]["p_value"] == pytest.approx(oracle.pvalue)
    assert one["looks"][0]["always_valid_p_value"] > oracle.pvalue


def test_daily_rows__add_up_to_the_cumulative_ones(write: Write):
    rng = np.random.default_rng(6)
    values = {arm: rng.normal(size=(5, 200)) for arm in ("old", "new")}
    daily = [[d, arm, 200, v[d].sum(), (v[d] ** 2).sum()] for arm, v in values.items() for d in range(5)]
    so_far = [
        [d, arm, 200 * (d + 1), v[: d + 1].mean(), v[: d + 1].var(ddof=1)]
        for arm, v in values.items()
        for d in range(5)
    ]
    by_day = write(("day", "arm", "n", "total", "squares"), daily, "daily.csv")
    columns = "date=day,variant=arm,n=n,sum=total,sumsq=squares"
    first = summary(by_day, "--columns", columns, "--control", "old", "--daily")
    other = summary(write(NAMES, so_far), "--columns", LONG, "--control", "old")
    for one, two in zip(first["series"][0]["looks"], other["series"][0]["looks"], strict=True):
        assert one["p_value"] == pytest.approx(two["p_value"])


def test_no_effect__peeking_calls_often_and_the_always_valid_reading_seldom(write: Write):
    rng = np.random.default_rng(7)
    rows = []
    for experiment in range(300):
        for arm in ("old", "new"):
            values = rng.normal(size=(20, 500)).cumsum(axis=0).sum(axis=1)
            rows += [[d, arm, 500 * (d + 1), values[d] / (500 * (d + 1)), 1.0, experiment] for d in range(20)]
    columns = LONG + ",experiment=experiment"
    found = summary(write((*NAMES, "experiment"), rows), "--columns", columns, "--control", "old")
    assert found["called_by_peeking"] > 45  # 20 looks: about a quarter of 300
    assert found["called_sequentially"] <= 20  # at most 5 % of 300, and three standard deviations


def test_rows_without_variance__are_counted_and_left_out(write: Write):
    rows = [[d, arm, 1000, 5, "" if d == 2 else 4] for arm in ("old", "new") for d in range(4)]
    found = summary(write(NAMES, rows), "--columns", LONG, "--control", "old")
    assert found["health"]["skipped_rows"] == 2
    assert len(found["series"][0]["looks"]) == 3


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ("date=day,variant=arm,n=n,mean=mean", ("--control", "old"), "does not say where variance or sumsq stands"),
        ("date=day,arm=arm", ("--control", "old"), "'arm=arm' is not understood"),
        (
            LONG.replace("mean=mean", "mean=avg"),
            ("--control", "old"),
            "there is no column 'avg'; the file has day, arm",
        ),
        (LONG, ("--control", "A"), "no row has the variant 'A'; it holds new, old"),
        (LONG, (), "--control is needed"),
        (LONG.replace("n=n", "n=arm"), ("--control", "old"), "row 1: n is 'old', which is no number"),
        (LONG, ("--control", "old", "--alpha", "2"), "--alpha 2: give a risk above 0"),
        (LONG, ("--control", "old", "--planned-units", "0"), "--planned-units 0: give a number of units above 0"),
    ],
)
def test_what_does_not_fit__is_one_line(write: Write, columns: str, options: tuple[str, ...], expected: str):
    file = write(NAMES, [[1, "old", 900, 5.0, 4.0], [1, "new", 1000, 5.2, 9.0]])
    with pytest.raises(CommandError) as refused:
        call_command("analyse_summary", str(file), "--columns", columns, *options)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode == 2


def test_a_date_twice__asks_for_the_metric(write: Write):
    rows = [[1, "old", 900, 5.0, 4.0], [1, "old", 900, 5.0, 4.0], [1, "new", 900, 5.0, 4.0]]
    with pytest.raises(CommandError, match="row 2: 'old' has '1' twice"):
        summary(write(NAMES, rows), "--columns", LONG, "--control", "old")


def test_parquet_and_other_delimiters__give_the_same_series(write: Write, tmp_path: Path):
    rows = [[d, arm, 1000 * d, 5 + (arm == "new") * 0.1, 4.0] for arm in ("old", "new") for d in (1, 2, 3)]
    file = write(NAMES, rows)
    semicolons, parquet = tmp_path / "semicolons.csv", tmp_path / "table.parquet"
    semicolons.write_text(file.read_text().replace(",", ";"))
    duckdb.sql(f"COPY (FROM read_csv('{file}')) TO '{parquet}' (FORMAT parquet)")
    found = [summary(one, "--columns", LONG, "--control", "old")["series"] for one in (file, semicolons, parquet)]
    assert [look["n"] for look in found[0][0]["looks"]] == [1000, 2000, 3000]
    assert found[0] == found[1] == found[2]


def test_html__is_one_page_with_every_series_and_asks_for_nothing(write: Write):
    rows = [
        [d, arm, 1000 * d, 5 + (arm == "new") * 0.1, 4.0, metric]
        for metric in ("<b>revenue", "clicks")
        for arm in ("old", "new")
        for d in (1, 2, 3)
    ]
    out = StringIO()
    options = ("--columns", LONG + ",metric=metric", "--control", "old", "--format", "html")
    call_command("analyse_summary", str(write((*NAMES, "metric"), rows)), *options, stdout=out)
    page = out.getvalue()
    assert page.startswith("<!doctype html>")
    assert "<b>revenue" not in page
    assert page.count('<th scope="row">') == 2
    assert not re.search(r"""<(?:link|img|iframe)\b|<script[^>]*\bsrc=|@import|url\(""", page.split("<script>")[0])
    figures = json.loads(re.search(r'<script id="figures"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert set(figures) == {"calls", "series-0", "series-1"}
    peeking, always = (trace["y"] for trace in figures["calls"]["data"])
    assert len(peeking) == 3
    assert all(more >= less for more, less in zip(peeking, always, strict=True))

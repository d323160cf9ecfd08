"""What cannot be done is one clear line that says what to do, and exit status 2."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from tests.analysis.tables.conftest import SHOP, USUAL, Write, report, shop, text

ROOT = Path(__file__).resolve().parents[3]
REVENUE = ("--metric", "revenue=revenue")


def refusal(file: Path, *options: str) -> str:
    with pytest.raises(CommandError) as refused:
        text(file, *options)
    line = str(refused.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--metric", "r=revenu"),
            "--metric r: there is no column 'revenu'; the file has user, variant, before, revenue",
        ),
        ((*REVENUE, "--segment", "browser"), "--segment: there is no column 'browser'"),
        ((*REVENUE, "--time", "day"), "--time: there is no column 'day'"),
        ((*REVENUE, "--covariate", "revenue=past"), "there is no column 'past'"),
        (("--metric", "p=page"), "the column 'page' is not a number: row 1 holds 'a'"),
        ((*REVENUE, "--time", "page"), "the column 'page' is not a time such as 2026-03-02"),
        (("--metric", "p=revenue:proportion"), "cannot be the proportion 'p', which is 0 or 1 a unit: row 1 holds"),
        ((*REVENUE, "--weights", "old=1"), "--weights 'old=1' do not fit"),
        ((*REVENUE, "--weights", "old=1,neu=1"), "--weights do not fit: no share for new"),
        ((*REVENUE, "--weights", "old,new"), "is not understood; write every variant as VALUE=SHARE"),
        ((), "no --metric was given"),
        (("--metric", "revenue"), "is not understood; write NAME=COL"),
        (("--metric", "r=revenue:median"), "unknown type 'median'"),
        (("--metric", "r=revenue:quantile"), "a level goes with quantile"),
        (("--metric", "r=revenue:quantile:95"), "a quantile's level lies between 0 and 1"),
        (("--metric", "r=revenue:ratio"), "a ratio needs two columns"),
        ((*REVENUE, *REVENUE), "was given twice"),
        (
            (*REVENUE, "--guardrail", "latency:0.02"),
            "--guardrail names the metric 'latency', but --metric gives revenue",
        ),
        ((*REVENUE, "--guardrail", "revenue:much"), "'much' is no number"),
        ((*REVENUE, "--guardrail", "revenue:2"), "from 0 to below 1"),
        ((*REVENUE, "--lower-is-better", "x"), "--lower-is-better names the metric 'x'"),
        (("--metric", "p=bought:mean", "--cap", "p=p50"), "the smallest value there is"),
        (("--metric", "r=revenue/sessions:ratio", "--cap", "r=5"), "--cap r is not available for a ratio"),
        (
            ("--metric", "q=revenue:quantile:.5", "--covariate", "q=before"),
            "--covariate q is not available for a quantile",
        ),
        ((*REVENUE, "--covariate", "revenue=revenue"), "the metric's own column"),
        ((*REVENUE, "--alpha", "5"), "--alpha 5: give a risk above 0"),
        ((*REVENUE, "--segment", "user"), "2,000 different values"),
        ((*REVENUE, "--planned-units", "5000"), "--planned-units goes with --sequential"),
    ],
)
def test_options_that_do_not_fit__are_one_line(write: Write, options: tuple[str, ...], expected: str):
    assert expected in refusal(write(SHOP, shop()), *USUAL, *options)


def test_unknown_control__says_which_values_there_are(write: Write):
    line = refusal(write(SHOP, shop()), "--variant", "variant", "--control", "A", *REVENUE)
    assert line == "--control: no row of 'variant' has the value 'A'; it holds new, old"


def test_variant_column_of_many_values__is_refused(write: Write):
    assert "more than 50 values" in refusal(write(SHOP, shop()), "--variant", "user", "--control", "u1", *REVENUE)


def test_one_variant_only__has_nothing_to_compare(write: Write):
    rows = [row for row in shop() if row[1] == "old"]
    assert "every row is 'old'" in refusal(write(SHOP, rows), *USUAL, *REVENUE)


def test_word_in_a_number_column__names_the_first_row(write: Write):
    rows = shop()
    rows[41][3], rows[77][3] = "12,50 EUR", "?"
    line = refusal(write(SHOP, rows), *USUAL, *REVENUE)
    assert line.startswith("the column 'revenue' is not a number: row 42 holds '12,50 EUR'")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"user,variant,revenue\n", "is empty"),
        (b"PK\x03\x04 sheet", "zip or Excel file"),
        (b"\x00\x01\x02\x03 nothing\n", "neither CSV nor Parquet"),
        (b"just a line of words\nand another\n", "neither CSV nor Parquet"),
        (b"PAR1 but no more", "cannot be read as Parquet"),
        (b"\x1f\x8b\x08\x00 broken", "damaged gzip"),
    ],
)
def test_files_that_are_no_table__are_one_line(tmp_path: Path, content: bytes, expected: str):
    file = tmp_path / "file"
    file.write_bytes(content)
    assert expected in refusal(file, *USUAL, *REVENUE)


def test_file_that_is_not_there__is_one_line(tmp_path: Path):
    assert "no such file" in refusal(tmp_path / "nowhere.csv", *USUAL, *REVENUE)


def test_command__works_without_database_and_broker(write: Write):
    nowhere = {
        **os.environ,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "TRUELIFT_HOME": str(write(SHOP, shop()).parent / "home"),
    }
    command = [sys.executable, str(ROOT / "manage.py"), "analyse_table", str(write(SHOP, shop())), *USUAL]
    done = subprocess.run([*command, *REVENUE], env=nowhere, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("SHIP: New raises revenue by")
    failed = subprocess.run(command, env=nowhere, capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 2
    assert len(failed.stderr.splitlines()) == 1
    typo = [*command, *REVENUE, "--format", "xml"]
    wrong = subprocess.run(typo, env=nowhere, capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2
    assert re.fullmatch(r".*analyse_table: argument --format: invalid choice: 'xml'.*; see --help\n", wrong.stderr)


def test_names__quotes_and_odd_columns__are_only_names(write: Write):
    names = ('us"er', "vari'ant", "re;venue")
    rows = [[f"u{i}", "it's new" if i % 2 else 'o"ld', i % 7] for i in range(1000)]
    options = ("--unit", 'us"er', "--variant", "vari'ant", "--control", 'o"ld', "--metric", "r=re;venue:quantile:0.5")
    found = report(write(names, rows), *options, "--metric", "m=re;venue", "--segment", "re;venue")
    assert found["metrics"][0]["comparisons"][0]["variant"] == "it's new"

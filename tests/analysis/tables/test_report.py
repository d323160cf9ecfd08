"""The report's shape, roles and verdict, from every kind of file."""

import gzip
import json
import re
import shutil
from pathlib import Path

import duckdb
import jsonschema
import pytest

from tests.analysis.tables.conftest import SHOP, USUAL, Write, comparison, report, shop, text

REVENUE = ("--metric", "revenue=revenue")
_NUMBER = {"type": ["number", "null"]}
_INTERVAL = {"type": ["array", "null"], "items": _NUMBER, "minItems": 2, "maxItems": 2}
_WORDS = {"type": "array", "items": {"type": "string"}}


def _object(**properties: object) -> dict:
    return {"type": "object", "required": list(properties), "properties": properties}


PUBLISHED = _object(
    schema={"const": 1},
    health=_object(
        srm=_object(p_value=_NUMBER, counts={"type": "object"}, expected={"type": "object"}),
        quarantined_units={"type": "integer"},
        duplicate_rows={"type": "integer"},
        missing={"type": "object", "additionalProperties": {"type": "integer"}},
        warnings=_WORDS,
    ),
    metrics={
        "type": "array",
        "items": _object(
            name={"type": "string"},
            type={"enum": ["proportion", "mean", "count", "ratio", "quantile"]},
            role={"enum": ["primary", "guardrail", "secondary"]},
            comparisons={
                "type": "array",
                "items": _object(
                    variant={"type": "string"},
                    control={"type": "string"},
                    n={"type": "integer"},
                    control_n={"type": "integer"},
                    mean=_NUMBER,
                    control_mean=_NUMBER,
                    difference=_NUMBER,
                    difference_interval=_INTERVAL,
                    lift=_NUMBER,
                    lift_interval=_INTERVAL,
                    p_value=_NUMBER,
                    adjusted_p_value=_NUMBER,
                    reading={"enum": ["Better", "Worse", "No clear change", "Too early", "Not trustworthy"]},
                    warnings=_WORDS,
                ),
            },
        ),
    },
    verdict=_object(decision={"type": "string"}, sentence={"type": "string"}, reasons=_WORDS),
)


def test_json__has_every_published_name(write: Write):
    metrics = (*REVENUE, "--metric", "b=bought", "--metric", "c=sessions:count", "--metric", "r=revenue/sessions:ratio")
    more = ("--metric", "q=revenue:quantile:0.9", "--metric", "far=revenue:quantile:0.9999", "--guardrail", "b:5%")
    found = report(write(SHOP, shop()), *USUAL, *metrics, *more, "--segment", "page")
    jsonschema.validate(found, PUBLISHED)
    assert [one["type"] for one in found["metrics"]] == ["mean", "proportion", "count", "ratio", "quantile", "quantile"]
    assert [one["role"] for one in found["metrics"]] == ["primary", "guardrail", *["secondary"] * 4]


def test_first_metric__is_primary_unless_it_is_a_guardrail(write: Write):
    options = ("--metric", "b=bought", *REVENUE, "--guardrail", "b:0.05")
    found = report(write(SHOP, shop()), *USUAL, *options)
    assert [one["role"] for one in found["metrics"]] == ["guardrail", "primary"]


def test_guardrail__beyond_its_limit__stops_the_shipping(write: Write):
    rows = [[*row, 300 + (40 if row[1] == "new" else 0) + i % 11] for i, row in enumerate(shop())]
    options = ("--metric", "ms=ms", "--guardrail", "ms:0.02", "--lower-is-better", "ms")
    found = report(write((*SHOP, "ms"), rows), *USUAL, *REVENUE, *options)
    assert comparison(found, "ms")["reading"] == "Worse"
    assert comparison(found, "ms")["margin_crossed"] is True
    assert found["verdict"]["decision"] == "look before you ship"
    often = report(write((*SHOP, "ms"), rows), *USUAL, *REVENUE, *options, "--sequential")
    assert comparison(often, "ms")["margin_crossed"] is True


def test_swapped_variants__turn_the_sign_and_keep_p(write: Write):
    file = write(SHOP, shop())
    forth = comparison(report(file, *USUAL, *REVENUE), "revenue")
    back = comparison(
        report(file, "--unit", "user", "--variant", "variant", "--control", "new", *REVENUE), "revenue", "old"
    )
    assert back["difference"] == pytest.approx(-forth["difference"])
    assert back["p_value"] == pytest.approx(forth["p_value"])


def test_every_kind_of_file__gives_the_same_numbers(write: Write, tmp_path: Path):
    file = write(SHOP, shop())
    packed = tmp_path / "table.csv.gz"
    with file.open("rb") as plain, gzip.open(packed, "wb") as out:
        shutil.copyfileobj(plain, out)
    semicolons = tmp_path / "semicolons.csv"
    semicolons.write_text("\ufeff" + file.read_text().replace(",", ";"), encoding="utf-8")
    parquet = tmp_path / "table.parquet"
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{file}')) TO '{parquet}' (FORMAT parquet)")
    options = (*USUAL, *REVENUE, "--metric", "b=bought", "--segment", "page")
    first = report(file, *options)
    for other in (packed, semicolons, parquet):
        found = report(other, *options)
        assert comparison(found, "revenue")["p_value"] == pytest.approx(
            comparison(first, "revenue")["p_value"], rel=1e-9
        )
        assert comparison(found, "b")["difference"] == comparison(first, "b")["difference"]
        assert found["health"] == first["health"]


def test_variant_of_weight_0_without_units__takes_no_share_of_the_risk(write: Write):
    found = report(write(SHOP, shop()), *USUAL, *REVENUE, "--weights", "old=1,new=1,retired=0")
    (row,) = found["metrics"][0]["comparisons"]
    assert row["alpha"] == pytest.approx(0.05)


def test_planned_variant_without_units__breaks_the_split(write: Write):
    found = report(write(SHOP, shop()), *USUAL, *REVENUE, "--weights", "old=1,new=1,lost=1")
    assert found["health"]["srm"]["counts"]["lost"] == 0
    assert found["verdict"]["decision"] == "not trustworthy"
    assert comparison(found, "revenue", "lost")["difference"] is None


def test_three_arms__share_the_primary_metrics_risk(write: Write):
    rows = [[f"u{i}", ("old", "new", "other")[i % 3], i % 7] for i in range(3000)]
    found = report(write(("user", "variant", "x"), rows), *USUAL, "--metric", "x=x")
    row = comparison(found, "x")
    assert row["alpha"] == pytest.approx(0.025)
    assert row["adjusted_p_value"] == pytest.approx(min(1, 2 * row["p_value"]))


def test_text__says_the_verdict_first_and_the_level_of_every_interval(write: Write):
    said = text(write(SHOP, shop()), *USUAL, *REVENUE, "--metric", "b=bought")
    assert said.startswith("SHIP: New raises revenue by ")
    assert "Better (95% interval)" in said
    assert "Planned duration: not known" in said


def test_html__is_one_page_that_asks_for_nothing_and_escapes_names(write: Write):
    rows = [
        [f"u{i}", "<b>new</b>" if i % 2 else "old", i % 7, "</script><i>x" if i % 4 > 1 else "b"] for i in range(2000)
    ]
    file = write(("user", "variant", "x", "page"), rows)
    page = text(file, *USUAL, "--metric", "x=x", "--segment", "page", "--format", "html")
    assert page.startswith("<!doctype html>")
    assert "<b>new" not in page
    assert "</script><i>" not in page
    assert not re.search(r"""<(?:link|img|iframe)\b|<script[^>]*\bsrc=|@import|url\(""", page.split("<script>")[0])
    figures = json.loads(re.search(r'<script id="figures"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert set(figures) == {"lifts", "segment-0"}
    assert all(figure["data"][0]["error_x"]["array"] for figure in figures.values())

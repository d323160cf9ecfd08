"""Published experiments, with the figures of their READMEs (computed independently with scipy and statsmodels)."""

import gzip
from pathlib import Path

import pytest

from tests.analysis.tables.conftest import comparison, report

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
HILLSTROM = DATA / "hillstrom_email" / "hillstrom.csv.gz"
BANDIT = DATA / "open_bandit" / "open_bandit_all_men.csv.gz"

needs_hillstrom = pytest.mark.skipif(not HILLSTROM.exists(), reason="the Hillstrom data are not beside this checkout")
needs_bandit = pytest.mark.skipif(not BANDIT.exists(), reason="the Open Bandit data are not beside this checkout")
ARMS = ("--variant", "segment", "--control", "No E-Mail")


@needs_hillstrom
def test_hillstrom__three_arms__agree_with_the_readme():
    metrics = ("--metric", "visit=visit", "--metric", "conversion=conversion:proportion", "--metric", "spend=spend")
    found = report(HILLSTROM, *ARMS, *metrics)
    assert found["health"]["srm"]["p_value"] == pytest.approx(0.904, abs=5e-4)
    assert found["health"]["srm"]["counts"] == {"No E-Mail": 21306, "Mens E-Mail": 21307, "Womens E-Mail": 21387}
    assert found["health"]["duplicate_rows"] == 0
    mens, womens = (comparison(found, "spend", f"{who} E-Mail") for who in ("Mens", "Womens"))
    assert mens["difference"] == pytest.approx(0.770, abs=5e-4)
    assert mens["difference_interval"] == pytest.approx([0.485, 1.055], abs=6e-4)
    assert mens["p_value"] == pytest.approx(1.2e-7, rel=0.05)
    assert womens["difference_interval"] == pytest.approx([0.169, 0.680], abs=6e-4)
    assert womens["p_value"] == pytest.approx(0.00113, abs=1e-5)
    assert comparison(found, "visit", "Mens E-Mail")["difference"] == pytest.approx(0.0766, abs=5e-5)
    assert comparison(found, "conversion", "Womens E-Mail")["p_value"] == pytest.approx(1.6e-4, rel=0.05)
    assert comparison(found, "visit", "Mens E-Mail")["alpha"] == pytest.approx(0.025)


@needs_hillstrom
def test_hillstrom__cuped_on_history__says_that_it_gains_almost_nothing():
    found = report(HILLSTROM, *ARMS, "--metric", "spend=spend", "--covariate", "spend=history")
    mens = comparison(found, "spend", "Mens E-Mail")
    assert mens["difference"] == pytest.approx(0.767, abs=1e-3)
    assert comparison(found, "spend", "Womens E-Mail")["difference"] == pytest.approx(0.423, abs=1e-3)
    assert any("gain almost nothing" in warning for warning in mens["warnings"])


@needs_bandit
def test_open_bandit__men__agrees_with_the_readme(tmp_path: Path):
    file = tmp_path / "men.csv"
    with gzip.open(BANDIT, "rt") as rows:
        kept = [row for i, row in enumerate(rows) if i == 0 or row.startswith("men,")]
    file.write_text("".join(kept))
    found = report(file, "--variant", "policy", "--control", "random", "--metric", "ctr=click", "--time", "timestamp")
    row = comparison(found, "ctr", "bts")
    assert (row["n"], row["control_n"]) == (10_000, 10_000)
    assert row["difference"] / row["standard_error"] == pytest.approx(2.151, abs=1e-3)
    assert row["p_value"] == pytest.approx(0.0315, abs=5e-5)
    assert row["mean"] == pytest.approx(0.0069)

"""A result as files: everything for programs, pages for paper, and for whoever may not see it nothing."""

import io
import re
import zlib

import msgspec
import pytest
from django.urls import reverse

from analysis.exports.notebook import notebook
from analysis.exports.pdf import as_pdf
from tests import builders
from tests.analysis.pages.conftest import *  # noqa: F403  (the pages' people)
from tests.analysis.pages.test_depth import clicks

FILES = ["results_csv", "results_json", "results_pdf", "results_notebook"]


def address(name: str) -> str:
    return reverse(name, args=["shop", "new-ranker"])


@pytest.fixture
def ranker(shop, purchase):
    return builders.experiment(shop, primary=purchase)


def run(made) -> str:
    """Run a notebook's code as Jupyter would, one cell after the other, and return what it printed."""
    out, space = io.StringIO(), {"print": lambda *said: out.write(" ".join(map(str, said)) + "\n")}
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], cell["id"], "exec"), space)  # noqa: S102  (our own notebook)
    return out.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_file__a_stranger_and_anothers_result__are_not_found(
    client_of_alice, client_of_charlie, ranker, shop, name: str
):
    other = builders.snapshot(builders.experiment(shop, "other"))
    assert client_of_alice.get(address(name)).status_code == 404  # no result yet
    builders.snapshot(ranker)
    assert client_of_charlie.get(address(name)).status_code == 404
    assert client_of_alice.get(address(name), {"snapshot": other.pk}).status_code == 404


def test_json__is_all_that_is_stored_of_the_named_result(client_of_bob, ranker):
    old = builders.snapshot(ranker)
    builders.snapshot(ranker, builders.results(ranker, metrics=[]))
    response = client_of_bob.get(address("results_json"), {"snapshot": old.pk})
    old.refresh_from_db()
    assert response.json() == {**old.payload, "snapshot": old.pk}
    assert response["Content-Disposition"] == f'attachment; filename="new-ranker-{old.pk}.json"'


def test_notebook__computes_the_reported_numbers_again(client_of_bob, ranker):
    evil = msgspec.structs.replace(clicks(), name="'''\"\"\")\nraise SystemExit(1)\n{}\\")
    builders.snapshot(ranker, builders.results(ranker, metrics=[evil, builders.shop_metrics()[2]]))
    made = client_of_bob.get(address("results_notebook")).json()
    said = run(made)
    assert "1 comparisons computed again; all agree with what was reported." in said
    assert "nothing was reported" in said  # an older metric without moments
    assert (made["nbformat"], made["metadata"]["kernelspec"]["name"]) == (4, "python3")
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])


def test_notebook__of_a_number_that_was_changed__fails():
    metric = clicks()
    wrong = msgspec.structs.replace(metric.comparisons[0], p_value=0.02)
    made = builders.results(metrics=[msgspec.structs.replace(metric, comparisons=[wrong])])
    with pytest.raises(AssertionError, match="p_value"):
        run(notebook(made, 1))


def text_of(file: bytes) -> str:
    """Return what a PDF writes, glyph codes of its subset fonts left out."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", file, re.S)
    parts = [zlib.decompressobj().decompress(part) for part in streams if part[:1] == b"x"]
    return b"\n".join(parts).decode("latin-1")


def test_pdf__has_a_page_for_few_metrics_and_more_for_many():
    few, many = (as_pdf(builders.results(metrics=builders.shop_metrics() * count)) for count in (1, 20))
    assert few.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", few)) == 1
    assert len(re.findall(rb"/Type /Page\b", many)) > 1


def test_pdf__of_a_broken_split__draws_no_interval():
    sound, broken = (text_of(as_pdf(made)) for made in (builders.results(), builders.broken_results()))
    better = re.compile(r"0\.0431\d* 0\.4313\d* 0\.3725\d* RG")  # a stroke in its colour
    assert better.search(sound)
    assert not better.search(broken)

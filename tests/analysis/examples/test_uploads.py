"""Files of scores: read, refused in one line, kept once, and compared in pages and API."""

import gzip
import html
import json
import re

import numpy as np
import polars
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from analysis.examples import reading
from analysis.examples.reading import read_scores
from analysis.examples.storing import compared, keep, packed, paired_facts, unpacked
from analysis.models import ExampleScores, VersionComparison
from analysis.tables.refusal import RefusalError
from experiments.model_versions import Registration, register
from experiments.models import AuditEntry, ModelVersion

ROWS = [
    {"example": f"q{number}", "user_id": f"u{number // 2}", "label": number % 2, "prediction": int(number % 3 == 0),
     "score": round(number / 60, 4), "NDCG@10": round(0.4 + number / 200, 4)}
    for number in range(60)
]  # fmt: skip


def csv(rows=ROWS) -> bytes:
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    return "\n".join(lines).encode()


def written(tmp_path, data: bytes, name: str = "scores"):
    file = tmp_path / name
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "ndjson", "parquet"])
def test_read__every_kind_of_file__gives_the_same_scores(tmp_path, kind: str):
    file = tmp_path / f"scores.{kind}"
    match kind:
        case "csv":
            file.write_bytes(csv())
        case "csv.gz":
            file.write_bytes(gzip.compress(csv()))
        case "ndjson":
            file.write_text("\n".join(json.dumps(row) for row in ROWS))
        case _:
            polars.DataFrame(ROWS).write_parquet(file)
    found = read_scores(file, "scores")
    plain = read_scores(written(tmp_path, csv()), "scores")
    assert np.array_equal(found.examples, plain.examples)
    assert np.array_equal(found.units, plain.units)
    assert np.array_equal(found.binary, plain.binary)
    assert found.values["NDCG@10"] == pytest.approx(plain.values["NDCG@10"])
    assert (len(found.examples), found.binary.sum(), found.predicted.sum()) == (60, 30, 20)


def test_read__words_as_classes__are_compared_and_are_not_binary(tmp_path):
    rows = [{"id": str(n), "y_true": ["cat", "dog", "bird"][n % 3], "y_pred": "cat"} for n in range(30)]
    found = read_scores(written(tmp_path, csv(rows)), "f")
    assert found.binary is None
    assert (found.labels == found.predictions).sum() == 10


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"name,score\na,1\n", "no column example"),
        (b"example,label\na,1\n", "nothing to score by"),
        (b"example,score\na,1\na,2\n", "in 1 row an example comes again"),
        (b"example,score\na,1\nb,\n", "in 1 row there is no score"),
        (b"example,score\na,1\nb,good\n", "in 1 row 'score' holds no number"),
        (b"example,score\n,1\nb,2\n", "in 1 row there is no example"),
        (b"PK\x03\x04 an excel file, it is", "zip or Excel"),
        (b'{"example": "a", "score": ', "cannot be read"),
        (b"\xff\xfe\x00binary", "nor Parquet"),
    ],
)
def test_read__a_file_that_is_none__is_refused_in_one_line(tmp_path, data: bytes, said: str):
    with pytest.raises(RefusalError, match=re.escape(said)) as refused:
        read_scores(written(tmp_path, data), "scores.csv")
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_read__too_many_examples_or_metrics__are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_EXAMPLES", 59)
    with pytest.raises(RefusalError, match="60 examples; at most 59"):
        read_scores(written(tmp_path, csv()), "f")
    wide = ",".join(["example", *(f"m{n}" for n in range(11))]) + "\n" + ",".join(["a", *["1"] * 11])
    with pytest.raises(RefusalError, match="11 further columns"):
        read_scores(written(tmp_path, wide.encode()), "f")


def test_packed__and_back__is_the_same(tmp_path):
    one = read_scores(written(tmp_path, csv()), "f")
    again = unpacked(ExampleScores(packed=packed(one)))
    assert np.array_equal(one.examples, again.examples)
    assert np.array_equal(one.predicted, again.predicted)
    assert list(again.values) == ["NDCG@10"]


@pytest.fixture
def versions(shop, alice) -> list[ModelVersion]:
    return [
        register(shop, alice, Registration(name="ranker", version="v8")),
        register(shop, alice, Registration(name="ranker", version="v9", parent="v8")),
    ]


def better(rows=ROWS) -> bytes:
    return csv([{**row, "prediction": row["label"] if n < 45 else row["prediction"]} for n, row in enumerate(rows)])


@pytest.mark.django_db
def test_keep__the_same_file_twice__changes_once_and_writes_the_metrics(tmp_path, versions, alice):
    file = written(tmp_path, csv())
    kept, is_new = keep(versions[0], alice, file, "f.csv", "held-out")
    assert (is_new, kept.examples) == (True, 60)
    assert keep(versions[0], alice, file, "f.csv", "held-out") == (kept, False)
    assert AuditEntry.objects.filter(action="model_version.scores").count() == 1
    names = {metric.name for metric in ModelVersion.objects.get(pk=versions[0].pk).offline.all()}
    assert names == {"Accuracy", "F1", "AUC", "Log loss", "NDCG@10"}
    assert all(metric.low <= metric.value <= metric.high for metric in versions[0].offline.all())


@pytest.mark.django_db
def test_compared__is_made_once_and_anew_where_a_file_changed(tmp_path, versions, alice):
    old, new = versions
    assert compared(old, new, "held-out") is None
    keep(old, alice, written(tmp_path, csv(), "a"), "a", "held-out")
    keep(new, alice, written(tmp_path, better(), "b"), "b", "held-out")
    first = compared(old, new, "held-out")
    accuracy = next(one for one in first.metrics if one.name == "Accuracy")
    assert accuracy.low > 0
    assert (first.only_new_right, first.only_old_right) == (23, 0)
    assert compared(old, new, "held-out") == first
    assert VersionComparison.objects.count() == 1
    keep(new, alice, written(tmp_path, csv(), "c"), "c", "held-out")
    assert compared(old, new, "held-out").changed == 0.0
    assert VersionComparison.objects.count() == 1
    assert {fact.name for fact in paired_facts(old, new)} == {"Accuracy", "F1", "AUC", "Log loss", "NDCG@10"}


# Pages


def path(name: str, version: ModelVersion) -> str:
    return reverse(name, args=["shop", version.pk])


def said(response) -> str:
    text = re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1])
    return re.sub(r"\s+", " ", html.unescape(text))


def test_pages__upload_both__then_the_comparison_says_how_sure_it_is(client_of_alice, versions):
    for version, data in zip(versions, (csv(), better()), strict=True):
        posted = {"evaluation_set": "held-out", "file": SimpleUploadedFile("scores.csv", data)}
        response = client_of_alice.post(path("model_scores", version), posted)
        assert response.url == path("model_compare", version)
    shown = said(client_of_alice.get(path("model_compare", versions[1])))
    assert "v9 against v8" in shown
    assert "60 examples were scored by both. The answer changed for 38.3% of them." in shown
    assert "v9 alone is right on 23, v8 alone on 0 (McNemar’s exact test, p <0.001)." in shown
    assert "Kept so far" in said(client_of_alice.get(path("model_scores", versions[1])))


def test_pages__without_scores__say_what_to_upload(client_of_bob, versions):
    assert "How much of the difference is luck?" in said(client_of_bob.get(path("model_compare", versions[1])))


def test_upload__a_wrong_file__is_refused_and_nothing_kept(client_of_alice, versions):
    posted = {"evaluation_set": "held-out", "file": SimpleUploadedFile("x.csv", b"example,score\na,1\na,2\n")}
    response = client_of_alice.post(path("model_scores", versions[0]), posted)
    assert response.status_code == 400
    assert "an example comes again" in said(response)
    assert not ExampleScores.objects.exists()


def test_pages__strangers_get_404_and_viewers_may_not_upload(client_of_bob, client_of_charlie, versions):
    for name in ("model_scores", "model_compare"):
        assert client_of_charlie.get(path(name, versions[0])).status_code == 404
    assert client_of_bob.get(path("model_scores", versions[0])).status_code == 403
    assert client_of_bob.get(reverse("model_compare", args=["shop", 0])).status_code == 404

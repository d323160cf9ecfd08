"""Versions pulled from an MLflow registry: what its REST API answers, over loopback; a real server in a slow test."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from experiments import mlflow
from experiments.domain.offline import Origin, VersionStatus
from experiments.mlflow import Registry, RegistryError, fetch, pull
from experiments.models import AuditEntry, ModelVersion
from tests.experiments.registries import Fake, serving

# As MLflow 3 answers; recorded from a server of its own, with what is not read left out.
VERSIONS: list[dict[str, Any]] = [
    {"name": "ranker", "version": "2", "creation_timestamp": 1_770_000_100_000, "current_stage": "None",
     "description": "Learns from purchases.", "source": "models:/m-2", "run_id": "run2", "status": "READY",
     "tags": [{"key": "truelift.parent", "value": "1"}, {"key": "owner", "value": "Search"}],
     "aliases": ["champion"]},
    {"name": "ranker", "version": "1", "creation_timestamp": 1_770_000_000_000, "current_stage": "Archived",
     "user_id": "ann", "run_id": "run1", "status": "READY"},
]  # fmt: skip
RUNS: dict[str, Any] = {
    "run2": {
        "info": {"run_id": "run2", "status": "FINISHED"},
        "data": {"metrics": [
            {"key": "val_ndcg_at_10", "value": 0.431, "timestamp": 1, "step": 0},
            {"key": "val_ndcg_at_10_low", "value": 0.427, "timestamp": 1, "step": 0},
            {"key": "val_ndcg_at_10_high", "value": 0.435, "timestamp": 1, "step": 0},
            {"key": "log_loss", "value": 0.31, "timestamp": 1, "step": 0},
            {"key": "diverged", "value": "NaN", "timestamp": 1, "step": 0},
        ]},
        "inputs": {"dataset_inputs": [
            {"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": {"name": "clicks"}},
            {"tags": [{"key": "mlflow.data.context", "value": "eval"}], "dataset": {"name": "held-out"}},
        ]},
    },
    "run1": {"info": {}, "data": {"metrics": [{"key": "val_ndcg_at_10", "value": 0.412, "timestamp": 1, "step": 0}]}},
}  # fmt: skip


@pytest.fixture
def registry() -> Iterator[tuple[Fake, str]]:
    fake = Fake(VERSIONS, RUNS)
    with serving(fake) as uri:
        yield fake, uri


def test_fetch__versions_with_what_their_runs_measured__oldest_first(registry):
    fake, uri = registry
    one, two = fetch(Registry(uri=uri + "/"), "ranker", "ranker")
    assert (one.version, one.owner, one.status) == ("1", "ann", VersionStatus.RETIRED)
    assert (two.version, two.parent, two.owner, two.status) == ("2", "1", "Search", VersionStatus.SERVING)
    assert (two.notes, two.artefact) == ("Learns from purchases.", f"{uri}/#/models/ranker/versions/2")
    measured = [(value.name, value.value, value.low, value.evaluation_set) for value in two.metrics]
    assert measured == [("val_ndcg_at_10", 0.431, 0.427, "held-out"), ("log_loss", 0.31, None, "held-out")]
    fake.paged = True
    assert fetch(Registry(uri=uri), "ranker", "ranker") == [one, two]


@pytest.mark.django_db
def test_pull__twice__makes_nothing_twice_and_writes_what_changed(registry, shop, alice):
    fake, uri = registry
    first = pull(shop, alice, Registry(uri=uri), "ranker", "search ranker")
    assert (first.new, first.sentence) == (["1", "2"], "Versions: 2 new.")
    made = ModelVersion.objects.get(version="2")
    assert (made.parent.version, made.origin, made.headline.known.label) == ("1", Origin.MLFLOW, "NDCG@10")
    rows = AuditEntry.objects.count()
    assert pull(shop, alice, Registry(uri=uri), "ranker", "search ranker").same == ["1", "2"]
    assert AuditEntry.objects.count() == rows
    fake.versions[0] = {**fake.versions[0], "description": "Now with pictures."}
    assert pull(shop, alice, Registry(uri=uri), "ranker", "search ranker").changed == ["2"]


@pytest.mark.django_db
def test_pull__a_version_whose_parent_is_unknown__is_left_out_and_said(registry, shop, alice):
    fake, uri = registry
    fake.versions = fake.versions[:1]
    pulled = pull(shop, alice, Registry(uri=uri), "ranker")
    assert pulled.new == []
    assert "register the parent first" in pulled.sentence


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": 500}, "answers 500"),
        ({"body": b"<html>"}, "no JSON"),
        ({"token": "secret"}, "lets nobody in (401)"),
        ({"versions": []}, "knows no version of a model 'ranker'"),
        ({"body": b"[]"}, "knows no version"),
        ({"body": b'{"model_versions": [3, {"version": null}]}'}, None),
        ({"body": b" " * (mlflow.LARGEST_ANSWER + 1)}, "more than 5,000,000 bytes"),
    ],
)
def test_fetch__a_registry_that_answers_oddly__says_what_came(registry, fields, said: str | None):
    fake, uri = registry
    for name, value in fields.items():
        setattr(fake, name, value)
    if said is None:
        assert len(fetch(Registry(uri=uri), "ranker", "ranker")) == 1
        return
    with pytest.raises(RegistryError) as refused:
        fetch(Registry(uri=uri), "ranker", "ranker")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "hosts", "said"),
    [
        ("ftp://mlflow", (), "must be one such as"),
        ("mlflow:5000", (), "must be one such as"),
        ("http://169.254.169.254/latest", (), "link-local"),
        ("http://127.0.0.1:1", ("mlflow.example.org",), "TRUELIFT_REGISTRY_HOSTS"),
        ("http://127.0.0.1:1", (), "does not answer"),
        ("http://no-such-host.invalid", (), "has no address"),
    ],
)
def test_fetch__an_address_that_may_not_be_asked__is_refused(uri: str, hosts: tuple[str, ...], said: str):
    with pytest.raises(RegistryError, match=said):
        fetch(Registry(uri=uri, hosts=hosts), "ranker", "ranker")


def test_fetch__a_quote_in_the_name__cannot_leave_the_filter():
    with pytest.raises(RegistryError, match="without quotes"):
        fetch(Registry(uri="http://127.0.0.1:1"), "a' OR name!='", "x")


@pytest.mark.django_db
def test_command__pulls_with_mlflows_own_variables(registry, shop, monkeypatch):
    fake, uri = registry
    fake.token = "secret"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    said = StringIO()
    call_command("pull_mlflow", "shop", "ranker", uri=uri, stdout=said)
    assert said.getvalue() == "Versions: 2 new.\n"
    for wrong, message in ((["nobody", "ranker"], "no project"), (["shop", "ranker"], "MLFLOW_TRACKING_URI")):
        with pytest.raises(CommandError, match=message):
            call_command("pull_mlflow", *wrong, uri="", stdout=said)


def test_page__pulls_and_shows_the_model(registry, client_of_alice, shop):
    fake, uri = registry
    fake.token = "secret"
    where = reverse("model_pull", args=["shop"])
    refused = client_of_alice.post(where, {"uri": uri, "model": "ranker", "token": "wrong"})
    assert refused.status_code == 400
    assert "give a token that may read" in refused.content.decode()
    assert "wrong" not in refused.content.decode()
    response = client_of_alice.post(where, {"uri": uri, "model": "ranker", "name": "search", "token": "secret"})
    assert response.url == reverse("model_family", args=["shop", "search"])
    assert ModelVersion.objects.count() == 2
    assert not AuditEntry.objects.filter(after__icontains="secret").exists()


def test_page__strangers_get_404_and_viewers_may_not_pull(client_of_bob, client_of_charlie, shop):
    where = reverse("model_pull", args=["shop"])
    assert [client.get(where).status_code for client in (client_of_bob, client_of_charlie)] == [403, 404]


def mlflow_command() -> str | None:
    """Return the `mlflow` command: the one that MLFLOW_COMMAND names, or one on the path."""
    return os.environ.get("MLFLOW_COMMAND") or shutil.which("mlflow")


LOGS = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
with mlflow.start_run() as run:
    mlflow.log_metric("val_ndcg_at_10", 0.431)
client.create_registered_model("ranker")
made = client.create_model_version("ranker", source=run.info.artifact_uri, run_id=run.info.run_id, description="First.")
client.set_registered_model_alias("ranker", "champion", made.version)
"""


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.skipif(
    mlflow_command() is None, reason="mlflow is not installed: pip install mlflow, or set MLFLOW_COMMAND"
)
def test_real_mlflow__answers_as_the_fake_does(shop, alice, tmp_path):
    command = Path(mlflow_command() or "")
    uri, port = "http://127.0.0.1:18377", "18377"
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", str(tmp_path)]
    server = subprocess.Popen([str(command), "server", "--host", "127.0.0.1", "--port", port, "--workers", "1", *store])
    try:
        for _ in range(240):
            try:
                if httpx.get(f"{uri}/health").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.5)
        python = command.parent / "python"
        subprocess.run([str(python if python.exists() else sys.executable), "-c", LOGS, uri], check=True, timeout=240)
        assert pull(shop, alice, Registry(uri=uri), "ranker").new == ["1"]
        made = ModelVersion.objects.get()
        assert (made.notes, made.status, made.headline.name) == ("First.", "serving", "val_ndcg_at_10")
    finally:
        server.terminate()
        server.wait(30)

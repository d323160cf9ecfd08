"""The ``truelift`` command as a person or a pipeline runs it, against a running server."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from analysis.models import ResultSnapshot
from analysis.results.schema import Looks, to_payload
from config import paths
from config.cli.client import ApiClient
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders

EXPERIMENT = """
key = "search"
name = "Search <b>[red]"
planned_days = 21
variants = [{ key = "control", weight = 5000 }, { key = "v2", weight = 5000, value = 2 }]
metrics = [{ metric = "purchase-rate", role = "primary" }]
"""


@pytest.fixture
def run(rest):
    """Run the command with the server's address and a key, and return how it ended."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "config.cli", *arguments],
            env={**os.environ, "TRUELIFT_URL": rest.server.url, "TRUELIFT_KEY": rest.key, **environment},
            cwd=paths.REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def committed(rest, django_db_blocker):
    """Let a test write what the server reads."""
    with django_db_blocker.unblock():
        yield rest.home


def answered(ran) -> dict:
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_experiment__from_a_file_to_shipped(run, tmp_path):
    file = tmp_path / "search.toml"
    file.write_text(EXPERIMENT)
    assert answered(run("experiments", "create", str(file), "--json"))["variants"][1]["value"] == 2
    assert answered(run("--json", "start", "search", "--why", "ready"))["status"] == "running"
    assert "search" in run("experiments", "list", "--status", "running").stdout
    shown = run("experiments", "show", "search").stdout
    assert "Search <b>[red]" in shown
    shipped = run("ship", "search", "v2", "--why", "clear gain", "--holdback", "2.5")
    assert shipped.stdout == "search is stopped. v2 is shipped.\n"
    assert answered(run("experiments", "show", "search", "--json"))["shipped"]["holdback"] == 250


def test_experiment__stopped__is_said(run, committed):
    builders.experiment(committed, "old")
    assert run("stop", "old", "--why", "done").stdout == "old is stopped.\n"


def test_flag__from_a_json_file(tmp_path, run):
    file = tmp_path / "flag.json"
    file.write_text(json.dumps({"key": "cart", "name": "Cart", "value_type": "integer", "default_value": 3}))
    assert run("flags", "create", str(file)).stdout == "cart is made, and off everywhere.\n"
    assert answered(run("flags", "show", "cart", "--json"))["default_value"] == 3
    keys = {flag["key"] for flag in answered(run("flags", "list", "--json"))["flags"]}
    assert keys == {"cart", "checkout"}
    assert "integer" in run("flags", "list").stdout


def test_catalogue__model_and_metrics(run):
    registered = answered(run("models", "register", "ranker", "v7", "--metric", "ndcg@10=0.431", "--json"))
    assert (registered["offline_metric"], registered["offline_value"]) == ("ndcg@10", 0.431)
    assert "ndcg@10" in run("models", "list").stdout
    assert "purchase-rate" in run("metrics", "list").stdout


def test_results__are_a_table_or_the_servers_json(run, committed):
    made = with_results(committed, "measured")
    shape = to_payload(builders.results(made))
    assert answered(run("results", "measured", "--json"))["verdict"] == shape["verdict"]
    shown = run("results", "measured").stdout
    assert shape["verdict"]["headline"] in shown
    assert "Click-through rate" in shown
    assert "+5.60%" in shown
    assert "−1.44%" in shown


def test_watch__of_a_plan_that_has_ended__shows_it_once_and_ends(run, committed):
    looks = Looks(plan="always_valid", sentence="It may be read at any time.", units=184_206)
    with_results(committed, "over", looks=looks)
    shown = run("watch", "over").stdout
    assert "day 14.0 of 14" in shown
    assert "It may be read at any time." in shown
    assert "No clear change" in shown
    lines = run("watch", "over", "--json").stdout.splitlines()
    assert [(json.loads(line)["progress"], json.loads(line)["over"]) for line in lines] == [(1.0, True)]


def test_watch__of_what_runs__goes_on_until_ctrl_c_and_ends_without_a_word(rest, committed):
    Experiment.objects.filter(pk=builders.experiment(committed, "young").pk).update(started_at=datetime.now(UTC))
    command = [
        sys.executable,
        "-m",
        "config.cli",
        "--url",
        rest.server.url,
        "watch",
        "young",
        "--json",
        "--every",
        "0.2",
    ]
    with subprocess.Popen(
        command, env={**os.environ, "TRUELIFT_KEY": rest.key}, cwd=paths.REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as watching:  # fmt: skip
        assert watching.stdout
        assert watching.stderr
        looks = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
        assert watching.stderr.read() == ""
    assert [(look["over"], look["units"]) for look in looks] == [(False, None)] * 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["experiments", "show", "nothing"], 1, "Project shop has no experiment 'nothing'."),
        (["stop", "draft", "--why", "x"], 1, "Draft is draft; only what is running or paused can stop."),
        (["--key", "tl_wrong", "flags", "list"], 1, "This key does not exist or was revoked"),
        (["--url", "http://127.0.0.1:9", "flags", "list"], 1, "http://127.0.0.1:9 cannot be reached"),
        (["--url", "nowhere", "flags", "list"], 2, "The address 'nowhere' is none of a server"),
        (["--key", "", "flags", "list", "--json"], 0, ""),
        (["flags", "create", "/nothing.json"], 2, "/nothing.json cannot be read"),
        (["models", "register", "m", "1", "--metric", "ndcg"], 2, "it is a name and a number"),
        (["ship", "draft", "treatment", "--why", "x", "--holdback", "nan"], 2, "0 to 100"),
        (["stop", "draft"], 2, "--why"),
        (["dance"], 2, "dance"),
    ],
)
def test_error__is_one_line_and_a_status(run, arguments, status, said):
    ran = run(*arguments)
    assert ran.returncode == status
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == (1 if status else 0)


def test_error__with_json__is_the_servers_own(run):
    ran = run("experiments", "show", "nothing", "--json")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert json.loads(ran.stderr)["error"]["code"] == "not_found"


def test_key__missing__is_said(run):
    ran = run("flags", "list", TRUELIFT_KEY="")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)
    assert "TRUELIFT_KEY" in ran.stderr


def test_command__knows_no_django():
    asked = "import sys, config.cli.__main__; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", asked], cwd=paths.REPOSITORY, check=False).returncode == 0


def test_list__longer_than_a_page__is_read_to_its_end(rest, committed):
    for number in range(101):
        builders.a_layer(committed, f"layer-{number}")
    with ApiClient(rest.server.url, rest.key) as client:
        assert len(client.all("/layers", "layers")) == 101


def with_results(home, key: str, **fields: object) -> Experiment:
    made = builders.experiment(home, key, status=Status.RUNNING)
    shape = to_payload(builders.results(made, **fields))
    ResultSnapshot.objects.create(experiment=made, as_of=builders.T0, engine_version="1", payload=shape)
    return made

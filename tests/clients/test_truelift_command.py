"""The ``truelift`` command as a person or a pipeline runs it, against a running server."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from analysis.models import Alert, ResultSnapshot
from analysis.results.schema import Looks, to_payload
from config import paths
from config.cli.__main__ import main
from config.cli.client import ApiClient
from experiments import keys
from experiments.domain.access import Scope
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
def run(rest, capsys, monkeypatch):
    """Run the command with the server's address and a key, and return how it ended; here, which is far quicker."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, value in {"TRUELIFT_URL": rest.server.url, "TRUELIFT_KEY": rest.key, **environment}.items():
            monkeypatch.setenv(name, value)
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, printed.out, printed.err)

    return run


@pytest.fixture
def committed(rest, django_db_blocker):
    """Let a test write what the server reads."""
    with django_db_blocker.unblock():
        yield rest.home


@pytest.fixture
def said(run):
    """Run a command that is to end so, and return what it printed."""

    def said(*arguments: str, status: int = 0) -> str:
        ran = run(*arguments)
        assert ran.returncode == status, ran.stderr
        return ran.stderr if status == 1 else ran.stdout

    return said


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


def test_template__kept_begun_from_and_removed(said, tmp_path):
    assert said("templates", "save", "running", "ranking", "--name", "Ranking") == "ranking is kept.\n"
    assert "Ranking" in said("templates", "list")
    assert "new-list is a draft." in said("templates", "begin", "ranking", "new-list", "--name", "New list")
    change = tmp_path / "change.json"
    change.write_text('{"planned_days": 28}')
    assert "new-list is changed" in said("experiments", "change", "new-list", str(change))
    assert "newer-list is a draft." in said("experiments", "duplicate", "new-list", "--as", "newer-list")
    assert said("experiments", "tag", "newer-list", "Search", "lists") == "newer-list: lists, search.\n"
    assert json.loads(said("experiments", "show", "newer-list", "--json"))["planned_days"] == 28
    assert "out of the lists" in said("experiments", "archive", "newer-list")
    assert "back in the lists" in said("experiments", "restore", "newer-list")
    assert said("templates", "remove", "ranking") == "ranking is removed.\n"
    assert "has no template of its own 'ranking'" in said("templates", "remove", "ranking", status=1)


def test_life__from_pause_to_a_conclusion(said, committed):
    builders.experiment(committed, "life", allocation=5000)
    assert said("pause", "life", "--why", "a bug") == "life is paused.\n"
    assert said("resume", "life") == "life is running.\n"
    assert said("grow", "life", "80%") == "80 % of the traffic takes part in life.\n"
    assert "phase 2" in said("new-phase", "life", "--why", "mended", "--weights", "control=60,treatment=40")
    assert [one["weight"] for one in json.loads(said("experiments", "show", "life", "--json"))["variants"]] == [
        6000,
        4000,
    ]
    ramp = ["--holdback", "5", "--ramp", "40:24,95"]
    assert said("ship", "life", "treatment", "--why", "clear gain", *ramp).endswith("treatment is shipped.\n")
    assert said("withdraw", "life", "--why", "a bug") == "life: nobody gets it now.\n"
    told = said("conclude", "life", "roll-back", "--why", "a bug", "--learned", "Look at Safari first", "--tag", "bugs")
    assert told == "life: roll back. That is on record.\n"
    assert "Look at Safari first" in said("conclusions", "life")
    assert "life" in said("library", "--search", "Safari")
    assert "experiment.conclude" in said("audit", "--subject", "experiment:life")


def test_catalogue__certified_and_out_of_use(said, tmp_path):
    metric = tmp_path / "metric.toml"
    metric.write_text('key = "visits"\nname = "Visits"\nkind = "proportion"\nevent = "Visit"\n')
    assert said("metrics", "create", str(metric)) == "visits is in the catalogue.\n"
    assert said("metrics", "certify", "visits", "1") == "Version 1 of visits is certified.\n"
    assert "proportion" in said("metrics", "show", "visits")
    assert "version" in said("metrics", "versions", "visits")
    assert said("metrics", "archive", "visits", "--why", "replaced") == "visits is out of use.\n"
    assert "visits" not in said("metrics", "list")
    assert "visits" in said("metrics", "list", "--archived")


def test_model__registered_brought_up_to_date_and_scored(said, tmp_path):
    state = tmp_path / "state.json"
    state.write_text('{"name": "embedder", "version": "v1", "status": "serving"}')
    assert said("models", "put", str(state)) == "embedder v1 is up to date.\n"
    found = json.loads(said("models", "list", "--name", "embedder", "--json"))["model_versions"]
    assert [one["status"] for one in found] == ["serving"]
    scores = tmp_path / "scores.csv"
    scores.write_text("example,label,score\n" + "".join(f"e{n},{n % 2},{n / 40}\n" for n in range(40)))
    number = str(found[0]["id"])
    assert said("models", "scores", number, str(scores), "--set", "holdout") == "40 examples of holdout are kept.\n"
    assert "were kept already" in said("models", "scores", number, str(scores), "--set", "holdout")


def test_alert__taken_on_muted_and_heard_of_again(said, committed):
    alert = an_alert(committed)
    assert "No events since" in said("alerts", "list")
    assert said("alerts", "acknowledge", str(alert.pk), "--why", "looking").startswith("Taken on: ")
    assert "somebody has taken it on already" in said("alerts", "acknowledge", str(alert.pk), status=1)
    assert said("alerts", "hand-back", str(alert.pk)).startswith("Handed back: ")
    assert said("alerts", "mute", str(alert.pk), "--days", "2").startswith("Muted: ")
    assert json.loads(said("alerts", "show", str(alert.pk), "--json"))["muted"] is True
    assert said("alerts", "unmute", str(alert.pk)).startswith("You hear of it again: ")


def an_alert(home) -> Alert:
    return Alert.objects.create(
        project=home, kind="data-quality", key="Order Completed", severity="warning", sentence="No events since noon.",
        what_to_do="Look.", opened_at=builders.T0, seen_at=builders.T0,
    )  # fmt: skip


def test_members__need_a_key_of_their_own(said, committed, monkeypatch):
    assert "members" in said("members", "list", status=1)
    key = keys.issue_key(committed, "People", [Scope.MEMBERS], None)[1]
    assert "alice@example.com" in said("--key", key, "members", "list")
    assert "Give this link to bob@example.com" in said("--key", key, "members", "invite", "bob@example.com", "editor")
    invited = json.loads(said("--key", key, "--json", "members", "list"))["invitations"][0]["id"]
    assert "taken back" in said("--key", key, "members", "uninvite", str(invited))


@pytest.mark.parametrize(
    "word", ["programme", "conflicts", "data-quality", "happened", "digests list", "deliveries list"]
)
def test_overview__of_an_empty_project__is_printed(said, word):
    assert said(*word.split()).strip() or word in ("happened", "digests list", "deliveries list")


def test_api__any_address(said, tmp_path):
    assert json.loads(said("api", "get", "/api/v1/north-star"))["metric"] is None
    body = tmp_path / "segment.json"
    body.write_text('{"key": "buyers", "name": "Buyers", "kind": "list", "unit_attribute": "id", "values": ["b"]}')
    assert json.loads(said("api", "POST", "segments", "--body", str(body)))["key"] == "buyers"
    assert "has no layer 'search'" in said("api", "GET", "/layers/search", status=1)


def test_results__otherwise_than_expected__end_with_three(said, committed):
    made = with_results(committed, "expected")
    decision = to_payload(builders.results(made))["verdict"]["decision"]
    assert said("results", "expected", "--expect", decision)
    assert said("results", "expected", "--expect", "not-a-decision", status=3)


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
    assert "14.0 of 14 days" in shown
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


def test_command__as_a_shell_runs_it(rest):
    command = [sys.executable, "-m", "config.cli", "--url", rest.server.url, "--key", rest.key, "flags", "show", "none"]
    ran = subprocess.run(command, cwd=paths.REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "truelift: Project shop has no flag 'none'.\n"


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

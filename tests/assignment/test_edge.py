import asyncio
import json
import stat

from assignment.ofrep import FLAGS, OfrepDoor
from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from tests import builders
from tests.assignment.conftest import wait_until


def ask(edge, plain, flag="new-ranker", unit="shopper-1"):
    headers = {"authorization": f"Bearer {plain}"}
    body = json.dumps({"context": {"targetingKey": unit}}).encode()
    status, _, answer = asyncio.run(OfrepDoor(edge).handle("POST", f"{FLAGS}/{flag}", headers, "", body))
    return status, json.loads(answer)


def test_edge__a_started_experiment__is_answered(edge, tmp_path):
    home = builders.project()
    builders.experiment(home)
    _, plain = keys.issue_key(home, "App", [Scope.EVALUATE], None)

    wait_until(lambda: edge.grant(plain))

    status, answer = ask(edge, plain)
    assert status == 200
    assert answer["reason"] == "SPLIT"
    assert answer["variant"] in {"control", "treatment"}
    assert stat.S_IMODE((tmp_path / "snapshot.json").stat().st_mode) == 0o600


def test_edge__a_committed_change__is_seen_within_a_second(edge):
    home = builders.project()
    _, plain = keys.issue_key(home, "App", [Scope.EVALUATE], None)
    wait_until(lambda: edge.grant(plain))
    assert ask(edge, plain)[0] == 404

    builders.experiment(home)
    announce()

    assert wait_until(lambda: ask(edge, plain)[0] == 200) < 1

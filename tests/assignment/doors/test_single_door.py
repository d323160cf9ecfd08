"""OFREP's door when a single evaluation asks for its exposure to be logged."""

import asyncio
import json
from typing import Any

import pytest

from assignment.doors import single as single_module
from assignment.doors.exposing import ExposureLog
from assignment.doors.single import SingleDoor
from assignment.edge import Edge
from assignment.ofrep import FLAGS, OfrepDoor
from events.sink import Entry, LogUnavailableError
from experiments.domain.keys import digest
from tests.assignment import contract, served
from tests.assignment.rows import experiment, flag, holdout, needs, override, rule, variant

UNITS = [f"shopper-{number}" for number in range(400)]
HELD = holdout("quiet", 3000)


class Sink:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.error: Exception | None = None

    async def put(self, entry: Entry) -> None:
        if self.error is not None:
            raise self.error
        self.entries.append(entry)

    @property
    def text(self) -> bytes:
        return b"".join(row for entry in self.entries for row in entry.dated)


class World:
    def __init__(self, home, *rows: Any, scopes: tuple[str, ...] = ("evaluate", "ingest")) -> None:
        self.edge = Edge("", home / "snapshot.json")
        self.offer(*rows, scopes=scopes)
        self.sink = Sink()
        self.door = SingleDoor(OfrepDoor(self.edge), self.edge, ExposureLog(self.sink))

    def offer(self, *rows: Any, scopes: tuple[str, ...] = ("evaluate", "ingest")) -> None:
        keys = {digest(served.KEY): served.grant(*scopes)}
        self.edge.offer(served.content(served.project(*rows), keys=keys))

    def ask(self, key: str = "ranker", unit: str | None = "shopper-1", *, query: str = "exposure=true", **headers: str):
        context = {} if unit is None else {"targetingKey": unit}
        path = f"{FLAGS}/{key}" if key else FLAGS
        named = {"x-api-key": served.KEY, **{name.replace("_", "-"): value for name, value in headers.items()}}
        body = json.dumps({"context": context}).encode()
        status, _, content = asyncio.run(self.door.handle("POST", path, named, query, body))
        answer = json.loads(content)
        contract.check(path, status, answer)
        return status, answer

    def logged(self, key: str = "ranker", unit: str | None = "shopper-1") -> str:
        return self.ask(key, unit)[1]["metadata"]["exposure"]


@pytest.fixture
def world(tmp_path):
    return lambda *rows, **options: World(tmp_path, *(rows or (experiment(),)), **options)


@pytest.mark.parametrize(
    ("query", "header", "logs"),
    [
        ("exposure=true", "", True),
        ("exposure=1", "", True),
        ("a=b&exposure=TRUE", "", True),
        ("", "1", True),
        ("", "true", True),
        ("", "", False),
        ("exposure=false", "", False),
        ("exposure=", "0", False),
        ("noexposure=true", "", False),
    ],
)
def test_exposure__is_logged_when_asked_for_and_only_then(world, query, header, logs):
    made = world()
    _, answer = made.ask(query=query, x_truelift_exposure=header)
    assert ("exposure" in answer["metadata"], len(made.sink.entries)) == (logs, int(logs))


def test_exposure__logged__changes_nothing_else_of_the_answer(world):
    made = world(experiment(variants=(variant("control", value=1.0), variant("treatment", value=2.5))))
    _, plain = made.ask(query="")
    _, logged = made.ask()
    assert logged["metadata"].pop("exposure") == "stored"
    assert logged == plain
    assert type(logged["value"]) is float


def test_exposure__bulk__never_logs(world):
    made = world()
    assert made.ask(key="")[0] == 200
    assert made.sink.entries == []


def test_exposure__of_a_flag_with_an_experiment__names_the_experiment(world):
    inside = flag("banner", rules=(rule(kind="experiment", experiment="ranker"),))
    made = world(experiment(), inside)
    assert made.logged("banner") == "stored"
    assert b"ranker" in made.sink.text
    assert b"banner" not in made.sink.text


@pytest.mark.parametrize(
    ("row", "outcome"),
    [
        (experiment(allocation=0), "not_in_traffic"),
        (experiment(targeting={"country": "CA"}), "not_targeted"),
        (experiment(overrides=(override("shopper-1"),)), "override"),
        (experiment(status="paused"), "paused"),
        (experiment(status="stopped"), "stopped"),
    ],
)
def test_exposure__of_a_unit_that_no_experiment_placed__is_none(world, row, outcome):
    made = world(row)
    _, answer = made.ask()
    assert (answer["metadata"]["outcome"], answer["metadata"]["exposure"]) == (outcome, "nothing")
    assert made.sink.entries == []


def test_exposure__of_a_held_out_unit__is_that_of_the_holdout_so_that_both_sides_are_seen(world):
    made = world(HELD, experiment())
    asked = {unit: made.ask(unit=unit, query="")[1]["metadata"] for unit in UNITS}
    held = next(unit for unit, metadata in asked.items() if metadata["outcome"] == "held_out")
    assert made.logged(unit=held) == "stored"
    assert b"quiet" in made.sink.text
    assert b"ranker" not in made.sink.text


def test_exposure__of_a_prerequisite__is_logged_with_that_of_the_child(world):
    child = experiment("child", prerequisites=(needs("ranker", "treatment"),))
    made = world(experiment(), child)
    unit = next(unit for unit in UNITS if made.ask(unit=unit, query="")[1]["value"] == "treatment")
    assert made.logged("child", unit) == "stored"
    assert b"ranker" in made.sink.text
    assert b"child" in made.sink.text


def test_exposure__the_log_is_away__assignment_goes_on_and_says_so(world):
    made = world()
    made.sink.error = LogUnavailableError("down", 1)
    status, answer = made.ask()
    assert (status, answer["metadata"]["outcome"], answer["metadata"]["exposure"]) == (200, "assigned", "unavailable")


def test_exposure__key_that_may_not_ingest__is_403_with_words_and_nothing_logged(world):
    made = world(scopes=("evaluate",))
    status, answer = made.ask()
    assert (status, answer["errorCode"]) == (403, "GENERAL")
    assert "ingest" in answer["errorDetails"]
    assert made.ask(query="")[0] == 200
    assert made.sink.entries == []


@pytest.mark.parametrize(("key", "unit", "status"), [("missing", "u", 404), ("ranker", None, 400)])
def test_exposure__of_an_evaluation_that_fails__is_the_failure_alone(world, key, unit, status):
    made = world()
    assert made.ask(key, unit)[0] == status
    assert made.sink.entries == []


def test_exposure__a_change_while_it_is_asked__never_logs_another_variant_than_was_answered(world, monkeypatch):
    swapped = (variant("control", weight=0), variant("treatment", weight=10_000))
    made = world(experiment(variants=(variant("control", weight=10_000), variant("treatment", weight=0))))
    admitted, changes = single_module.admitted, [1]

    def changing(*given):
        if changes:
            changes.pop()
            made.offer(experiment(variants=swapped))
        return admitted(*given)

    monkeypatch.setattr(single_module, "admitted", changing)
    _, answer = made.ask()
    assert answer["variant"] == "treatment"
    assert b"treatment" in made.sink.text
    assert b"control" not in made.sink.text

"""How fast units get their variants without a server: beside the peers' SDKs, in columns, and how much memory it takes.

    .venv/bin/python -m benchmarks.in_process [--experiments 200]

Takes about half a minute. ``pip install -e ".[bench]"`` brings the peers; one that is missing is left out. Every line
is the best of several rounds, in turn with the others, so that what else the machine does falls on all alike.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assignment.engine.hashing import BUCKETS
from assignment.engine.program import compile_features
from assignment.publish import serve
from assignment.served import ExperimentRow, ProjectRows, VariantRow
from assignment.table import Environment

UNITS = 2_000
ROUNDS = 40
LAYERS = 50
COLUMN = 1_000_000
COLUMN_ROUNDS = 5

Evaluate = Callable[[int, str], object]
"""Evaluate the experiment with this index for this unit."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant with its weight in ten-thousandths."""

    key: str
    value: str
    weight: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """A running experiment; ``layer`` is the salt of its layer, ``part`` which of its ``parts`` it has."""

    key: str
    salt: str
    layer: str
    part: int
    parts: int
    variants: tuple[Variant, ...]

    @property
    def layer_range(self) -> tuple[int, int]:
        """The experiment's buckets of its layer."""
        return BUCKETS * self.part // self.parts, BUCKETS * (self.part + 1) // self.parts


def experiments(count: int) -> list[Experiment]:
    """Return experiments of two to four variants at full traffic in fifty layers, always the same ones."""
    parts = max(1, -(-count // LAYERS))
    chance = random.Random(1)
    made = []
    for number in range(count):
        variants = chance.choice([2, 2, 3, 4])
        cuts = [BUCKETS * index // variants for index in range(variants + 1)]
        made.append(
            Experiment(
                key=f"experiment-{number:04}",
                salt=f"{chance.getrandbits(64):016x}",
                layer=f"layer-{number // parts:04}",
                part=number % parts,
                parts=parts,
                variants=tuple(
                    Variant(f"v{index}", f"value-{index}", cuts[index + 1] - cuts[index]) for index in range(variants)
                ),
            )
        )
    return made


def features(made: list[Experiment], *, layers: bool) -> dict[str, Any]:
    """Return the experiments as the SDK protocol's feature document."""
    found = {}
    for one in made:
        rule: dict[str, Any] = {
            "id": "experiment", "key": one.key, "seed": one.salt, "hashVersion": 2, "hashAttribute": "id",
            "variations": [v.value for v in one.variants], "weights": [v.weight / BUCKETS for v in one.variants],
            "coverage": 1.0, "meta": [{"key": v.key} for v in one.variants],
        }  # fmt: skip
        if layers:
            start, end = one.layer_range
            ranges = [[start / BUCKETS, end / BUCKETS]]
            rule["filters"] = [{"attribute": "id", "seed": one.layer, "hashVersion": 2, "ranges": ranges}]
        found[one.key] = {"defaultValue": one.variants[0].value, "rules": [rule]}
    return found


def textbook(made: list[Experiment], *, layers: bool) -> Evaluate:
    """Return the plain way to write it: the published hash byte by byte, then ranges of buckets."""
    prepared = []
    for one in made:
        cuts, end = [], 0
        for variant in one.variants:
            end += variant.weight
            cuts.append((end, variant.value))
        prepared.append((one.salt, cuts, one.layer, one.layer_range))

    def fnv(text: str) -> int:
        digest = 0x811C9DC5
        for character in text:
            digest = ((digest ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
        return digest

    def evaluate(index: int, unit: str) -> str:
        salt, cuts, layer, (first, last) = prepared[index]
        if layers and not first <= fnv(str(fnv(layer + unit))) % BUCKETS < last:
            return cuts[0][1]
        bucket = fnv(str(fnv(salt + unit))) % BUCKETS
        return next(value for end, value in cuts if bucket < end)

    return evaluate


def growthbook(made: list[Experiment], *, layers: bool) -> Evaluate:
    """Return the GrowthBook SDK with the same feature document."""
    from growthbook import GrowthBook

    sdk = GrowthBook(features=features(made, layers=layers))
    keys = [one.key for one in made]

    def evaluate(index: int, unit: str) -> object:
        sdk.set_attributes({"id": unit})
        return sdk.eval_feature(keys[index]).value

    return evaluate


def eppo_flags(made: list[Experiment], *, layers: bool, logged: bool) -> bytes:
    """Return the experiments as the Eppo SDK's configuration."""
    flags = {}
    for one in made:
        splits, start = [], 0
        for variant in one.variants:
            shards = [{"salt": one.salt, "ranges": [{"start": start, "end": start + variant.weight}]}]
            if layers:
                first, last = one.layer_range
                shards.insert(0, {"salt": one.layer, "ranges": [{"start": first, "end": last}]})
            splits.append({"variationKey": variant.key, "shards": shards})
            start += variant.weight
        flags[one.key] = {
            "key": one.key, "enabled": True, "variationType": "STRING", "totalShards": BUCKETS,
            "variations": {v.key: {"key": v.key, "value": v.value} for v in one.variants},
            "allocations": [{"key": "experiment", "doLog": logged, "splits": splits}],
        }  # fmt: skip
    head = {"createdAt": "2026-01-01T00:00:00.000Z", "format": "SERVER", "environment": {"name": "bench"}}
    return json.dumps({**head, "flags": flags}).encode()


def eppo(made: list[Experiment], *, layers: bool, logged: bool, details: bool = False) -> Evaluate:
    """Return the Eppo SDK; ``logged`` as it sets experiments up, with a logger that does nothing."""
    import eppo_client

    class Logger(eppo_client.AssignmentLogger):
        def log_assignment(self, event: Any) -> None:
            del event

    client = eppo_client.init(
        eppo_client.ClientConfig(
            api_key="bench", base_url="http://127.0.0.1:9", assignment_logger=Logger(), poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(
                flags_configuration=eppo_flags(made, layers=layers, logged=logged)
            ),
        )
    )  # fmt: skip
    ask = client.get_string_assignment_details if details else client.get_string_assignment
    keys, controls = [one.key for one in made], [one.variants[0].value for one in made]
    return lambda index, unit: ask(keys[index], unit, {}, controls[index])


def chosen(made: list[Experiment], *, layers: bool) -> Evaluate:
    """Return a compiled flag's terminal: the value, the variant and why."""
    program = compile_features(features(made, layers=layers))
    flags = [program.flags[one.key] for one in made]

    def evaluate(index: int, unit: str) -> object:
        flag = flags[index]
        return flag.terminals[flag.choose({"id": unit})].value

    return evaluate


def evaluated(made: list[Experiment], *, layers: bool) -> Evaluate:
    """Return the compiled engine's result as the protocol has it: also experiment, bucket and unit."""
    evaluate, keys = compile_features(features(made, layers=layers)).evaluate, [one.key for one in made]
    return lambda index, unit: evaluate(keys[index], {"id": unit}).value


def environment_of(made: list[Experiment], *, layers: bool) -> Environment:
    """Return the experiments as the edge lays them out."""
    rows = [
        ExperimentRow(
            key=one.key, salt=one.salt, status="running", environments=("production",),
            variants=tuple(VariantRow(key=v.key, weight=v.weight, value=v.value) for v in one.variants),
            layer_salt=one.layer if layers else None, layer_ranges=(one.layer_range,) if layers else (),
        )
        for one in made
    ]  # fmt: skip
    served = serve(1, "bench", ProjectRows(experiments=tuple(rows)), datetime.now(UTC))
    return Environment(served.environments["production"])


def encoded(made: list[Experiment], *, layers: bool) -> Evaluate:
    """Return the edge's answer to one flag's OFREP request, in bytes."""
    flags = environment_of(made, layers=layers).flags
    found = [flags[one.key] for one in made]
    return lambda index, unit: found[index].encoded({"id": unit}, {})


TEXTBOOK, GROWTHBOOK, EPPO = "textbook Python, value", "growthbook SDK, result", "eppo SDK, value, assignments logged"
CHOSEN, EVALUATED = "Truelift, value, variant and reason", "Truelift, whole result of the protocol"
ENCODED = "Truelift, encoded OFREP answer"
VALUES = (TEXTBOOK, GROWTHBOOK, CHOSEN, EVALUATED)
"""Who hash as the protocol does, and so must agree."""


def evaluators(made: list[Experiment], *, layers: bool) -> dict[str, Evaluate]:
    """Return every evaluator that is installed."""
    found = {TEXTBOOK: textbook(made, layers=layers)}
    with suppress(ImportError):
        found[GROWTHBOOK] = growthbook(made, layers=layers)
    with suppress(ImportError):
        found["eppo SDK, value, nothing logged"] = eppo(made, layers=layers, logged=False)
        found[EPPO] = eppo(made, layers=layers, logged=True)
        found["eppo SDK, value and reason, assignments logged"] = eppo(made, layers=layers, logged=True, details=True)
    found[EVALUATED] = evaluated(made, layers=layers)
    found[CHOSEN] = chosen(made, layers=layers)
    found[ENCODED] = encoded(made, layers=layers)
    return found


def rates(asked: dict[str, Evaluate], count: int) -> dict[str, float]:
    """Return each evaluator's best evaluations a second, one experiment for each unit in turn."""
    units = [f"user-{number:07}" for number in range(UNITS)]
    best = dict.fromkeys(asked, 0.0)
    for _ in range(ROUNDS):
        for name, evaluate in asked.items():
            began = time.perf_counter()
            for number, unit in enumerate(units):
                evaluate(number % count, unit)
            best[name] = max(best[name], len(units) / (time.perf_counter() - began))
    return best


def check_agreement(asked: dict[str, Evaluate], count: int) -> None:
    """Stop where an evaluator that hashes as the protocol does gives another variant."""
    for number in range(2_000):
        unit, index = f"user-{number:07}", number % count
        answers = {name: evaluate(index, unit) for name, evaluate in asked.items() if name in VALUES}
        assert len(set(answers.values())) == 1, f"{unit} in experiment {index}: {answers}"


def column_rates() -> Iterator[tuple[str, float]]:
    """Yield how many units a second are assigned as a column, one experiment with a layer, on one core."""
    import numpy as np

    from assignment.engine.bulk import assign_column

    rule = next(iter(features(experiments(1), layers=True).values()))["rules"][0]
    flat = {name: value for name, value in rule.items() if name != "filters"}
    columns: dict[str, Any] = {
        "a list of strings": [f"user-{number}" for number in range(COLUMN)],
        "a numpy array of strings": np.array([f"user-{number}" for number in range(COLUMN)]),
        "a numpy array of whole numbers": np.arange(1, COLUMN + 1),
        "a list of 36-character ids": [f"{number:08x}-0000-4000-8000-000000000000" for number in range(COLUMN)],
        "a list of strings beyond ASCII": [f"zoë-{number}" for number in range(COLUMN)],
    }
    for name, units in columns.items():
        for kind, experiment in (("", flat), (", in a layer", rule)):
            best = 0.0
            for _ in range(COLUMN_ROUNDS):
                began = time.perf_counter()
                assign_column(experiment, units)
                best = max(best, COLUMN / (time.perf_counter() - began))
            yield name + kind, best


MEASURE = """
import sys
from assignment.table import Frame
from benchmarks import in_process
kept = in_process.environment_of(in_process.experiments(int(sys.argv[1])), layers=True)
kept.encoded({"id": "user-1"}, {}, Frame(b"", b"", lambda error, key: b""))
assert len(kept.flags) == int(sys.argv[1])
print(in_process.megabytes())
"""


def megabytes() -> float:
    """Return the memory that this process holds now, shared libraries included; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def memory(count: int) -> float:
    """Return the megabytes of a fresh process that has answered for all of the experiments."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(count)], capture_output=True, text=True, check=True, timeout=60
    )
    return float(done.stdout)


def machine() -> str:
    """Return the machine in one line."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def report(count: int) -> None:
    """Measure and print everything."""
    made = experiments(count)
    for layers in (True, False):
        where = f"in {LAYERS} layers" if layers else "without layers"
        asked = evaluators(made, layers=layers)
        check_agreement(asked, count)
        print(f"\n| {count} experiments {where}, one an evaluation | evaluations/s | times growthbook | times eppo |")
        print("|---|---:|---:|---:|")
        measured = rates(asked, count)
        for name, per_second in measured.items():
            ratios = [f"{per_second / measured[peer]:.1f}" if peer in measured else "" for peer in (GROWTHBOOK, EPPO)]
            print(f"| {name} | {per_second:,.0f} | {ratios[0]} | {ratios[1]} |", flush=True)
    print("\n| a column of a million units, one core | units/s |\n|---|---:|")
    for name, per_second in column_rates():
        print(f"| {name} | {per_second:,.0f} |", flush=True)
    print("\n| a process with the edge's tables, one environment | MB |\n|---|---:|")
    for held in (1, 200, 1_000):
        print(f"| {held:,} experiments in layers | {memory(held):.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    options = parser.parse_args()
    print(machine())
    report(options.experiments)


if __name__ == "__main__":
    main()

"""Remote evaluation beside its peers, in one run: every feature for one context, over HTTP, from real servers.

    .venv/bin/python -m benchmarks.evaluate_peers [--experiments 200] [--seconds 4] [--rounds 3] [--processes 1]

Starts Truelift, a server that evaluates nothing, GrowthBook's proxy evaluation (MIT) and Unleash 6 (Apache-2.0) with
the same flat experiments and as many processes each, asks each in turn by the same load generator, and prints rates,
processor time and ratios. It needs Node 18 to 20 and installs the peers from the npm registry into
benchmarks/peers/node_modules the first time. Takes about two minutes.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from assignment.ofrep import FLAGS
from benchmarks import evaluate, in_process
from benchmarks.loading import CONNECTIONS, load

PEERS = Path(__file__).parent / "peers"
START_SECONDS = 90
UNITS = [f"user-{number:07}" for number in range(1_000)]
TRUELIFT = "Truelift, OFREP for all flags"
ADMIN, FRONTEND = "*:*.benchmark-admin", "default:development.benchmark-frontend"
Ask = Callable[[float], dict[str, float]]


def install() -> str:
    """Return where Node is, with the peers installed."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise SystemExit("The peers run on Node: install Node 18 to 20 with npm.")
    if not (PEERS / "node_modules" / ".package-lock.json").exists():
        print("Installing the peers from the npm registry (about 30 s)…", file=sys.stderr)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=PEERS, check=True)
    return node


@contextmanager
def started(command: list[str], address: str, log: Path, environment: dict[str, str]) -> Iterator[int]:
    """Run a server until the block ends; enter it with the process's id when the server answers."""
    from config.stack import processes

    # NODE_ENV makes Express and its like leave out what is for developers.
    env = {**os.environ, "NODE_ENV": "production", **environment}
    server = processes.spawn(command, log, env=env, cwd=PEERS if command[0].endswith("node") else None)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(address):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[1]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield server.pid
    finally:
        processes.stop(server)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def growthbook_payload(count: int) -> dict[str, Any]:
    """Return the experiments of the benchmark as GrowthBook's features."""
    features = {}
    for one in evaluate.experiments(count):
        rule = {"key": one.key, "seed": one.salt, "hashVersion": 2, "variations": [v.value for v in one.variants],
                "weights": [v.weight / 10_000 for v in one.variants], "coverage": 1,
                "meta": [{"key": v.key} for v in one.variants]}  # fmt: skip
        features[one.key] = {"defaultValue": one.variants[0].value, "rules": [rule]}
    return {"status": 200, "features": features}


def fill_unleash(port: int, count: int) -> None:
    """Make the experiments as Unleash's toggles with variants, at full rollout by user."""
    base = f"http://127.0.0.1:{port}/api/admin/projects/default/features"
    for one in evaluate.experiments(count):
        _admin(base, {"name": one.key, "type": "experiment", "impressionData": False})
        here = f"{base}/{one.key}/environments/development"
        variants = [
            {"name": v.key, "weight": v.weight // 10, "weightType": "variable", "stickiness": "userId",
             "payload": {"type": "string", "value": v.value}}
            for v in one.variants
        ]  # fmt: skip
        parameters = {"rollout": "100", "stickiness": "userId", "groupId": one.key}
        _admin(f"{here}/strategies", {"name": "flexibleRollout", "parameters": parameters, "variants": variants})
        _admin(f"{here}/on", {})


def _admin(address: str, body: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", "authorization": ADMIN}
    asked = urllib.request.Request(address, data=json.dumps(body).encode(), headers=headers, method="POST")
    with urllib.request.urlopen(asked, timeout=20):
        pass


def posting(path: str, key: str, body: Callable[[str], object]) -> list[str]:
    """Return requests that post a context for each of many units."""

    def request(unit: str) -> str:
        encoded = json.dumps(body(unit))
        return (f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(encoded)}\r\n\r\n{encoded}")  # fmt: skip

    return [request(unit) for unit in UNITS]


def getting(path: str, key: str) -> list[str]:
    """Return requests that name each of many units in the address."""
    return [f"GET {path}?userId={unit} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {key}\r\n\r\n" for unit in UNITS]


def asking(port: int, pid: int, requests: list[str]) -> Ask:
    """Return how a server is asked for some seconds."""
    return lambda seconds: load(port, pid, requests, seconds)


def one_answer(port: int, request: str) -> bytes:
    """Return the body that answers a request written by hand."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.read()


@contextmanager
def servers(count: int, workers: int, with_unleash: bool) -> Iterator[dict[str, Ask]]:
    """Run all servers, each with as many processes, and yield how to ask each for every feature of one context."""
    node = install()
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="tl-peers-")))
        truelift = running.enter_context(evaluate.server(count, workers=workers))
        of_all = posting(FLAGS, truelift.key, lambda unit: {"context": {"targetingKey": unit, "country": "DE"}})
        asks = {TRUELIFT: asking(truelift.port, truelift.pid, of_all)}

        def run(command: list[str], port: int, path: str, **environment: str) -> int:
            address, log = f"http://127.0.0.1:{port}{path}", directory / f"{port}.log"
            return running.enter_context(started(command, address, log, environment))

        answer = directory / "answer.json"
        answer.write_bytes(one_answer(truelift.port, of_all[0]))
        port = evaluate.free_port()
        pid = run(
            evaluate.granian_command(port, "benchmarks.ceiling:app", workers), port, "/", CEILING_ANSWER=str(answer)
        )
        asks[f"the same {answer.stat().st_size // 1000} KB, nothing evaluated"] = asking(port, pid, of_all)

        payload = directory / "payload.json"
        payload.write_text(json.dumps(growthbook_payload(count)))
        port = evaluate.free_port()
        command = [node, str(PEERS / "growthbook_proxy.mjs"), str(port), str(payload), str(workers)]
        requests = posting("/api/eval/sdk", "", lambda unit: {"attributes": {"id": unit, "country": "DE"}})
        asks["GrowthBook proxy-eval"] = asking(port, run(command, port, "/"), requests)
        if with_unleash:
            port = evaluate.free_port()
            command = [node, str(PEERS / "unleash.mjs"), str(port), _new_database(), ADMIN, FRONTEND, str(workers)]
            pid = run(command, port, "/health")
            fill_unleash(port, count)
            asks["Unleash frontend API"] = asking(port, pid, getting("/api/frontend", FRONTEND))
            time.sleep(12)  # it looks for changed toggles every ten seconds
        yield asks


def _new_database() -> str:
    """Make a database for Unleash beside Truelift's and return its address."""
    import psycopg

    from events import log

    with psycopg.connect(log.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE unleash")
        info = connection.info
        return f"postgresql://{info.user}@/unleash?host={info.host}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1, help="of each server")
    parser.add_argument("--no-unleash", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    with servers(options.experiments, options.processes, not options.no_unleash) as asks:
        for ask in asks.values():
            ask(2)
        for _ in range(options.rounds):  # in turn, so that whatever else the machine does hits all alike
            for name, ask in asks.items():
                found.setdefault(name, []).append(ask(options.seconds))
    print(in_process.machine())
    print(
        f"{options.experiments} flat experiments, all of them in every answer, {CONNECTIONS} connections, "
        f"{options.processes} process(es) a server, load generator included"
    )
    print("\n| server | req/s | p50 ms | p99 ms | KB | µs of processor | Truelift: rate | processor |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    ours = _medians(found[TRUELIFT])
    for name, rounds in found.items():
        one = _medians(rounds)
        rate = ours["per_second"] / one["per_second"]
        cost = f"{one['server_us'] / ours['server_us']:.2f}×" if ours["server_us"] else ""
        print(
            f"| {name} | {one['per_second']:,.0f} | {one['p50_ms']:.1f} | {one['p99_ms']:.1f} "
            f"| {one['bytes'] / 1000:.0f} | {one['server_us']:,.0f} | {rate:.2f}× | {cost} |"
        )
    print(f"\nThe load generator took {ours['load_us']:.0f} µs of processor time for each of Truelift's answers.")


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {which: statistics.median(one[which] for one in rounds) for which in rounds[0]}


if __name__ == "__main__":
    main()

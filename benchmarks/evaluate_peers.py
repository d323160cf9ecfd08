"""Remote evaluation beside its peers, in one run: every feature for one context, over HTTP, from real servers.

    .venv/bin/python -m benchmarks.evaluate_peers [--experiments 200] [--seconds 4] [--rounds 3]

Starts Truelift, GrowthBook's proxy evaluation (MIT) and Unleash 6 (Apache-2.0) with the same flat experiments, asks
each in turn by the same load generator, and prints rates and ratios. It needs Node 18 to 20 and installs the peers
from the npm registry into benchmarks/peers/node_modules the first time. Takes about two minutes.
"""

import argparse
import json
import shutil
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

PEERS = Path(__file__).parent / "peers"
START_SECONDS = 90
UNITS = 1_000
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
def started(command: list[str], address: str, log: Path, headers: dict[str, str]) -> Iterator[None]:
    """Run a server until the block ends; enter it when the server answers."""
    from config.stack import processes

    server = processes.spawn(command, log, cwd=PEERS)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(address, headers):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[1]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        processes.stop(server)


def _answers(address: str, headers: dict[str, str]) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=2):
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


def post(port: int, path: str, key: str, body: Callable[[str], object]) -> Ask:
    """Return a load that posts a context for each of many units."""

    def request(unit: str) -> str:
        encoded = json.dumps(body(unit))
        return (f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(encoded)}\r\n\r\n{encoded}")  # fmt: skip

    return _load(port, request)


def get(port: int, path: str, key: str) -> Ask:
    """Return a load that names each of many units in the address."""
    return _load(
        port, lambda unit: f"GET {path}?userId={unit} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {key}\r\n\r\n"
    )


def _load(port: int, request: Callable[[str], str]) -> Ask:
    requests = [request(f"user-{number:07}") for number in range(UNITS)]

    def ask(seconds: float) -> dict[str, float]:
        job = {"port": port, "connections": evaluate.CONNECTIONS, "seconds": seconds, "requests": requests}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.evaluate_load"],
            input=json.dumps(job), capture_output=True, text=True, check=True, timeout=seconds + 60,
        )  # fmt: skip
        measured: dict[str, float] = json.loads(done.stdout)
        if measured["refused"]:
            raise SystemExit(f"{measured['refused']} answers of port {port} were not 200.")
        return measured

    return ask


@contextmanager
def servers(count: int, with_unleash: bool) -> Iterator[dict[str, Ask]]:
    """Run all servers and yield how to ask each for every feature of one context."""
    node = install()
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="tl-peers-")))
        port, key, _ = running.enter_context(evaluate.server(count))
        asks = {"Truelift": post(port, FLAGS, key, lambda unit: {"context": {"targetingKey": unit, "country": "DE"}})}

        payload = directory / "payload.json"
        payload.write_text(json.dumps(growthbook_payload(count)))
        growthbook = evaluate._free_port()
        command = [node, str(PEERS / "growthbook_proxy.mjs"), str(growthbook), str(payload)]
        running.enter_context(started(command, f"http://127.0.0.1:{growthbook}/", directory / "growthbook.log", {}))
        asks["GrowthBook proxy-eval"] = post(
            growthbook, "/api/eval/sdk", "", lambda unit: {"attributes": {"id": unit, "country": "DE"}}
        )
        if with_unleash:
            unleash = evaluate._free_port()
            command = [node, str(PEERS / "unleash.mjs"), str(unleash), _new_database(), ADMIN, FRONTEND]
            address = f"http://127.0.0.1:{unleash}/health"
            running.enter_context(started(command, address, directory / "unleash.log", {}))
            fill_unleash(unleash, count)
            asks["Unleash frontend API"] = get(unleash, "/api/frontend", FRONTEND)
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
    parser.add_argument("--no-unleash", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    with servers(options.experiments, not options.no_unleash) as asks:
        for ask in asks.values():
            ask(1)
        for _ in range(options.rounds):  # in turn, so that whatever else the machine does hits all alike
            for name, ask in asks.items():
                found.setdefault(name, []).append(ask(options.seconds))
    print(in_process.machine())
    print(
        f"{options.experiments} flat experiments, all of them in every answer, {evaluate.CONNECTIONS} connections, "
        "load generator included"
    )
    print("\n| server | req/s | p50 ms | p99 ms | Truelift is |\n|---|---:|---:|---:|---:|")
    rates = {name: statistics.median(one["per_second"] for one in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        p50, p99 = (statistics.median(one[which] for one in rounds) for which in ("p50_ms", "p99_ms"))
        ratio = rates["Truelift"] / rates[name]
        print(f"| {name} | {rates[name]:,.0f} | {p50:.1f} | {p99:.1f} | {ratio:.1f}× |")


if __name__ == "__main__":
    main()

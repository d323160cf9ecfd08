"""Ask a server in a process of its own, and see what that cost the server's processes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")


def load(port: int, pid: int, requests: Sequence[str], seconds: float) -> dict[str, float]:
    """Send the requests in turn over some connections; return the rate, the times and the processor time of both.

    ``server_us`` is the processor time of the server's process and its children for one request, in microseconds:
    unlike the rate it hardly depends on what else the machine does. 0 where the system does not say.
    """
    job = {"port": port, "connections": CONNECTIONS, "seconds": seconds, "requests": list(requests)}
    before = processor_seconds(pid)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.evaluate_load"],
        input=json.dumps(job), capture_output=True, text=True, check=True, timeout=seconds + 120,
    )  # fmt: skip
    spent = processor_seconds(pid) - before
    measured: dict[str, float] = json.loads(done.stdout)
    assert measured["refused"] == 0, f"{measured['refused']} answers of port {port} were not 200"
    return measured | {"server_us": spent / measured["answered"] * 1e6}


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its children have used so far."""
    used: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            stat = (process / "stat").read_text()
        except OSError:  # it has just ended
            continue
        fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
        used[int(process.name)] = int(fields[11]) + int(fields[12])
        children.setdefault(int(fields[1]), []).append(int(process.name))
    family = [pid]
    for one in family:
        family += children.get(one, [])
    return sum(used.get(one, 0) for one in family) / TICKS

"""How long a person waits for a page: the whole product, a shop with results, one signed-in visitor.

    .venv/bin/python -m benchmarks.page [--requests 100] [--experiments 2000 --metrics 20 --variants 4]

Starts a stack of its own in a temporary directory, fills it with simulated shoppers, and asks for each page over HTTP.
Then it fills a second project as large as the product promises to be quick at (benchmarks.portfolio), and asks for its
pages: the ones that people have open most, then every page that there is (benchmarks.addresses), the slowest of each
kind, slowest first, while the worker is held; then the first ones again while it works through all that was filled in.
Takes a quarter of an hour and leaves nothing behind. The sign-in page, which asks the database next to nothing, is the
measure beside which the others are read.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from config.demo.credentials import DEMO_EMAIL, DEMO_PASSWORD, PROJECT_SLUG
from config.stack.running import RunningStack, running_stack

EXPERIMENTS = 4
AIM = 100
"""Milliseconds that a page may take."""
SHOPPERS = 1500
HIDDEN_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="requests a page (default 100)")
    parser.add_argument("--experiments", type=int, default=2000, help="of the large project (0: none; default 2000)")
    parser.add_argument("--metrics", type=int, default=20, help="a metric table of this many rows (default 20)")
    parser.add_argument("--variants", type=int, default=4, help="and this many variants (default 4)")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tl-bench-"))
    home.chmod(0o755)
    try:
        with running_stack(home) as stack:
            for number in range(EXPERIMENTS):
                arguments = ["--experiment", f"ranker-{number}", "--shoppers", str(SHOPPERS), "--seed", str(number)]
                stack.manage("simulate_shop", "--base-url", stack.base_url, *arguments, "--report")
            floor = measure(stack.base_url, options.requests)
            if options.experiments:
                measure_large(stack, options, floor)
    finally:
        shutil.rmtree(home, ignore_errors=True)


Measured = tuple[list[float], int]
"""Milliseconds of each request in order, and the answer's bytes."""


def measure(base_url: str, requests: int) -> Measured:
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}")
    print(f"{EXPERIMENTS} experiments of {SHOPPERS} shoppers, {requests} requests a page, one after the other")
    experiment = f"/p/{PROJECT_SLUG}/experiments/ranker-0/"
    with httpx.Client(base_url=base_url, follow_redirects=True) as visitor:
        floor = ask(visitor, "/sign-in/", requests)
        show("sign-in (the plainest page)", floor, floor)
        sign_in(visitor)
        for name, path in {
            "all experiments": f"/p/{PROJECT_SLUG}/",
            "results": f"{experiment}results/",
            "set-up": experiment,
            "new experiment": f"/p/{PROJECT_SLUG}/experiments/new/",
        }.items():
            show(name, ask(visitor, path, requests), floor)
    return floor


def measure_large(stack: RunningStack, options: argparse.Namespace, floor: Measured) -> None:
    """Fill a project of thousands of experiments and ask for its pages; ``results`` is the largest table there is."""
    command = [sys.executable, "-m", "benchmarks.portfolio", "--email", DEMO_EMAIL]
    for name in ("experiments", "metrics", "variants"):
        command += [f"--{name}", str(getattr(options, name))]
    subprocess.run(command, env=dict(stack.environment), check=True)
    print(f"{options.experiments:,} experiments of {options.metrics} metrics and {options.variants} variants")
    with httpx.Client(base_url=stack.base_url, follow_redirects=True, timeout=60) as visitor:
        sign_in(visitor)
        named = pages_of(visitor)
        with at_rest(stack):
            for name, path in named.items():
                show(name, ask(visitor, path, options.requests), floor)
            measure_every(stack, visitor, options, floor)
        time.sleep(5)
        print("the same while the worker works through all of these experiments on the same cores")
        with httpx.Client(base_url=stack.base_url) as stranger:
            show("sign-in", ask(stranger, "/sign-in/", options.requests), floor)
        for name, path in named.items():
            show(name, ask(visitor, path, max(9, options.requests // 2)), floor)


@contextmanager
def at_rest(stack: RunningStack) -> Iterator[None]:
    """Hold the worker, to which thousands of experiments that were filled in at once are a quarter of an hour's work.

    So the time of a page is that of the server and its database, as it is once the worker has caught up.
    """
    groups = [pid for name, pid in stack.state.children.items() if name in ("worker", "beat")]
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        time.sleep(5)  # for what the database still has to do for it
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


def pages_of(visitor: httpx.Client) -> dict[str, str]:
    """Return the pages of the large project that people have open most."""
    home = "/p/portfolio/"
    listed = visitor.get(f"{home}experiments/?stage=ready+for+review").text
    found = re.search(rf'href="({home}experiments/[^/"]+/results/)"', listed)
    assert found is not None, "no experiment with results is in the list"
    return {
        "what needs me today": home,
        "list": f"{home}experiments/",
        "list, searched": f"{home}experiments/?q=ranker&sort=name",
        "board": f"{home}experiments/?view=board",
        "timeline": f"{home}experiments/?view=timeline",
        "library": f"{home}library/",
        "programme numbers": f"{home}programme/",
        "conflicts": f"{home}conflicts/",
        "search": f"{home}search/?q=checkout",
        "metrics": f"{home}metrics/",
        "results": found[1],
        "set-up": found[1].removesuffix("results/"),
    }


def measure_every(stack: RunningStack, visitor: httpx.Client, options: argparse.Namespace, floor: Measured) -> None:
    """Ask for every page of the large project and what pages fetch themselves; downloads are no pages."""
    command = [sys.executable, "-m", "benchmarks.addresses"]
    listed = subprocess.run(command, env=dict(stack.environment), check=True, capture_output=True)
    slowest: dict[str, tuple[float, str, Measured]] = {}
    for name, path in json.loads(listed.stdout):
        answer = visitor.get(path, follow_redirects=False)
        if answer.status_code != 200 or "html" not in answer.headers["Content-Type"]:
            continue
        measured = ask(visitor, path, max(9, options.requests // 5))
        known = (statistics.median(measured[0]), path, measured)
        slowest[name] = max(slowest.get(name, known), known)
    found = sorted(slowest.values(), reverse=True)
    over = [path for p50, path, _ in found if p50 > AIM]
    largest = max(found, key=lambda one: one[2][1])
    kilobytes = f"largest {largest[2][1] / 1024:.0f} KB, {largest[1]}"
    print(f"every page, {len(found)} kinds: {len(over)} over {AIM} ms; {kilobytes}")
    for _, path, measured in found:
        show(path.removeprefix("/p/portfolio/"), measured, floor)


def sign_in(visitor: httpx.Client) -> None:
    token = HIDDEN_TOKEN.search(visitor.get("/sign-in/").text)
    assert token is not None
    answer = visitor.post(
        "/sign-in/",
        data={"email": DEMO_EMAIL, "password": DEMO_PASSWORD, "csrfmiddlewaretoken": token[1]},
        headers={"Referer": str(visitor.base_url)},
    )
    assert "Sign out" in answer.text, "the demo's sign-in does not work"


def ask(visitor: httpx.Client, path: str, requests: int) -> Measured:
    size, times = len(visitor.get(path).raise_for_status().content), []
    for _ in range(requests):
        began = time.perf_counter()
        visitor.get(path)
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times), size


def show(name: str, measured: Measured, floor: Measured) -> None:
    times, size = measured
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99) - 1]
    ratio = p50 / statistics.median(floor[0])
    print(f"{name:44s} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {ratio:4.1f} times the plainest   {size / 1024:5.0f} KB")


if __name__ == "__main__":
    main()

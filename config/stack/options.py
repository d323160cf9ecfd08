"""What ``make run`` can be told, by option or by environment variable."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import paths

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (what to show for "everywhere")
NO = {"0", "no", "false", "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One start of the stack, as it was asked for."""

    host: str
    port: int
    home: Path
    demo: bool
    live: bool
    workers: int

    @property
    def local_url(self) -> str:
        """Return the address at which this machine reaches the server."""
        host = ANY_ADDRESS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Read the options; each one's default comes from the environment variable that its help names."""
    found = _parser(environment).parse_args(arguments)
    return Options(
        host=found.host,
        port=found.port,
        home=Path(found.home).expanduser().resolve(),
        demo=found.demo,
        live=found.live,
        workers=found.workers,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m config.stack",
        description="Run the whole product: database, broker, server, worker, schedule and demo shoppers.",
        epilog="DATABASE_URL, REDIS_URL and EMAIL_URL replace the embedded parts; see docs/settings.md.",
    )
    add = parser.add_argument
    add("--host", default=environment.get("TRUELIFT_HOST", "127.0.0.1"), help="address to listen on (TRUELIFT_HOST)")
    add("--port", type=_port, default=environment.get("TRUELIFT_PORT", "8000"), help="port (TRUELIFT_PORT)")
    add("--home", default=str(paths.home()), help="directory for data and logs (TRUELIFT_HOME)")
    add("--workers", type=_count, default=environment.get("TRUELIFT_WORKERS", "2"),
        help="worker processes for background tasks (TRUELIFT_WORKERS)")  # fmt: skip
    add("--demo", action=argparse.BooleanOptionalAction, default=_yes(environment.get("TRUELIFT_DEMO")),
        help="load the demo on the first start (TRUELIFT_DEMO=0 does not)")  # fmt: skip
    add("--live", action=argparse.BooleanOptionalAction, default=_yes(environment.get("TRUELIFT_LIVE")),
        help="keep simulated shoppers coming while the demo is loaded (TRUELIFT_LIVE=0 does not)")  # fmt: skip
    return parser


def _yes(value: str | None) -> bool:
    return (value or "1").strip().lower() not in NO


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes; give 1 to 64")
    return int(text)

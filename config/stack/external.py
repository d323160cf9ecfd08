"""Check the servers that the environment names before anything starts; each failure is one line of advice."""

import smtplib
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import redis

from config.env import SettingError, broker_url, database_settings, email_settings, redact

SECONDS = 5
OLDEST_POSTGRES = 15


def check_database(url: str) -> str:
    """Connect to ``DATABASE_URL``; return the server's version."""
    database_settings(url)
    try:
        with psycopg.connect(url, connect_timeout=SECONDS) as connection:
            version, name = connection.info.server_version, connection.info.dbname
            may_create = connection.execute("SELECT has_schema_privilege(current_schema(), 'CREATE')").fetchone()
    except psycopg.OperationalError as error:
        raise _unreachable("DATABASE_URL", url, error) from error
    if version < OLDEST_POSTGRES * 10_000:
        raise SettingError(
            f"DATABASE_URL names PostgreSQL {version // 10_000}; Truelift needs {OLDEST_POSTGRES} or later. "
            "Upgrade it, or leave DATABASE_URL out to use the embedded one."
        )
    if may_create is None or not may_create[0]:
        raise SettingError(
            f"The user of DATABASE_URL may not create tables in database {name}. "
            f"Let it own the database: ALTER DATABASE {name} OWNER TO …"
        )
    return f"{version // 10_000}.{version % 10_000}"


def check_broker(url: str) -> str:
    """Connect to ``REDIS_URL``; return the server's version."""
    broker_url(url)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS) as client:
            found = client.info("server")
    except (redis.exceptions.RedisError, ValueError, OSError) as error:
        raise _unreachable("REDIS_URL", url, error) from error
    return str(found.get("valkey_version") or found.get("redis_version", "of unknown version"))


def check_mail(url: str) -> str:
    """Sign in to ``EMAIL_URL`` without sending; return the server's host and port."""
    settings = email_settings(url)
    host, port = settings["EMAIL_HOST"], settings["EMAIL_PORT"]
    door = smtplib.SMTP_SSL if settings["EMAIL_USE_SSL"] else smtplib.SMTP
    try:
        with door(host, port, timeout=SECONDS) as server:
            if settings["EMAIL_USE_TLS"]:
                server.starttls()
            if settings["EMAIL_HOST_USER"]:
                server.login(settings["EMAIL_HOST_USER"], settings["EMAIL_HOST_PASSWORD"])
    except (smtplib.SMTPException, OSError) as error:
        raise _unreachable("EMAIL_URL", url, error) from error
    return f"{host}:{port}"


CHECKS: dict[str, tuple[str, Callable[[str], str]]] = {
    "DATABASE_URL": ("PostgreSQL", check_database),
    "REDIS_URL": ("Broker", check_broker),
    "EMAIL_URL": ("Mail server", check_mail),
}


def _unreachable(name: str, url: str, error: Exception) -> SettingError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if password := urlsplit(url).password:
        said = said.replace(password, "…")
    return SettingError(
        f"{name} ({redact(url)}) cannot be reached: {said.rstrip('.')}. "
        f"Check the address and that the server runs, or leave {name} out."
    )


def check_port(host: str, port: int) -> str:
    """Return the numeric address of ``host`` once it is sure that the server can listen on ``port`` there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingError(f"HOST is {host!r}, which this machine cannot resolve ({error.strerror}).") from error
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise SettingError(
                f"Port {port} on {host} cannot be used ({error.strerror}). "
                f"Choose another one: make run PORT={_free_port(family, str(address[0]), port)}"
            ) from error
    return str(address[0])


def _free_port(family: socket.AddressFamily, host: str, taken: int) -> int:
    """Return the next port that is free, to offer it."""
    for port in range(max(taken + 1, 1024), 65536):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    return 0

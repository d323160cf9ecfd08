"""What is in the database when the stack starts, and what to tell the person who started it."""

import ipaddress
import os

import psycopg

from config import paths
from config.demo.credentials import DEMO_EMAIL, DEMO_PASSWORD
from config.stack.options import Options


def has_project(options: Options) -> bool:
    """Return whether anything has been set up."""
    return _exists(options, "SELECT 1 FROM experiments_project LIMIT 1")


def has_demo(options: Options) -> bool:
    """Return whether the demo's person is there to sign in."""
    return _exists(options, "SELECT 1 FROM experiments_user WHERE email = %s", DEMO_EMAIL)


def is_empty(options: Options) -> bool:
    """Return whether nobody has an account yet."""
    return not _exists(options, "SELECT 1 FROM experiments_user LIMIT 1")


def sign_in_lines(options: Options) -> list[str]:
    """Return how to sign in, and a warning where strangers could do so too."""
    if not has_demo(options):
        return [
            "sign in     open the address: the first visitor makes the first account"
            if is_empty(options)
            else "sign in     with your own account"
        ]
    lines = [f"sign in     {DEMO_EMAIL}   password  {DEMO_PASSWORD}"]
    if not _is_loopback(options.host):
        lines.append(f"warning     whoever reaches {options.host}:{options.port} can sign in with the demo's password")
    return lines


def _exists(options: Options, query: str, *arguments: str) -> bool:
    url = os.environ.get("DATABASE_URL") or paths.embedded_database_url(options.home)
    with psycopg.connect(url) as connection:
        return connection.execute(query, arguments).fetchone() is not None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Servers of the tests' own: never the running product's data."""

import os
import shutil
import signal
import tempfile
from collections import defaultdict
from pathlib import Path

import django
import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.hashers import ScryptPasswordHasher
from django.db import connection, connections, transaction
from django.test import TransactionTestCase
from hypothesis import settings as property_settings

from tests import prepared

TEST_DATABASE = "test_truelift"
_HOME = Path(tempfile.mkdtemp(prefix="tl-test-"))
_HOME.chmod(0o755)  # the unprivileged user that runs PostgreSQL under root must reach its directory
os.environ["TRUELIFT_HOME"] = str(_HOME)
os.environ["TRUELIFT_SECRET_KEY"] = "only-for-tests"
os.environ["TRUELIFT_STATIC_ROOT"] = str(_HOME / "static")
for _name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "TRUELIFT_ENV", "TRUELIFT_BASE_URL"):
    os.environ.pop(_name, None)
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

# After the environment and not from pytest's ini: the settings must see this home, never the running product's.
django.setup()

# Pages name their static files as they lie: nothing is collected for tests that run in this process.
(_HOME / "static").mkdir()
settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


# A property that takes longer while the machine is busy is no less true.
property_settings.register_profile("untimed", deadline=None)
property_settings.load_profile("untimed")


class QuickScrypt(ScryptPasswordHasher):
    """Passwords that any server can check, made without taking the time that an attacker should take."""

    work_factor = 2


settings.PASSWORD_HASHERS = [f"{__name__}.QuickScrypt"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(embedded_servers: Path) -> None:
    """Have the embedded PostgreSQL up before Django makes its test database."""


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings):
    """Have the test database also for modules whose own fixtures commit: pytest-django looks for marked tests only.

    It is thrown away with its server.
    """
    connection.close()
    connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = TEST_DATABASE


@pytest.fixture(scope="session")
def embedded_servers(django_db_blocker):
    """Start PostgreSQL, with its test database, and Valkey in a temporary home; stop and delete them at the end."""
    from config import paths
    from config.stack import embedded

    sockets = paths.socket_directory(_HOME)
    with prepared.alone():
        if not prepared.take(_HOME):
            with django_db_blocker.unblock():
                _prepare(sockets)
    postgres = embedded.start_postgres(_HOME, sockets)
    valkey = embedded.start_valkey(_HOME, sockets)
    yield _HOME
    embedded.stop(valkey)
    embedded.stop(postgres, signal.SIGINT)


def _prepare(sockets: Path) -> None:
    """Make a server with a migrated test database, stop it, and keep a copy of it."""
    from config.stack import embedded

    embedded.stop(embedded.start_postgres(_HOME, sockets), signal.SIGINT)
    prepared.make_quick(_HOME / "postgres")
    postgres = embedded.start_postgres(_HOME, sockets)
    name = connection.settings_dict["NAME"]
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        connection.close()
        with psycopg.connect(f"postgresql://truelift@/postgres?host={sockets}", autocommit=True) as server:
            server.execute(f"DROP DATABASE {name}")
            server.execute(f"CREATE DATABASE {name} TEMPLATE {TEST_DATABASE}")
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = name
        embedded.stop(postgres, signal.SIGINT)
    prepared.keep(_HOME / "postgres")


def _empty(case: TransactionTestCase) -> None:
    """Delete what a committing test has left, where there is anything: flushing all tables took a second a test."""
    kept = {"django_content_type", "auth_permission", "django_migrations"}
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept
    asked = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no order among tables that refer to each other
        cursor.execute(asked)
        for (table,) in cursor.fetchall():
            cursor.execute(f'DELETE FROM "{table}"')


TransactionTestCase._fixture_teardown = _empty


LONG = {
    "tests/e2e/test_demo.py": 150,
    "tests/e2e/": 90,
    "tests/stack/test_life.py": 50,
    "tests/clients/": 15,
    "tests/stack/": 20,
    "tests/demo/test_end_to_end.py": 90,
    "tests/faults/": 12,
    "test_looks.py": 30,
    "test_wizard_looks.py": 30,
    "tests/server/": 10,
}
"""Files of whole stacks, browsers and servers, by a part of their names, and about how many seconds each takes."""
ON_DATABASE, PURE = 0.25, 0.06
"""Seconds that any other test takes, with the database and without."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("browser"):
            _end_by_thread(item)
    _spread(items)


def _end_by_thread(item: pytest.Item) -> None:
    """Have a browser's test that takes too long end its process.

    The alarm that ends others can strike inside one of Playwright's callbacks, where its failure is swallowed together
    with the browser's answer: the test then waits for ever, and half of the run with it.
    """
    given = item.get_closest_marker("timeout")
    seconds = given.args[0] if given else 300
    item.add_marker(pytest.mark.timeout(seconds, method="thread"), append=False)


def _spread(items: list[pytest.Item]) -> None:
    """Put as much quick work after each long file as it takes, so that of two cores one has the only whole stack.

    Two stacks or browsers beside each other starve. The smallest files come last, so that both cores end together.
    """
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.nodeid.partition("::")[0]].append(item)
    takes = {name: next((LONG[part] for part in LONG if part in name), 0) for name in files}
    quick = sorted((name for name in files if not takes[name]), key=lambda name: (len(files[name]), name))
    order: list[str] = []
    for name in sorted((name for name in files if takes[name]), key=lambda name: (-takes[name], name)):
        order.append(name)
        filled = 0.0
        while quick and filled < takes[name]:
            order.append(quick.pop())
            filled += sum(ON_DATABASE if _asks_database(item) else PURE for item in files[order[-1]])
    order += reversed(quick)
    items[:] = [item for name in order for item in files[name]]


def _asks_database(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    return "db" in asked or "transactional_db" in asked or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each parallel worker read the settings here, for its own home, and not before."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)

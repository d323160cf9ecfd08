"""The embedded PostgreSQL starts on what earlier runs left behind, or says plainly why it does not."""

import os
import signal
import sys

import psycopg
import pytest

from config import paths
from config.stack import embedded


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    """A stopped cluster, beside a half-made one that an interrupted first start left."""
    home = tmp_path_factory.mktemp("cluster")
    (home / "postgres.new").mkdir()
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")
    start_and_stop(home)
    return home


def start_and_stop(home) -> int:
    sockets = paths.socket_directory(home)
    process = embedded.start_postgres(home, sockets)
    with psycopg.connect(paths.embedded_database_url(home)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    return embedded.stop(process, signal.SIGINT)


def test_postgres__beside_a_half_made_cluster__makes_a_whole_one(cluster):
    assert (cluster / "postgres" / "PG_VERSION").exists()
    assert not (cluster / "postgres.new").exists()


def test_postgres__whose_old_process_number_another_program_has__starts(cluster):
    stale = cluster / "postgres" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{cluster / 'postgres'}\n1700000000\n5432\n\n\n  0\n")
    os.chown(stale, (cluster / "postgres").stat().st_uid, -1)
    assert start_and_stop(cluster) == 0


def test_postgres__of_another_major_version__names_both_and_the_ways_out(cluster):
    version = cluster / "postgres" / "PG_VERSION"
    made_by = version.read_text()
    try:
        version.write_text("14\n")
        with pytest.raises(embedded.ServerError, match=r"made by PostgreSQL 14, and PostgreSQL \d+ is installed"):
            start_and_stop(cluster)
    finally:
        version.write_text(made_by)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can give a directory away")
def test_sockets__in_a_directory_of_another_account__are_refused(tmp_path):
    sockets = tmp_path / "run"
    sockets.mkdir()
    os.chown(sockets, 12345, 12345)
    with pytest.raises(embedded.ServerError, match="belongs to another account"):
        embedded.start_postgres(tmp_path, sockets)


def test_valkey__that_cannot_start__shows_the_end_of_its_log(tmp_path):
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "appendonlydir").write_text("not a directory")
    with pytest.raises(embedded.ServerError, match=r"Valkey did not start\. Its log .* ends: .+"):
        embedded.start_valkey(tmp_path, paths.socket_directory(tmp_path))

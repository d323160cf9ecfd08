"""A wrong setting is one clear line: no traceback, nothing started."""

import smtplib
import socket
import threading

import pytest

from config import paths
from config.env import SettingError
from config.stack import external
from tests.stack.conftest import free_port, members, run_stack_to_its_end

NOBODY_LISTENS = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "mysql://root@localhost/truelift", "must start with postgresql://"),
        ("DATABASE_URL", f"postgresql://me:hidden@{NOBODY_LISTENS}/truelift", "cannot be reached"),
        ("REDIS_URL", f"redis://:hidden@{NOBODY_LISTENS}/0", "cannot be reached"),
        ("EMAIL_URL", f"smtp+tls://me:hidden@{NOBODY_LISTENS}", "cannot be reached"),
    ],
)
def test_start__with_a_wrong_server__says_so_in_one_line(tmp_path, name: str, value: str, says: str):
    refused = run_stack_to_its_end(tmp_path, "--port", str(free_port()), **{name: value})
    [line] = [line for line in refused.stdout.splitlines() if "✗" in line]
    assert refused.returncode == 1
    assert name in line
    assert says in line
    assert "hidden" not in refused.stdout
    assert "Traceback" not in refused.stdout + refused.stderr
    assert members(tmp_path) == set()
    assert not (tmp_path / "postgres").exists(), "nothing is started before every named server is checked"


def test_start__with_a_port_that_is_no_number__says_what_is_allowed(tmp_path):
    refused = run_stack_to_its_end(tmp_path, "--port", "http")
    assert refused.returncode == 2
    assert "'http' is not a port; give a number from 1 to 65535" in refused.stderr


def test_start__in_a_home_that_cannot_be_made__says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    refused = run_stack_to_its_end(tmp_path / "file" / "home")
    assert refused.returncode == 1
    assert "choose another directory: make run TRUELIFT_HOME=" in refused.stdout


def test_check_database__of_a_good_server__returns_its_version(embedded_servers):
    assert int(external.check_database(paths.embedded_database_url(embedded_servers)).partition(".")[0]) >= 15


def test_check_database__of_an_older_server__names_both_versions(embedded_servers, monkeypatch):
    monkeypatch.setattr(external, "OLDEST_POSTGRES", 99)
    with pytest.raises(SettingError, match=r"names PostgreSQL \d+; Truelift needs 99 or later"):
        external.check_database(paths.embedded_database_url(embedded_servers))


def test_check_database__that_does_not_exist__says_which(embedded_servers):
    address = paths.embedded_database_url(embedded_servers).replace("/truelift?", "/another?")
    with pytest.raises(SettingError, match='database "another" does not exist'):
        external.check_database(address)


def test_check_broker__of_a_good_server__returns_its_version(embedded_servers):
    assert external.check_broker(paths.embedded_redis_url(embedded_servers))[0].isdigit()


def test_check_broker__of_something_else__is_refused():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def speak_http() -> None:
            connection, _ = other.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        speaker = threading.Thread(target=speak_http)
        speaker.start()
        with pytest.raises(SettingError, match=r"REDIS_URL .* cannot be reached"):
            external.check_broker(f"redis://127.0.0.1:{port}/0")
        speaker.join()


def test_check_mail__with_a_refused_password__says_so_without_it(monkeypatch):
    def refuse(self, *arguments, **options):
        raise smtplib.SMTPAuthenticationError(535, b"hidden is not the password")

    class Door(smtplib.SMTP):
        def __init__(self, *arguments, **options):
            pass

        def __exit__(self, *arguments):
            pass

        starttls = login = refuse

    monkeypatch.setattr(smtplib, "SMTP", Door)
    with pytest.raises(SettingError, match=r"EMAIL_URL .* cannot be reached: .*535") as refused:
        external.check_mail("smtp+tls://me:hidden@mail.example:587")
    assert "hidden" not in str(refused.value)


def test_check_port__that_is_taken__offers_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=rf"Port {port} on 127.0.0.1 cannot be used .* PORT=") as refused:
            external.check_port("127.0.0.1", port)
    offered = int(str(refused.value).rpartition("=")[2])
    assert external.check_port("127.0.0.1", offered) == "127.0.0.1"

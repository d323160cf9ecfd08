import ipaddress
import socket
from typing import Any

import pytest

from analysis.webhooks import addresses
from analysis.webhooks.addresses import AddressError, UnresolvedError, is_public, parse, resolve

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
    "240.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
    "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_is_public__of_ones_own_network__is_false(address: str):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_is_public__of_the_internet__is_true(address: str):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("http://example.com/", "must begin with https://"),
        ("https:///x", "must begin with https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("https://user:pass@example.com/", "leave it out"),
        ("https://exa mple.com/", "spaces"),
        ("https://example.com/" + "x" * 2000, "more than 2000"),
        ("https://example.com:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://127.0.0.1/", "own network"),
        ("https://[::1]/", "own network"),
        ("https://169.254.169.254/latest/meta-data/", "own network"),
    ],
)
def test_parse__what_no_webhook_can_have__is_refused_in_words(url: str, said: str):
    with pytest.raises(AddressError, match=said):
        parse(url, private_allowed=False)


def test_parse__where_private_is_allowed__takes_http_and_loopback():
    target = parse("http://127.0.0.1:8065/hooks/x", private_allowed=True)
    assert (target.scheme, target.host, target.port) == ("http", "127.0.0.1", 8065)


def test_parse__a_name_beyond_ascii__is_punycode():
    assert parse("https://bücher.example/x", private_allowed=False).host == "xn--bcher-kva.example"


def test_shown__hides_the_path_which_is_the_secret():
    target = parse("https://hooks.slack.com/services/T000/B000/abcdefghijkl", private_allowed=False)
    assert target.shown == "https://hooks.slack.com/…ijkl"


def answers(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    def asked(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", asked)


def test_resolve__a_name_of_the_own_network__is_refused(monkeypatch: pytest.MonkeyPatch):
    answers(monkeypatch, "10.0.0.5")
    with pytest.raises(AddressError, match=r"hooks\.example\.com is 10\.0\.0\.5"):
        resolve(parse("https://hooks.example.com/", private_allowed=False), private_allowed=False)


def test_resolve__one_private_address_among_public_ones__is_refused(monkeypatch: pytest.MonkeyPatch):
    answers(monkeypatch, "8.8.8.8", "127.0.0.1")
    with pytest.raises(AddressError, match="own network"):
        resolve(parse("https://rebind.example.com/", private_allowed=False), private_allowed=False)


def test_resolve__public_addresses__are_returned_once_each(monkeypatch: pytest.MonkeyPatch):
    answers(monkeypatch, "8.8.8.8", "8.8.8.8", "1.1.1.1")
    target = parse("https://example.com/", private_allowed=False)
    assert resolve(target, private_allowed=False) == ["8.8.8.8", "1.1.1.1"]


def test_resolve__a_name_without_an_address__may_have_one_later():
    with pytest.raises(UnresolvedError, match="cannot be resolved"):
        resolve(parse("https://no-such-name.invalid/", private_allowed=False), private_allowed=False)

"""Which addresses a webhook may have: never one that only this installation's own network can reach (no Django).

A member of a project must not be able to make the server ask its own network: the cloud's metadata, a database, a
neighbour. So the name is resolved here, every answer must be a public address, and the connection goes to the answer
that was checked, not to the name a second time.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST = 2000
NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressError(ValueError):
    """An address cannot be a webhook's; the message says what was got and what is allowed."""


class UnresolvedError(Exception):
    """The name cannot be resolved now; it may be later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address taken apart."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """Return what people may see of it: the path of a Slack or Teams address is a secret."""
        tail = self.url[-4:] if len(self.url) > len(self.scheme) + len(self.host) + 8 else ""
        return f"{self.scheme}://{self.host}/…{tail}"


def parse(url: str, *, private_allowed: bool) -> Target:
    """Take a webhook's address apart, without asking anybody.

    Raises
    ------
    AddressError
        No absolute https address of a public host.
    """
    text = url.strip()
    if len(text) > LONGEST or any(ord(letter) <= 32 for letter in text):
        raise AddressError(f"The address has spaces or more than {LONGEST} characters; copy it again as a whole.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"The address cannot be read: {error}.") from error
    schemes = ("https", "http") if private_allowed else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise AddressError(
            f"The address is {text[:60]!r}; it must begin with {' or '.join(s + '://' for s in schemes)}."
        )
    if parts.username or parts.password:
        raise AddressError("The address holds a user name or password; leave it out.")
    host = _ascii(parts.hostname)
    if (literal := _literal(host)) is not None:
        refuse_private([literal], host, private_allowed=private_allowed)
    fallback = 443 if parts.scheme == "https" else 80
    return Target(url=text.partition("#")[0], scheme=parts.scheme, host=host, port=port or fallback)


def resolve(target: Target, *, private_allowed: bool) -> list[str]:
    """Return the addresses of the target's host, all of them checked.

    Raises
    ------
    AddressError
        One of them is not public.
    UnresolvedError
        The name has no address now.
    """
    try:
        answers = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UnresolvedError(f"The name {target.host} cannot be resolved: {error}.") from error
    found = list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))
    refuse_private([ipaddress.ip_address(one) for one in found], target.host, private_allowed=private_allowed)
    return found


def refuse_private(found: list[Address], host: str, *, private_allowed: bool) -> None:
    """Refuse a host of which any address is not public."""
    if private_allowed:
        return
    if inner := next((one for one in found if not is_public(one)), None):
        raise AddressError(
            f"{host} is {inner}, which only this installation's own network can reach. Use a public address, or have "
            "whoever runs Truelift set TRUELIFT_WEBHOOK_PRIVATE=1."
        )


def is_public(address: Address) -> bool:
    """Say whether anybody on the internet would reach the same machine under this address."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(carried)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _ascii(host: str) -> str:
    try:
        return host if _literal(host) else host.encode("idna").decode().lower()
    except UnicodeError as error:
        raise AddressError(f"The host name {host[:60]!r} cannot be used: {error}.") from error

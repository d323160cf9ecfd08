"""The connection goes to the address that was checked, and the certificate must be the name's all the same."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from analysis.notices import testing
from analysis.outbox import sending
from analysis.sealing import seal
from analysis.webhooks import addresses, posting
from tests.analysis.notices.conftest import webhook
from tests.builders import T0

NAME = "hooks.example.com"


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def whole_request(line: ssl.SSLSocket) -> None:
    """Read head and body, which may come in pieces: who answers and hangs up before loses the rest."""
    head = b""
    while b"\r\n\r\n" not in head and (more := line.recv(65536)):
        head += more
    head, _, body = head.partition(b"\r\n\r\n")
    fields = dict(row.split(b":", 1) for row in head.lower().split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    while len(body) < length and (more := line.recv(65536)):
        body += more


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path, list[str | None]]]:
    file, asked = certificate(tmp_path), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as line:
                    whole_request(line)
                    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            except (OSError, ssl.SSLError):
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1], file, asked
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@pytest.mark.parametrize(("host", "state"), [(NAME, "sent"), ("other.example.com", "waiting")])
def test_post__over_tls__holds_the_certificate_to_the_name(shop, server, monkeypatch, settings, host: str, state: str):
    port, file, asked = server
    settings.WEBHOOK_PRIVATE = True
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: found)
    trusting = httpx.Client(verify=ssl.create_default_context(cafile=str(file)), trust_env=False)
    monkeypatch.setattr(posting.Line, "_opened", lambda _line: trusting)
    message = testing.post(webhook(shop, sealed_url=seal(f"https://{host}:{port}/in")), T0)
    sending.deliver_waiting(T0)
    trusting.close()
    message.refresh_from_db()
    assert message.state == state
    assert asked == [host]

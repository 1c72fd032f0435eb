"""The listeners' own certificate is renewed under a running process: new handshakes see the new one."""

from __future__ import annotations

import datetime
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from coordinator.certificates import ServerCertificate
from coordinator.config import Home, parse_settings, sample_text
from trustquery.identity import write_private_file
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name

NOW = datetime.datetime.now(datetime.UTC)
AUTHORITY = Authority.generate("test", NOW - datetime.timedelta(days=100))


@dataclass
class Centre:
    """A coordinator's home, and a client that may connect."""

    home: Home
    shown: ServerCertificate
    client: ssl.SSLContext

    def serial(self, port: int) -> int:
        """The serial number that a new handshake is shown."""
        with (
            socket.create_connection(("localhost", port), timeout=10) as raw,
            self.client.wrap_socket(raw, server_hostname="localhost") as wrapped,
        ):
            der = wrapped.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number

    @property
    def kept(self) -> int:
        """The serial number of the certificate on the disk."""
        return x509.load_pem_x509_certificate(self.home.server.read_bytes()).serial_number


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    home, key, tls = Home(tmp_path), new_tls_key(), new_tls_key()
    write_private_file(home.server_key, key)
    old = NOW - datetime.timedelta(days=65)
    home.server.write_bytes(AUTHORITY.issue_server(key, hosts=["localhost"], now=old))
    (tmp_path / "node.key").write_bytes(tls)
    request = certificate_request(tls, "RX1")
    (tmp_path / "node.crt").write_bytes(AUTHORITY.issue_node(request, uri=spiffe_name("test", "RX1"), now=NOW))
    client = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    client.load_cert_chain(tmp_path / "node.crt", tmp_path / "node.key")
    client.set_alpn_protocols(["h2"])
    return Centre(home, ServerCertificate(home, parse_settings(sample_text()), AUTHORITY), client)


def test_both_listeners_show_the_new_one_without_a_restart(centre: Centre) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(centre.home.server, centre.home.server_key)
    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_secure_port("localhost:0", centre.shown.credentials())
    server.start()
    try:
        first = centre.kept
        assert centre.serial(port) == first
        assert centre.shown.look(NOW, context)
        assert centre.kept != first
        assert centre.serial(port) == centre.kept
        assert not centre.shown.look(NOW, context), "it is good for weeks"
        assert https_serial(centre, context) == centre.kept
    finally:
        server.stop(0)


def https_serial(centre: Centre, context: ssl.SSLContext) -> int:
    """What a new handshake with the HTTPS listener's context is shown."""
    with socket.create_server(("localhost", 0)) as listening, ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            raw, _ = listening.accept()
            with context.wrap_socket(raw, server_side=True) as wrapped:
                wrapped.recv(1)

        done = pool.submit(serve)
        found = centre.serial(listening.getsockname()[1])
        done.result(10)
    return found

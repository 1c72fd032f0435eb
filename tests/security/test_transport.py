"""TRN-01 and TRN-02: who may open a stream, and with what TLS, against a real coordinator process."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.processes import wait_for
from tests.lib.puppet import Puppet
from tests.lib.streams import dial_websocket, held_stream, join_frame, open_stream, open_websocket
from trustquery.identity import SigningKey, new_secret
from trustquery.identity.certificates import Authority, new_tls_key, spiffe_name
from trustquery.planning import PLAN_FORMAT
from trustquery.protocol.frames import REFUSED, WEBSOCKET_PATH
from trustquery.protocol.messages import PROTOCOL_VERSION, Hello
from trustquery.protocol.session import Outbound
from trustquery.wire import MAX_FRAME_BYTES

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCoordinator]:
    live = LiveCoordinator(tmp_path_factory.mktemp("coordinator"))
    yield live
    live.end()


@pytest.fixture(scope="module")
def node(coordinator: LiveCoordinator) -> EnrolledNode:
    enrolled = coordinator.enrol("RX1")
    coordinator.enrol("RX2")
    coordinator.install_roster()
    return enrolled


def certificate(
    authority: Authority | None,
    tls_key: bytes,
    uri: str,
    *,
    start: datetime.datetime = NOW - DAY,
    end: datetime.datetime = NOW + DAY,
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> bytes:
    """A certificate made by hand; self-signed without an authority."""
    key = serialization.load_pem_private_key(tls_key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "by hand")])
    issuer, signer = name, key
    if authority is not None:
        issuer = x509.load_pem_x509_certificate(authority.certificate_pem).subject
        loaded = serialization.load_pem_private_key(authority.key_pem, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer = loaded
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


Maker = Callable[[LiveCoordinator, EnrolledNode], tuple[bytes | None, bytes | None]]


def _stranger() -> Authority:
    return Authority.generate("test", NOW)


BAD: dict[str, Maker] = {
    "no certificate": lambda live, node: (None, None),
    "expired": lambda live, node: (
        node.tls_key,
        certificate(live.authority, node.tls_key, spiffe_name("test", "RX1"), start=NOW - 3 * DAY, end=NOW - DAY),
    ),
    "not yet valid": lambda live, node: (
        node.tls_key,
        certificate(live.authority, node.tls_key, spiffe_name("test", "RX1"), start=NOW + DAY, end=NOW + 3 * DAY),
    ),
    "another authority": lambda live, node: (
        node.tls_key,
        certificate(_stranger(), node.tls_key, spiffe_name("test", "RX1")),
    ),
    "server certificate": lambda live, node: (
        node.tls_key,
        certificate(live.authority, node.tls_key, spiffe_name("test", "RX1"), use=ExtendedKeyUsageOID.SERVER_AUTH),
    ),
    "self-signed": lambda live, node: (
        node.tls_key,
        certificate(None, node.tls_key, spiffe_name("test", "RX1")),
    ),
    "name of another node": lambda live, node: (
        node.tls_key,
        certificate(live.authority, node.tls_key, spiffe_name("test", "RX2")),
    ),
    "name of another federation": lambda live, node: (
        node.tls_key,
        certificate(live.authority, node.tls_key, spiffe_name("other", "RX1")),
    ),
    "right name, serial never issued": lambda live, node: (
        node.tls_key,
        certificate(live.authority, node.tls_key, spiffe_name("test", "RX1")),
    ),
    "right name, another key": lambda live, node: (
        (key := new_tls_key()),
        certificate(live.authority, key, spiffe_name("test", "RX1")),
    ),
}


@pytest.mark.acceptance("TRN-01")
def test_the_enrolled_certificate_is_accepted(coordinator: LiveCoordinator, node: EnrolledNode) -> None:
    assert open_stream(coordinator, node.tls_key, node.certificate) == "accepted"
    assert open_websocket(coordinator, node.tls_key, node.certificate) == "accepted"


@pytest.mark.acceptance("TRN-01")
@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_every_other_certificate_is_refused(coordinator: LiveCoordinator, node: EnrolledNode, make: Maker) -> None:
    key, cert = make(coordinator, node)
    assert open_stream(coordinator, key, cert).startswith("refused")
    assert open_websocket(coordinator, key, cert).startswith("refused")


@pytest.mark.acceptance("TRN-01")
def test_a_node_may_not_speak_for_another(coordinator: LiveCoordinator, node: EnrolledNode) -> None:
    assert open_stream(coordinator, node.tls_key, node.certificate, hello_node="RX2") == "refused PERMISSION_DENIED"
    assert open_websocket(coordinator, node.tls_key, node.certificate, "RX2") == "refused auth-certificate"


@pytest.mark.acceptance("TRN-01")
def test_a_revoked_node_is_refused(coordinator: LiveCoordinator, node: EnrolledNode) -> None:
    third = coordinator.enrol("RX3")
    coordinator.install_roster()
    assert open_stream(coordinator, third.tls_key, third.certificate, hello_node="RX3") == "accepted"
    coordinator.cli("node", "revoke", "RX3", "--yes")
    assert open_stream(coordinator, third.tls_key, third.certificate, hello_node="RX3").startswith("refused")
    assert open_websocket(coordinator, third.tls_key, third.certificate, "RX3") == "refused auth-certificate"


def _read_to_the_end(connection: ClientConnection) -> None:
    while True:
        connection.recv(10)


@pytest.mark.acceptance("TRN-01")
def test_an_open_websocket_ends_when_its_node_is_revoked(coordinator: LiveCoordinator) -> None:
    fourth = coordinator.enrol("RX6")
    hello = Hello((PROTOCOL_VERSION,), "RX6", new_secret(32), plan_formats=(PLAN_FORMAT,))
    with dial_websocket(coordinator, fourth.tls_key, fourth.certificate) as connection:
        outbound = Outbound()
        connection.send(outbound.frames(hello)[0])
        greeting = connection.recv(10)
        assert isinstance(greeting, bytes)
        connection.send(join_frame(fourth, hello, greeting, outbound))
        connection.recv(10)
        coordinator.cli("node", "revoke", "RX6", "--yes")
        with pytest.raises(ConnectionClosed) as caught:
            _read_to_the_end(connection)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (REFUSED, "auth-certificate")


@pytest.mark.acceptance("TRN-01")
@pytest.mark.parametrize(
    "asked",
    [{"path": "/"}, {"path": f"{WEBSOCKET_PATH}/"}, {"path": f"{WEBSOCKET_PATH}?x=1"}, {"subprotocols": None},
     {"origin": "https://localhost"}],
)  # fmt: skip
def test_the_websocket_has_one_path_one_protocol_and_no_browser(
    coordinator: LiveCoordinator, node: EnrolledNode, asked: dict[str, Any]
) -> None:
    with pytest.raises(InvalidStatus):
        dial_websocket(coordinator, node.tls_key, node.certificate, **asked)


def _say_and_read(connection: ClientConnection, said: str | bytes) -> None:
    connection.send(said)
    _read_to_the_end(connection)


@pytest.mark.parametrize("said", ["text", b"not a frame", bytes(MAX_FRAME_BYTES + 1)])
def test_what_is_no_frame_ends_the_websocket(
    coordinator: LiveCoordinator, node: EnrolledNode, said: str | bytes
) -> None:
    with dial_websocket(coordinator, node.tls_key, node.certificate) as connection, pytest.raises(ConnectionClosed):
        _say_and_read(connection, said)
    assert open_websocket(coordinator, node.tls_key, node.certificate) == "accepted"


@pytest.mark.acceptance("TRN-01")
@pytest.mark.parametrize(("ods", "what"), [("RX4", "key"), ("RX5", "certificate")])
def test_what_the_delegate_revokes_ends_a_live_stream_at_once(
    coordinator: LiveCoordinator, node: EnrolledNode, ods: str, what: str
) -> None:
    """TRN-01: a node's key, and a certificate by its serial number; both also refuse the next stream."""
    found = coordinator.enrol(ods)
    serial = f"{x509.load_pem_x509_certificate(found.certificate).serial_number:x}"
    with held_stream(coordinator, found) as stream:
        coordinator.say(f"--{what}", found.key.public.hex() if what == "key" else serial)
        began = time.monotonic()
        assert stream.stdout is not None
        assert stream.stdout.readline() == "ended PERMISSION_DENIED auth-revoked\n"
        assert time.monotonic() - began < 5
    refused = open_stream(coordinator, found.tls_key, found.certificate, hello_node=ods)
    assert refused == "refused PERMISSION_DENIED"
    assert open_stream(coordinator, node.tls_key, node.certificate) == "accepted"


def tls_connect(port: int, live: LiveCoordinator, node: EnrolledNode, version: ssl.TLSVersion) -> str | None:
    """Try one TLS version with a good client certificate; the version agreed, or None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=(live.home / "authority.pem").read_text())
    folder = live.folder / "tls"
    folder.mkdir(exist_ok=True)
    (folder / "key.pem").write_bytes(node.tls_key)
    (folder / "cert.pem").write_bytes(node.certificate)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    if version is not ssl.TLSVersion.TLSv1_3:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("localhost", port), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as wrapped,
        ):
            return wrapped.version()
    except (ssl.SSLError, ConnectionError):
        return None


@pytest.mark.acceptance("TRN-02")
@pytest.mark.parametrize("port", ["api_port", "grpc_port", "websocket_port"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_only_tls_13_is_spoken(coordinator: LiveCoordinator, node: EnrolledNode, port: str) -> None:
    number = getattr(coordinator, port)
    assert tls_connect(number, coordinator, node, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert tls_connect(number, coordinator, node, ssl.TLSVersion.TLSv1_2) is None
    assert tls_connect(number, coordinator, node, ssl.TLSVersion.TLSv1_1) is None
    assert tls_connect(number, coordinator, node, ssl.TLSVersion.TLSv1) is None


SCANNER = Path(__file__).resolve().parents[2] / ".scan-venv" / "bin" / "sslyze"
SCANS = ("ssl_2_0_cipher_suites", "ssl_3_0_cipher_suites", "tls_1_0_cipher_suites", "tls_1_1_cipher_suites",
         "tls_1_2_cipher_suites")  # fmt: skip
WEAK = ("NULL", "EXPORT", "RC4", "DES", "MD5", "anon", "CBC")


@pytest.mark.acceptance("TRN-02")
@pytest.mark.parametrize("port", ["api_port", "grpc_port", "websocket_port"])
def test_a_tls_scanner_reports_tls_13_only(
    coordinator: LiveCoordinator, node: EnrolledNode, port: str, tmp_path: Path
) -> None:
    assert SCANNER.exists(), "run `make scan-tools`: the scanner lives in a venv of its own"
    (tmp_path / "key.pem").write_bytes(node.tls_key)
    (tmp_path / "cert.pem").write_bytes(node.certificate)
    report = tmp_path / "report.json"
    flags = ["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--heartbleed", "--openssl_ccs",
             "--compression", "--reneg"]  # fmt: skip
    subprocess.run(
        [SCANNER, *flags, "--cert", tmp_path / "cert.pem", "--key", tmp_path / "key.pem", "--json_out", report,
         f"localhost:{getattr(coordinator, port)}"],
        capture_output=True, timeout=120,
    )  # fmt: skip
    (server,) = json.loads(report.read_text())["server_scan_results"]
    assert server["connectivity_status"] == "COMPLETED", server["connectivity_error_trace"]
    result = server["scan_result"]
    for name in SCANS:
        assert result[name]["status"] == "COMPLETED"
        assert result[name]["result"]["accepted_cipher_suites"] == [], name
    modern = result["tls_1_3_cipher_suites"]["result"]["accepted_cipher_suites"]
    names = [suite["cipher_suite"]["name"] for suite in modern]
    assert names
    assert not [name for name in names if any(weak in name for weak in WEAK)]
    assert result["heartbleed"]["result"]["is_vulnerable_to_heartbleed"] is False
    assert result["openssl_ccs_injection"]["result"]["is_vulnerable_to_ccs_injection"] is False
    assert result["tls_compression"]["result"]["supports_compression"] is False


@pytest.mark.acceptance("TRN-01")
def test_the_tls_key_alone_opens_no_session(coordinator: LiveCoordinator, node: EnrolledNode) -> None:
    """Whoever stole certificate and TLS key, and not the identity key, gets no further than the greeting."""
    thief = Puppet(
        replace(node, key=SigningKey.generate()), f"localhost:{coordinator.grpc_port}",
        coordinator.authority.certificate_pem,
    ).start()  # fmt: skip
    wait_for(lambda: thief.status is not None, 10, "the refusal")
    assert thief.status is grpc.StatusCode.PERMISSION_DENIED
    assert not thief.documents()
    thief.stop()
    # It has raised no alarm and used no counter up: the node itself comes in.
    honest = Puppet(node, thief.address, thief.authority_pem).start()
    wait_for(lambda: len(honest.documents()) == 1, 10, "the documents")
    honest.stop()

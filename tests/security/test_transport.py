"""TRN-01 and TRN-02: who may open a stream, and with what TLS, against a real coordinator process."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.streams import open_stream
from trustquery.identity.certificates import Authority, new_tls_key, spiffe_name

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


@pytest.mark.acceptance("TRN-01")
@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_every_other_certificate_is_refused(coordinator: LiveCoordinator, node: EnrolledNode, make: Maker) -> None:
    key, cert = make(coordinator, node)
    assert open_stream(coordinator, key, cert).startswith("refused")


@pytest.mark.acceptance("TRN-01")
def test_a_node_may_not_speak_for_another(coordinator: LiveCoordinator, node: EnrolledNode) -> None:
    assert open_stream(coordinator, node.tls_key, node.certificate, hello_node="RX2") == "refused PERMISSION_DENIED"


@pytest.mark.acceptance("TRN-01")
def test_a_revoked_node_is_refused(coordinator: LiveCoordinator, node: EnrolledNode) -> None:
    third = coordinator.enrol("RX3")
    coordinator.install_roster()
    assert open_stream(coordinator, third.tls_key, third.certificate, hello_node="RX3") == "accepted"
    coordinator.cli("node", "revoke", "RX3", "--yes")
    assert open_stream(coordinator, third.tls_key, third.certificate, hello_node="RX3").startswith("refused")


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
@pytest.mark.parametrize("port", ["api_port", "grpc_port"])
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
@pytest.mark.parametrize("port", ["api_port", "grpc_port"])
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

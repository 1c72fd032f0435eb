"""The transport's certificates: names from the record, keys from the request, one use each."""

import base64
import datetime
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.lib.refusals import code_of
from trustquery.identity.certificates import (
    Authority,
    certificate_request,
    new_tls_key,
    public_key_sha256,
    spiffe_name,
)

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
AUTHORITY = Authority.generate("test", NOW)
URI = "spiffe://test/node/RX1"


def issue(request: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(AUTHORITY.issue_node(request, uri=URI, now=NOW))


def names(certificate: x509.Certificate) -> list[object]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [name.value for name in found]


def usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def request_by(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_nodes_certificate_is_for_a_client_and_lives_30_days() -> None:
    assert spiffe_name("test", "RX1") == URI
    certificate = issue(certificate_request(new_tls_key(), "RX1"))
    assert usages(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.not_valid_after_utc - NOW == datetime.timedelta(days=7)
    assert certificate.not_valid_before_utc == NOW - datetime.timedelta(minutes=10)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(AUTHORITY.certificate_pem))


def test_the_name_is_the_records_and_never_the_requests() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://test/node/RX9")])
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RX9")]))
        .add_extension(wanted, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    request = greedy.public_bytes(serialization.Encoding.PEM)
    certificate = issue(request)
    assert names(certificate) == [URI]
    assert certificate.subject.rfc4514_string() == "CN=RX1"
    assert usages(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert public_key_sha256(certificate.public_bytes(serialization.Encoding.PEM)) == public_key_sha256(request)


def test_a_servers_certificate_names_hosts_and_addresses() -> None:
    pem = AUTHORITY.issue_server(new_tls_key(), hosts=["coordinator.example", "127.0.0.1", "::1"], now=NOW)
    certificate = x509.load_pem_x509_certificate(pem)
    assert usages(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]
    local = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert names(certificate) == ["coordinator.example", *local]


def test_the_authority_signs_leaves_only_and_is_not_shown() -> None:
    certificate = x509.load_pem_x509_certificate(AUTHORITY.certificate_pem)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert repr(AUTHORITY) == "Authority(…)"


GOOD = certificate_request(new_tls_key(), "RX1")
DER = x509.load_pem_x509_csr(GOOD).public_bytes(serialization.Encoding.DER)
P256 = bytes.fromhex("06082a8648ce3d030107")


def pem(der: bytes) -> bytes:
    label = b"CERTIFICATE REQUEST-----\n"
    return b"-----BEGIN " + label + base64.encodebytes(der) + b"-----END " + label


def test_bytes_again_as_pem_are_the_same_request() -> None:
    assert public_key_sha256(pem(DER)) == public_key_sha256(GOOD)
    assert DER.count(P256) == 1


@pytest.mark.parametrize(
    "request_pem",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="no PEM"),
        pytest.param(AUTHORITY.certificate_pem, id="a certificate"),
        pytest.param(pem(DER[:-1]), id="cut"),
        pytest.param(pem(DER[:-1] + bytes([DER[-1] ^ 1])), id="wrong signature"),
        pytest.param(pem(DER.replace(b"RX1", b"RX2")), id="changed after signing"),
        pytest.param(pem(DER.replace(P256, P256[:-1] + b"\x06")), id="unknown curve"),
        pytest.param(
            pem(DER.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0205"))), id="key"
        ),
        pytest.param(pem(DER.replace(b"\x02\x01\x00", b"\x02\x01\x09", 1)), id="unknown version"),
        pytest.param(request_by(ed25519.Ed25519PrivateKey.generate()), id="Ed25519"),
        pytest.param(request_by(rsa.generate_private_key(65537, 2048)), id="RSA"),
        pytest.param(request_by(ec.generate_private_key(ec.SECP224R1())), id="weak curve"),
        pytest.param(request_by(ec.generate_private_key(ec.SECP384R1())), id="another curve"),
    ],
)
def test_a_bad_request_is_refused(request_pem: bytes) -> None:
    assert code_of(lambda: AUTHORITY.issue_node(request_pem, uri=URI, now=NOW)) == "auth-document"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"CERTIFICATE REQUEST",
        pem(DER.replace(b"\x02\x01\x00", b"\x02\x01\x09", 1)),
        pem(DER.replace(P256, P256[:-1] + b"\x06")),
    ],
)
def test_what_has_no_key_has_no_print(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        public_key_sha256(data)

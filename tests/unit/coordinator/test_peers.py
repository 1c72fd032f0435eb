"""Who is at the other end: certificate, store and Hello must agree in everything."""

import datetime

import pytest
from cryptography import x509

from coordinator.fleet.peers import Peer, check_peer, read_peer
from coordinator.store import NodeRow
from trustquery.errors import TrustQueryError
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, public_key_sha256, spiffe_name

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
AUTHORITY = Authority.generate("test", NOW)
PEM = AUTHORITY.issue_node(certificate_request(new_tls_key(), "RX1"), uri=spiffe_name("test", "RX1"), now=NOW)
SERIAL = f"{x509.load_pem_x509_certificate(PEM).serial_number:x}"


def context(**changed: list[bytes]) -> dict[str, list[bytes]]:
    return {
        "ssl_tls_version": [b"TLSv1.3"],
        "peer_spiffe_id": [b"spiffe://test/node/RX1"],
        "x509_pem_cert": [PEM],
    } | changed


def row(**changed: str) -> NodeRow:
    fields = {
        "ods": "RX1", "name": "Trust", "identity_key": "", "request_pem": "", "words": "", "status": "approved",
        "tls_key_sha256": public_key_sha256(PEM), "serial": SERIAL,
    }  # fmt: skip
    return NodeRow(enrolled=0, **(fields | changed))


def test_the_right_peer_passes() -> None:
    check_peer(read_peer(context()), "test", "RX1", row())


@pytest.mark.parametrize(
    "changed",
    [
        {"ssl_tls_version": [b"TLSv1.2"]},
        {"ssl_tls_version": []},
        {"peer_spiffe_id": []},
        {"peer_spiffe_id": [b"spiffe://test/node/RX1", b"spiffe://test/node/RX2"]},
        {"x509_pem_cert": []},
        {"x509_pem_cert": [b"not a certificate"]},
    ],
)
def test_a_connection_without_proof_is_refused(changed: dict[str, list[bytes]]) -> None:
    with pytest.raises(TrustQueryError) as caught:
        read_peer(context(**changed))
    assert caught.value.code == "auth-certificate"


@pytest.mark.parametrize(
    ("named", "federation", "found"),
    [
        ("RX2", "test", row()),
        ("RX2", "test", row(ods="RX2")),
        ("RX1", "other", row()),
        ("RX1", "test", None),
        ("RX1", "test", row(status="pending")),
        ("RX1", "test", row(status="revoked")),
        ("RX1", "test", row(tls_key_sha256="0" * 64)),
        ("RX1", "test", row(serial="1")),
        ("RX1", "test", row(serial="")),
    ],
)
def test_any_difference_is_refused_in_the_same_words(named: str, federation: str, found: NodeRow | None) -> None:
    with pytest.raises(TrustQueryError) as caught:
        check_peer(read_peer(context()), federation, named, found)
    assert str(caught.value) == "auth-certificate: the certificate is not the one on the roster"


def test_a_peer_is_plain_data() -> None:
    assert read_peer(context()) == Peer("spiffe://test/node/RX1", public_key_sha256(PEM), SERIAL)

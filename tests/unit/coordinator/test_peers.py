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


SERIALS = frozenset({SERIAL})


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


def nothing(key: str, serial: str) -> bool:
    return False


def test_the_right_peer_passes() -> None:
    check_peer(read_peer(context()), "test", "RX1", row(), SERIALS, nothing)


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
    ],
)
def test_any_difference_is_refused_in_the_same_words(named: str, federation: str, found: NodeRow | None) -> None:
    with pytest.raises(TrustQueryError) as caught:
        check_peer(read_peer(context()), federation, named, found, SERIALS, nothing)
    assert str(caught.value) == "auth-certificate: the certificate is not the one on the roster"


@pytest.mark.parametrize("serials", [frozenset(), frozenset({"1"}), frozenset({""})])
def test_a_certificate_that_has_ended_or_was_never_issued_is_refused(serials: frozenset[str]) -> None:
    with pytest.raises(TrustQueryError) as caught:
        check_peer(read_peer(context()), "test", "RX1", row(), serials, nothing)
    assert caught.value.code == "auth-certificate"


@pytest.mark.parametrize("revoked", [("key", "ab" * 32), ("certificate", SERIAL)])
def test_a_revoked_key_or_certificate_is_refused_and_told_so(revoked: tuple[str, str]) -> None:
    def revokes(key: str, serial: str) -> bool:
        return revoked in (("key", key), ("certificate", serial))

    with pytest.raises(TrustQueryError) as caught:
        check_peer(read_peer(context()), "test", "RX1", row(identity_key="ab" * 32), SERIALS, revokes)
    assert caught.value.code == "auth-revoked"


def test_a_peer_is_plain_data() -> None:
    assert read_peer(context()) == Peer("spiffe://test/node/RX1", public_key_sha256(PEM), SERIAL)

"""Who is at the other end of a stream: the certificate, the store and the Hello must all name the same node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509

from coordinator.store import NodeRow
from trustquery.errors import TrustQueryError
from trustquery.identity.certificates import public_key_sha256, spiffe_name

__all__ = ["Peer", "check_peer", "read_peer"]


@dataclass(frozen=True)
class Peer:
    """What TLS proved about the other end."""

    uri: str
    key_sha256: str
    serial: str


def read_peer(context: Mapping[str, Iterable[bytes]]) -> Peer:
    """Read gRPC's authentication context.

    Raises:
        TrustQueryError: ``auth-certificate``: no usable certificate, or not TLS 1.3.
    """
    names = list(context.get("peer_spiffe_id", ()))
    certificates = list(context.get("x509_pem_cert", ()))
    if list(context.get("ssl_tls_version", ())) != [b"TLSv1.3"] or len(names) != 1 or len(certificates) != 1:
        raise TrustQueryError("auth-certificate")
    try:
        serial = x509.load_pem_x509_certificate(certificates[0]).serial_number
        return Peer(names[0].decode("ascii"), public_key_sha256(certificates[0]), f"{serial:x}")
    except ValueError as error:
        raise TrustQueryError("auth-certificate") from error


def check_peer(peer: Peer, federation: str, named: str, row: NodeRow | None) -> None:
    """Refuse a stream whose certificate is not the approved node's current one.

    Args:
        named: the node that the Hello names.
        row: that node as stored.

    Raises:
        TrustQueryError: ``auth-certificate``; the same whatever differs.
    """
    expected = row is not None and row.status == "approved" and row.node == named
    if (
        not expected
        or row is None
        or peer.uri != spiffe_name(federation, row.node)
        or peer.key_sha256 != row.tls_key_sha256
        or peer.serial != row.serial
    ):
        raise TrustQueryError("auth-certificate")

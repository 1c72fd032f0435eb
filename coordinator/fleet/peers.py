"""Who is at the other end of a stream: the certificate, the store and the Hello must all name the same node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509

from coordinator.store import NodeRow
from trustquery.errors import TrustQueryError
from trustquery.identity.certificates import public_key_sha256, spiffe_name

__all__ = ["Peer", "check_peer", "read_certificate", "read_peer"]


Revokes = Callable[[str, str], bool]


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
    versions = [version.decode("ascii", "replace") for version in context.get("ssl_tls_version", ())]
    if len(versions) != 1 or len(names) != 1 or len(certificates) != 1:
        raise TrustQueryError("auth-certificate")
    peer = read_certificate(certificates[0], versions[0])
    if names[0] != peer.uri.encode():
        raise TrustQueryError("auth-certificate")
    return peer


def read_certificate(pem: bytes, tls_version: str | None) -> Peer:
    """Read a client certificate that TLS has verified: it must hold one name, a URI.

    Args:
        tls_version: that was agreed, as OpenSSL and BoringSSL write it.

    Raises:
        TrustQueryError: ``auth-certificate``: no usable certificate, or not TLS 1.3.
    """
    if tls_version != "TLSv1.3":
        raise TrustQueryError("auth-certificate")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = found.get_values_for_type(x509.UniformResourceIdentifier)
        if len(names) != 1:
            raise TrustQueryError("auth-certificate")
        return Peer(names[0], public_key_sha256(pem), f"{certificate.serial_number:x}")
    except (ValueError, x509.ExtensionNotFound) as error:
        raise TrustQueryError("auth-certificate") from error


def check_peer(
    peer: Peer, federation: str, named: str, row: NodeRow | None, serials: Collection[str], revokes: Revokes
) -> NodeRow:
    """The node at the other end of a stream, whose certificate is one of the approved node's and was not revoked.

    Args:
        named: the node that the Hello names.
        row: that node as stored.
        serials: of the certificates that it may present now: the newest, and earlier ones until they end.
        revokes: whether the federation has revoked a node's key (public, hexadecimal) or its certificate (its serial
            number).

    Raises:
        TrustQueryError: ``auth-certificate``; the same whatever differs. ``auth-revoked``: it is the node's, and the
            federation has revoked it or the node's key.
    """
    expected = row is not None and row.status == "approved" and row.node == named
    if (
        not expected
        or row is None
        or peer.uri != spiffe_name(federation, row.node)
        or peer.key_sha256 != row.tls_key_sha256
        or peer.serial not in serials
    ):
        raise TrustQueryError("auth-certificate")
    if revokes(row.identity_key, peer.serial):
        raise TrustQueryError("auth-revoked", what="this node's key or certificate")
    return row

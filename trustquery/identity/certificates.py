"""TLS certificates of the federation: a small P-256 authority, short-lived leaves, SPIFFE-style names.

ECDSA keys only: with them a server can be held to TLS 1.3 (see the decision record on transport).
Callers pass ``now``; nothing here reads a clock.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trustquery.errors import TrustQueryError

__all__ = [
    "SKEW_SECONDS",
    "Authority",
    "certificate_request",
    "new_tls_key",
    "open_tls_key",
    "public_key_sha256",
    "spiffe_name",
]

SKEW_SECONDS = 600
"""A certificate begins so long before it is issued: clocks may differ by five minutes, and some to spare."""
_SKEW = datetime.timedelta(seconds=SKEW_SECONDS)


def spiffe_name(federation: str, node: str) -> str:
    """The URI that names a node in its certificate."""
    return f"spiffe://{federation}/node/{node}"


def new_tls_key(passphrase: bytes | None = None) -> bytes:
    """A new P-256 private key as PKCS#8 PEM, encrypted where there is a passphrase."""
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed
    )


def open_tls_key(pem: bytes, passphrase: bytes) -> bytes:
    """An encrypted private key as gRPC takes it: plain PKCS#8 PEM, to be kept in memory alone.

    Raises:
        ValueError: this is not its passphrase.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=passphrase)
    except TypeError as error:
        raise ValueError("the key and its passphrase do not fit") from error
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TrustQueryError("auth-document", document="TLS key", problem="it is not an ECDSA key")
    return key


def public_key_sha256(certificate_or_request_pem: bytes) -> str:
    """SHA-256 of the SubjectPublicKeyInfo in a certificate or a request, hexadecimal.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        if b"CERTIFICATE REQUEST" in certificate_or_request_pem:
            key = x509.load_pem_x509_csr(certificate_or_request_pem).public_key()
        else:
            key = x509.load_pem_x509_certificate(certificate_or_request_pem).public_key()
    except (UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError("not a certificate or request that can be used") from error
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def certificate_request(key_pem: bytes, node: str) -> bytes:
    """A PEM certificate request. The authority takes only the key from it, never the name."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(node))
    return builder.sign(_private(key_pem), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True)
class Authority:
    """The coordinator's certificate authority for the transport. It vouches for no document."""

    key_pem: bytes
    certificate_pem: bytes

    def __repr__(self) -> str:
        return "Authority(…)"

    @classmethod
    def generate(cls, federation: str, now: datetime.datetime) -> Authority:
        """A new authority, valid for five years.

        Args:
            now: an aware UTC time.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(f"{federation} transport authority")
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + datetime.timedelta(days=5 * 365))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(_usage(sign=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(pem, certificate.public_bytes(serialization.Encoding.PEM))

    def issue_node(self, request_pem: bytes, *, uri: str, now: datetime.datetime, seconds: int = 7 * 86_400) -> bytes:
        """A client certificate for a node.

        Args:
            request_pem: its certificate request; the signature in it must verify, the names in it are ignored.
            uri: the SPIFFE name from the enrolment record.
            seconds: how long it lives, 24 hours to 90 days; the caller sees to that.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        try:
            request = x509.load_pem_x509_csr(request_pem)
            key = request.public_key()
            valid = request.is_signature_valid
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise TrustQueryError(
                "auth-document", document="certificate request", problem="it cannot be read"
            ) from error
        if not valid or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise TrustQueryError("auth-document", document="certificate request", problem="its key is not usable")
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
        return self._leaf(key, uri.rsplit("/", 1)[-1], names, ExtendedKeyUsageOID.CLIENT_AUTH, now, seconds)

    def issue_server(self, key_pem: bytes, *, hosts: Sequence[str], now: datetime.datetime, days: int = 90) -> bytes:
        """A server certificate for the coordinator's own key and host names."""
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        key = _private(key_pem).public_key()
        return self._leaf(key, hosts[0], names, ExtendedKeyUsageOID.SERVER_AUTH, now, days * 86_400)

    def _leaf(
        self,
        key: ec.EllipticCurvePublicKey,
        name: str,
        names: list[x509.GeneralName],
        use: x509.ObjectIdentifier,
        now: datetime.datetime,
        seconds: int,
    ) -> bytes:
        authority = x509.load_pem_x509_certificate(self.certificate_pem)
        issuer = _private(self.key_pem)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_subject(name))
            .issuer_name(authority.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + datetime.timedelta(seconds=seconds))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
            .sign(issuer, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )

"""A node's certificate, renewed at half of its life for the same key; and how often the node has joined.

The two clocks may differ: when to ask follows from this process's own monotonic clock since the certificate came, and
from the wall clock only where that says that it is due already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from node_agent.config import Home
from node_agent.enrolment.startup import Startup, check_certificate
from node_agent.policy_store.files import replace_file
from trustquery.errors import TrustQueryError
from trustquery.identity.certificates import SKEW_SECONDS, certificate_request, public_key_sha256
from trustquery.protocol.enrolment import join_message
from trustquery.protocol.messages import Join, Renew

__all__ = ["Joins", "Renewal"]

RETRY_SECONDS = 60.0
"""Longest pause before asking again where no answer came."""


class Joins:
    """The join counter: written down before it is shown, so that it never goes back, whenever the power fails.

    Args:
        path: its file, which a copy of this home carries along: that is how a second copy shows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> int:
        """The highest counter that may have been shown; 0 before the first.

        Raises:
            TrustQueryError: ``config-invalid``: the file is not as this class writes it.
        """
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable() from error
        if not text.isdecimal() or len(text) > 16:
            raise _unreadable()
        return int(text)

    def next(self) -> int:
        """The next counter, durably on the disk when this returns.

        Raises:
            TrustQueryError: ``config-invalid``.
        """
        number = self.last() + 1
        try:
            replace_file(self._path, b"%d\n" % number)
        except OSError as error:
            raise TrustQueryError(
                "config-invalid", place="startup/joins", problem="the join counter cannot be written"
            ) from error
        return number


def _unreadable() -> TrustQueryError:
    problem = "the join counter cannot be read: enrol this node again"
    return TrustQueryError("config-invalid", place="startup/joins", problem=problem)


class Renewal:
    """When to ask for the next certificate, and what may come of it.

    Args:
        monotonic: seconds that never go backwards.
        wall: seconds since 1970.
    """

    def __init__(self, home: Home, startup: Startup, monotonic: Callable[[], float], wall: Callable[[], int]) -> None:
        self._home = home
        self.startup = startup
        self._monotonic = monotonic
        self._joins = Joins(home.startup / "joins")
        begins, ends = _life(startup.certificate_pem)
        self._half = max(1.0, (ends - begins) / 2)
        left = ends - wall()
        # Never sooner than an eighth of its life after the start: a clock that is wrong must not ask all the time.
        self._due = monotonic() + min(self._half, max(self._half / 4, left - self._half))

    def due(self) -> bool:
        """Whether to ask now; asking again waits for a while."""
        now = self._monotonic()
        if now < self._due:
            return False
        self._due = now + min(RETRY_SECONDS, self._half / 4)
        return True

    def request(self) -> Renew:
        """The request: for the very key that the roster lists."""
        return Renew(certificate_request(self.startup.tls_key_pem, self.startup.node))

    def join(self, nonce: bytes) -> Join:
        """The proof that this node joins this session, with a counter that was never used before.

        Raises:
            TrustQueryError: ``config-invalid``.
        """
        counter = self._joins.next()
        message = join_message(self.startup.federation, self.startup.node, nonce, counter)
        return Join(counter, self.startup.key.sign(message))

    def take(self, pem: bytes) -> Startup:
        """Keep a certificate that was sent, and use it from now on.

        Raises:
            TrustQueryError: ``auth-certificate``: it is not for this node's key and name, or not by its authority, or
                ends no later than the one in use; ``config-invalid``: it cannot be written.
        """
        renewed = dataclasses.replace(self.startup, certificate_pem=_whole(pem))
        check_certificate(renewed)
        try:
            found, old = (x509.load_pem_x509_certificate(item.certificate_pem) for item in (renewed, self.startup))
            found.verify_directly_issued_by(x509.load_pem_x509_certificate(renewed.authority_pem))
            uses = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            same = public_key_sha256(renewed.certificate_pem) == public_key_sha256(self.startup.certificate_pem)
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
            raise TrustQueryError("auth-certificate") from error
        if not same or list(uses) != [ExtendedKeyUsageOID.CLIENT_AUTH]:
            raise TrustQueryError("auth-certificate")
        if found.not_valid_after_utc <= old.not_valid_after_utc:
            raise TrustQueryError("auth-certificate")
        try:
            replace_file(self._home.startup / "node.crt", renewed.certificate_pem)
        except OSError as error:
            # A full disk must not end the node: the present certificate is good for as long again, and it asks anew.
            problem = "the renewed certificate cannot be written"
            raise TrustQueryError("config-invalid", place="startup/node.crt", problem=problem) from error
        self.startup = renewed
        begins, ends = _life(renewed.certificate_pem)
        self._half = max(1.0, (ends - begins) / 2)
        self._due = self._monotonic() + self._half
        return renewed


def _whole(pem: bytes) -> bytes:
    """One certificate and nothing after it."""
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)
    except ValueError as error:
        raise TrustQueryError("auth-certificate") from error


def _life(pem: bytes) -> tuple[float, float]:
    """When a certificate was issued, and when it ends, by its issuer's clock."""
    found = x509.load_pem_x509_certificate(pem)
    return found.not_valid_before_utc.timestamp() + SKEW_SECONDS, found.not_valid_after_utc.timestamp()

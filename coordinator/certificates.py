"""The certificate of the listeners, issued by the federation's own authority and renewed while the process runs."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from cryptography import x509

from coordinator.config import Home, Settings
from trustquery.identity import read_private_file
from trustquery.identity.certificates import Authority

if TYPE_CHECKING:
    import ssl

    import grpc

__all__ = ["RENEW_DAYS", "ServerCertificate", "hosts_of", "renew_server_certificate"]

RENEW_DAYS = 30


def hosts_of(settings: Settings) -> list[str]:
    """Names in the certificate: the public ones, and this machine's own for the operator."""
    endpoints = (settings.api, settings.nodes, settings.websocket)
    hosts = [endpoint.public_host for endpoint in endpoints if endpoint is not None]
    return list(dict.fromkeys([*hosts, "localhost", "127.0.0.1"]))


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return {*found.get_values_for_type(x509.DNSName), *addresses}


def renew_server_certificate(home: Home, settings: Settings, authority: Authority, now: datetime.datetime) -> bool:
    """Issue a new certificate for the same key when fewer than 30 days are left, or a listener's name is not in it.

    Returns:
        Whether that was done.
    """
    present = x509.load_pem_x509_certificate(home.server.read_bytes())
    lasts = present.not_valid_after_utc - now >= datetime.timedelta(days=RENEW_DAYS)
    if lasts and set(hosts_of(settings)) <= _names(present):
        return False
    made = authority.issue_server(read_private_file(home.server_key), hosts=hosts_of(settings), now=now)
    fresh = home.server.with_suffix(".new")
    fresh.write_bytes(made)
    os.replace(fresh, home.server)
    return True


@dataclass
class ServerCertificate:
    """What the listeners show, exchanged under them: streams that are open stay as they are."""

    home: Home
    settings: Settings
    authority: Authority
    _shown: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, now: datetime.datetime, *contexts: ssl.SSLContext) -> bool:
        """Renew where it is due; True when it was.

        Args:
            contexts: of the listeners that are not gRPC's; they use it from the next handshake on.
        """
        if not renew_server_certificate(self.home, self.settings, self.authority, now):
            return False
        for context in contexts:
            context.load_cert_chain(self.home.server, self.home.server_key)
        return True

    def credentials(self) -> grpc.ServerCredentials:
        """Credentials of the gRPC listener; it asks again at each handshake."""
        import grpc

        first = self._configuration()
        self._shown = self.home.server.read_bytes()
        # The stubs do not know that None means "as before".
        changed = cast(Callable[[], grpc.ServerCertificateConfiguration], self._changed)
        return grpc.dynamic_ssl_server_credentials(first, changed, require_client_authentication=True)

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        import grpc

        pair = (read_private_file(self.home.server_key), self.home.server.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=self.authority.certificate_pem)

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What changed since the last handshake; None for nothing. gRPC calls it on threads of its own."""
        with self._lock:
            present = self.home.server.read_bytes()
            if present == self._shown:
                return None
            made = self._configuration()
            self._shown = present
            return made

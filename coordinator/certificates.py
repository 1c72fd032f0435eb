"""The certificate of both listeners, issued by the federation's own authority and renewed when the process starts."""

from __future__ import annotations

import datetime
import os

from cryptography import x509

from coordinator.config import Home, Settings
from trustquery.identity import read_private_file
from trustquery.identity.certificates import Authority

__all__ = ["RENEW_DAYS", "hosts_of", "renew_server_certificate"]

RENEW_DAYS = 30


def hosts_of(settings: Settings) -> list[str]:
    """Names in the certificate: the public ones, and this machine's own for the operator."""
    return list(dict.fromkeys([settings.api.public_host, settings.nodes.public_host, "localhost", "127.0.0.1"]))


def renew_server_certificate(home: Home, settings: Settings, authority: Authority, now: datetime.datetime) -> bool:
    """Issue a new certificate for the same key when fewer than 30 days are left; True when that was done."""
    present = x509.load_pem_x509_certificate(home.server.read_bytes())
    if present.not_valid_after_utc - now >= datetime.timedelta(days=RENEW_DAYS):
        return False
    made = authority.issue_server(read_private_file(home.server_key), hosts=hosts_of(settings), now=now)
    fresh = home.server.with_suffix(".new")
    fresh.write_bytes(made)
    os.replace(fresh, home.server)
    return True

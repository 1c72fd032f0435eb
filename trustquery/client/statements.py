"""Handing the delegate's statement to the coordinator. No sign-in: who signed it is what counts."""

from __future__ import annotations

from pathlib import Path

from trustquery.client.config import find_home
from trustquery.client.http import Http
from trustquery.client.signin import open_http
from trustquery.errors import TrustQueryError

__all__ = ["send_statement"]


def send_statement(envelope: bytes, address: str = "", authority: Path | None = None) -> int:
    """Have a signed revocation statement put in force; returns its version.

    Args:
        address: host:port, with the certificate of the coordinator's ``authority``, PEM; else both are those of the
            home folder, as ``tq login --connect`` keeps them.

    Raises:
        TrustQueryError: ``config-missing``, ``node-unreachable``; ``auth-document``, ``policy-document-stale``: the
            coordinator does not take it.
    """
    try:
        text = envelope.decode("ascii")
    except UnicodeDecodeError as error:
        raise TrustQueryError("auth-document", document="revocations", problem="it has another form") from error
    with _opened(address, authority) as http:
        return int(http.post("/v1/statements", {"envelope": text})["version"])


def _opened(address: str, authority: Path | None) -> Http:
    if authority is None:
        home = find_home()
        settings = home.settings()
        return open_http(home, settings.model_copy(update={"coordinator": address}) if address else settings)
    try:
        return Http(address, authority.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise TrustQueryError(
            "config-missing", path=authority, instead="give the coordinator's authority.pem"
        ) from error

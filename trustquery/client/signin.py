"""First contact and signing in."""

from __future__ import annotations

import hashlib
import json
import time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from trustquery.client.config import ClientHome, ClientSettings
from trustquery.client.http import Http, fetch_anchor
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey, read_private_file
from trustquery.protocol.enrolment import ConnectionCode, login_message

__all__ = ["authority_sha256", "join", "open_http", "resume", "sign_in"]

_EARLY = 60


def authority_sha256(pem: str) -> str:
    """Print of an authority's certificate."""
    return hashlib.sha256(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)).hexdigest()


def join(home: ClientHome, code: ConnectionCode, user: str, key: str) -> ClientSettings:
    """Fetch the authority and the root, check both against the connection code, and keep them.

    Raises:
        TrustQueryError: ``node-unreachable``, ``node-fingerprint``.
    """
    anchor = fetch_anchor(code.address)
    pem, root_text = str(anchor.get("ca_pem", "")), str(anchor.get("root", ""))
    try:
        found = authority_sha256(pem)
    except ValueError:
        found = ""
    root = hashlib.sha256(root_text.encode()).hexdigest()
    if found != code.authority_sha256 or root != code.root_sha256:
        raise TrustQueryError("node-fingerprint")
    Root.from_payload(root_text.encode())
    settings = ClientSettings(coordinator=code.address, user=user, key=key)
    home.write_settings(settings)
    home.replace_private(home.authority, pem.encode())
    home.replace_private(home.root, root_text.encode())
    home.session.unlink(missing_ok=True)
    return settings


def open_http(home: ClientHome, settings: ClientSettings) -> Http:
    """A connection that believes only the authority kept in the home folder.

    Raises:
        TrustQueryError: ``config-missing``.
    """
    try:
        pem = home.authority.read_text(encoding="ascii")
    except OSError as error:
        raise TrustQueryError(
            "config-missing", path=home.authority, instead="run `tq login --connect CODE --user NAME` again"
        ) from error
    return Http(settings.coordinator, pem)


def sign_in(home: ClientHome, settings: ClientSettings, http: Http) -> int:
    """Sign a challenge, keep the token; returns when it expires.

    Raises:
        TrustQueryError: ``auth-failed``, ``config-key-file``.
    """
    key = SigningKey.load(home.key_path(settings))
    federation = Root.from_payload(home.root.read_bytes()).federation
    challenge = str(http.post("/v1/login/challenge", {"user": settings.user})["challenge"])
    authority = authority_sha256(home.authority.read_text(encoding="ascii"))
    signature = key.sign(login_message(federation, authority, settings.user, challenge))
    found = http.post("/v1/login", {"user": settings.user, "challenge": challenge, "signature": signature.hex()})
    token, expires = str(found["token"]), int(found["expires"])
    kept = {"token": token, "expires": expires, "user": settings.user, "coordinator": settings.coordinator}
    home.replace_private(home.session, json.dumps(kept).encode())
    http.token = token
    return expires


def resume(home: ClientHome, settings: ClientSettings, http: Http) -> None:
    """Use the token kept from an earlier sign-in, or sign in.

    Raises:
        TrustQueryError: ``auth-failed``, ``config-key-file``.
    """
    kept = home.read_json(home.session)
    same = kept.get("user") == settings.user and kept.get("coordinator") == settings.coordinator
    if same and isinstance(kept.get("expires"), int) and kept["expires"] > time.time() + _EARLY:
        read_private_file(home.session)
        http.token = str(kept.get("token", ""))
    else:
        sign_in(home, settings, http)

"""First contact and signing in."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from trustquery.client.config import ClientHome, ClientSettings
from trustquery.client.http import Http, fetch_anchor
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey, read_private_file
from trustquery.protocol.enrolment import ConnectionCode, login_message

__all__ = ["Hands", "authority_sha256", "join", "keep", "open_http", "resume", "sign_in", "sign_out"]

_EARLY = 60


def authority_sha256(pem: str) -> str:
    """Print of an authority's certificate."""
    return hashlib.sha256(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)).hexdigest()


def join(
    home: ClientHome, code: ConnectionCode, user: str, key: str, *, way: Literal["browser", "key"] = "browser"
) -> ClientSettings:
    """Fetch the authority and the root, check both against the connection code, and keep them.

    Args:
        way: how this person will sign in.

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
    settings = ClientSettings(coordinator=code.address, user=user, key=key, sign_in=way)
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
    """Sign a challenge with the key alone, keep the token; returns when it expires.

    Raises:
        TrustQueryError: ``auth-failed``, ``config-key-file``.
    """
    key = SigningKey.load(home.key_path(settings))
    federation = Root.from_payload(home.root.read_bytes()).federation
    challenge = str(http.post("/v1/login/challenge", {"user": settings.user})["challenge"])
    authority = authority_sha256(home.authority.read_text(encoding="ascii"))
    signature = key.sign(login_message(federation, authority, settings.user, challenge))
    found = http.post("/v1/login", {"user": settings.user, "challenge": challenge, "signature": signature.hex()})
    return keep(home, settings, http, found)


def keep(home: ClientHome, settings: ClientSettings, http: Http, found: Mapping[str, Any]) -> int:
    """Keep the token of a sign-in, and use it; returns when it expires."""
    token, expires = str(found["token"]), int(found["expires"])
    kept = {"token": token, "expires": expires, "user": settings.user, "coordinator": settings.coordinator}
    home.replace_private(home.session, json.dumps(kept).encode())
    http.token = token
    return expires


@dataclass(frozen=True)
class Hands:
    """What only the person themselves can do.

    Attributes:
        sign_in: has them sign in again, strongly or not; False where they would not.
        passphrase: asks for the passphrase of their key's file.
    """

    sign_in: Callable[[ClientHome, ClientSettings, Http, bool], bool] | None = None
    passphrase: Callable[[Path], bytes] | None = None


def resume(home: ClientHome, settings: ClientSettings, http: Http, hands: Hands | None = None) -> None:
    """Use the token kept from an earlier sign-in. Whoever signs in with a key does so whenever it is needed.

    Raises:
        TrustQueryError: ``auth-required``: it takes a browser; ``auth-failed``, ``config-key-file``.
    """
    if settings.sign_in == "key":
        # A session may end before its time: for idleness, at a restart, or because it is not fresh enough to approve.
        http.renew = lambda error: sign_in(home, settings, http) > 0
    elif hands is not None and (ask := hands.sign_in) is not None:
        http.renew = lambda error: ask(home, settings, http, error.code == "auth-strong")
    kept = home.read_json(home.session)
    same = kept.get("user") == settings.user and kept.get("coordinator") == settings.coordinator
    if same and isinstance(kept.get("expires"), int) and kept["expires"] > time.time() + _EARLY:
        read_private_file(home.session)
        http.token = str(kept.get("token", ""))
    elif settings.sign_in == "key":
        sign_in(home, settings, http)
    elif http.renew is None or not http.renew(TrustQueryError("auth-required")):
        raise TrustQueryError("auth-required")


def sign_out(home: ClientHome, settings: ClientSettings) -> bool:
    """End the session at the coordinator and forget its token; False where there was none.

    Raises:
        TrustQueryError: ``node-unreachable``: the token is forgotten here, and the session ends when nobody uses it.
    """
    token = str(home.read_json(home.session).get("token", ""))
    home.session.unlink(missing_ok=True)
    if not token:
        return False
    with open_http(home, settings) as http:
        http.token = token
        try:
            http.post("/v1/logout", {})
        except TrustQueryError as error:
            if error.code != "auth-required":
                raise
            return False
    return True

"""An OpenID Connect provider that lies as it is told: honest by default, wrong in one named way at a time."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

__all__ = ["CLIENT", "ISSUER", "SECRET", "HostileProvider", "encoded", "settings_text"]

ISSUER, CLIENT, SECRET = "https://idp.test/realm", "coordinator", "a secret of the client"
RSA, OTHER_RSA, EC = RSAKey.generate_key(2048), RSAKey.generate_key(2048), ECKey.generate_key("P-256")


def encoded(data: Any) -> str:
    """One part of a token."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def settings_text(**changed: str) -> str:
    """An entry of ``[[identity.provider]]`` for this provider; keys as in the settings, values as TOML."""
    keys = {
        "name": '"idp"', "title": '"The provider"', "issuer": f'"{ISSUER}"', "client_id": f'"{CLIENT}"',
        "client_auth": '"client_secret_basic"', "secret": '"file:idp.secret"', "level_claim": '"acr"',
        "levels": '{ aal2 = 2, aal3 = 3 }', "ask_query": '"aal2"', "ask_approve": '"aal3"',
    } | changed  # fmt: skip
    return "\n[[identity.provider]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


@dataclass
class HostileProvider(httpx.AsyncBaseTransport):
    """Answers requests without a network, and remembers every one.

    Attributes:
        now: the time that its tokens tell.
        claims: changes the claims of an ID token.
        token: makes the whole token of claims, instead of a good signature.
        answer: changes what the token endpoint answers; ``published`` what is published; ``keys`` the key set.
        raw: answers by path, instead of what would be said there.
        asked: parameters of every authorisation request; ``forms`` of every token request; ``seen`` every address.
    """

    now: int
    subject: str = "910000000001"
    level: str = "aal2"
    auth_age: int = 5
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    token: Callable[[dict[str, Any]], str] | None = None
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    published: Callable[[dict[str, Any]], dict[str, Any]] = lambda published: published
    keys: list[dict[str, Any]] = field(default_factory=lambda: [RSA.as_dict(private=False, kid="k1", use="sig")])
    raw: dict[str, httpx.Response] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def signed(self, claims: dict[str, Any], *, key: RSAKey | ECKey = RSA, **header: Any) -> str:
        """A token that is rightly signed, by this key."""
        head = {"alg": "RS256", "kid": "k1", "typ": "JWT"} | header
        return jwt.encode({k: v for k, v in head.items() if v is not None}, claims, key, algorithms=[head["alg"]])

    def visit(self, address: str, *, state: str | None = None, iss: str | None = ISSUER) -> str:
        """What the browser does there: signs in, and is sent back with a code."""
        asked = dict(parse_qsl(urlsplit(address).query))
        self.asked.append(asked)
        query = {"code": f"code{len(self.asked) - 1}", "state": asked["state"] if state is None else state}
        query |= {"iss": iss} if iss is not None else {}
        return str(httpx.URL(asked["redirect_uri"], params=query))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request of the coordinator; the answer comes as a stream, as from a network."""
        said = await self._said(request)
        return httpx.Response(said.status_code, headers=said.headers, stream=httpx.ByteStream(said.content))

    async def _said(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.seen.append(str(request.url))
        if path in self.raw:
            return self.raw[path]
        if path == "/realm/.well-known/openid-configuration":
            return httpx.Response(200, json=self.published({
                "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys", "authorization_response_iss_parameter_supported": True,
            }))  # fmt: skip
        if path == "/realm/keys":
            return httpx.Response(200, json={"keys": self.keys})
        if path == "/realm/token":
            return self._token(dict(parse_qsl((await request.aread()).decode())), dict(request.headers))
        return httpx.Response(404)

    def _token(self, form: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        self.forms.append(form)
        self.headers.append(headers)
        asked = self.asked[int(form["code"].removeprefix("code"))]
        made = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if made != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        claims = self.claims({
            "iss": ISSUER, "sub": self.subject, "aud": CLIENT, "nonce": asked["nonce"], "iat": self.now,
            "exp": self.now + 300, "auth_time": self.now - self.auth_age, "acr": self.level,
        })  # fmt: skip
        token = self.token(claims) if self.token is not None else self.signed(claims)
        return httpx.Response(200, json=self.answer({"access_token": "a", "token_type": "Bearer", "id_token": token}))

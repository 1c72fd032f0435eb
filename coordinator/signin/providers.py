"""A sign-in provider as the coordinator sees it: what it publishes, and how a code becomes a person."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from coordinator.signin.fetching import Outbound
from coordinator.signin.settings import ProviderSettings
from coordinator.signin.tokens import Expected, Proved, UnknownKey, verify_id_token
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["Metadata", "Provider", "Wanted"]

KEEP_SECONDS = 3600
"""How long what a provider publishes is kept."""
ANEW_SECONDS = 60
"""Least time between two looks at a key set: a token with an unknown key makes nobody fetch without end."""
_ASSERTION_SECONDS = 60
_MOST_KEYS = 50
_STRANGE_KEY = "its token is signed with a key that it does not publish"


@dataclass(frozen=True)
class Metadata:
    """What a provider's discovery document says, as far as it matters here."""

    authorization: str
    token: str
    keys: str
    says_iss: bool


@dataclass(frozen=True)
class Wanted:
    """One sign-in's own values.

    Attributes:
        level: assurance asked for, 2 or 3; ``max_age`` seconds since the person was last asked.
        nonce, verifier: secrets of this browser's visit.
    """

    redirect: str
    nonce: str
    verifier: str
    level: int
    max_age: int


class Provider:
    """One provider. Safe to share between requests of one event loop.

    Args:
        secret: the client's secret, or its private key in PEM.
        clock: seconds since 1970 UTC.
    """

    def __init__(self, settings: ProviderSettings, secret: bytes, outbound: Outbound, clock: Callable[[], int]) -> None:
        self.settings = settings
        self._secret = secret
        self._outbound = outbound
        self._clock = clock
        self._lock = asyncio.Lock()
        self._metadata: Metadata | None = None
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._metadata_at = self._keys_at = 0

    def _refusal(self, problem: str) -> TrustQueryError:
        return TrustQueryError("auth-provider", provider=self.settings.title, problem=problem)

    async def metadata(self) -> Metadata:
        """What it publishes about itself.

        Raises:
            TrustQueryError: ``auth-provider``: it cannot be had, or it speaks for another issuer.
        """
        async with self._lock:
            if self._metadata is None or self._clock() - self._metadata_at >= KEEP_SECONDS:
                self._metadata = await self._discover()
                self._metadata_at = self._clock()
            return self._metadata

    async def _discover(self) -> Metadata:
        issuer, own = self.settings.issuer, self._outbound.own
        found = await self._outbound.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise self._refusal("it speaks for another issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorization, token, keys = (own(found.get(name)) for name in names)
        return Metadata(authorization, token, keys, found.get("authorization_response_iss_parameter_supported") is True)

    async def address(self, wanted: Wanted, state: str, challenge: str) -> str:
        """Where the browser is sent.

        Args:
            challenge: S256 of the verifier.

        Raises:
            TrustQueryError: ``auth-provider``.
        """
        ask, settings = (await self.metadata()).authorization, self.settings
        values = settings.ask_approve if wanted.level >= 3 else settings.ask_query
        parameters = {
            "response_type": "code", "client_id": settings.client_id, "redirect_uri": wanted.redirect,
            "scope": settings.scope, "state": state, "nonce": wanted.nonce, "code_challenge": challenge,
            "code_challenge_method": "S256", "max_age": str(wanted.max_age),
        }  # fmt: skip
        if settings.ask_by == "acr_values":
            parameters["acr_values"] = values
        else:
            essential = {settings.level_claim: {"essential": True, "value": values}}
            parameters["claims"] = json.dumps({"id_token": essential})
        return f"{ask}{'&' if '?' in ask else '?'}{urlencode(parameters, quote_via=quote)}"

    async def redeem(self, code: str, wanted: Wanted) -> Proved:
        """Exchange a code for an ID token, and check it. Access and refresh tokens are dropped unread.

        Raises:
            TrustQueryError: ``auth-provider``.
        """
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": wanted.redirect,
            "code_verifier": wanted.verifier,
        }  # fmt: skip
        proof, headers = self._proof(metadata)
        answer = await self._outbound.post(metadata.token, form | proof, headers)
        token, settings = answer.get("id_token"), self.settings
        if not isinstance(token, str) or str(answer.get("token_type", "")).lower() != "bearer":
            raise self._refusal("it sent no ID token")
        expected = Expected(
            provider=settings.title, issuer=settings.issuer, client_id=settings.client_id, nonce=wanted.nonce,
            level=wanted.level, max_age=wanted.max_age, now=self._clock(), algorithms=tuple(settings.algorithms),
            level_claim=settings.level_claim, levels=settings.levels, subject=settings.subject, tenant=settings.tenant,
        )  # fmt: skip
        return await self._verified(token, metadata, expected)

    async def _verified(self, token: str, metadata: Metadata, expected: Expected) -> Proved:
        now = self._clock()
        async with self._lock:
            if not self._keys or now - self._keys_at >= KEEP_SECONDS:
                await self._look(metadata)
            try:
                return verify_id_token(token, self._keys, expected)
            except UnknownKey as error:
                # It may have changed its keys since.
                if now - self._keys_at < ANEW_SECONDS:
                    raise self._refusal(_STRANGE_KEY) from error
            await self._look(metadata)
            try:
                return verify_id_token(token, self._keys, expected)
            except UnknownKey as error:
                raise self._refusal(_STRANGE_KEY) from error

    async def _look(self, metadata: Metadata) -> None:
        keys = (await self._outbound.get(metadata.keys)).get("keys")
        if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS or not all(isinstance(k, dict) for k in keys):
            raise self._refusal("what it publishes is no set of keys")
        self._keys, self._keys_at = tuple(keys), self._clock()

    def _proof(self, metadata: Metadata) -> tuple[dict[str, str], dict[str, str]]:
        """How this coordinator proves to the provider who it is: form fields and headers."""
        settings = self.settings
        if settings.client_auth == "private_key_jwt":
            kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            assertion = self._assertion(metadata)
            form = {"client_id": settings.client_id, "client_assertion_type": kind, "client_assertion": assertion}
            return form, {}
        secret = self._secret.decode()
        if settings.client_auth == "client_secret_post":
            return {"client_id": settings.client_id, "client_secret": secret}, {}
        both = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}".encode()
        return {}, {"Authorization": f"Basic {base64.b64encode(both).decode()}"}

    def _assertion(self, metadata: Metadata) -> str:
        now, settings = self._clock(), self.settings
        key, algorithm = private_key(self._secret)
        header = {"alg": algorithm} | ({"kid": settings.secret_key_id} if settings.secret_key_id else {})
        claims = {
            "iss": settings.client_id, "sub": settings.client_id, "aud": metadata.token, "iat": now,
            "exp": now + _ASSERTION_SECONDS, "jti": new_secret(16).hex(),
        }  # fmt: skip
        return jwt.encode(header, claims, key, algorithms=[algorithm])


def private_key(pem: bytes) -> tuple[RSAKey | ECKey, str]:
    """A client's private key and the algorithm that it signs with.

    Raises:
        ValueError: it is neither an RSA nor a P-256 key.
    """
    for kind, algorithm in ((RSAKey, "RS256"), (ECKey, "ES256")):
        try:
            key = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private and (algorithm == "RS256" or key.as_dict().get("crv") == "P-256"):
            return key, algorithm
    raise ValueError("neither an RSA nor a P-256 private key")

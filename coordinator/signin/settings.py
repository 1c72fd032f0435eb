"""What the settings say about sign-in providers."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from trustquery.settings import Strict

__all__ = ["ALGORITHMS", "LEVELS", "LOCAL", "Allowed", "IdentitySettings", "ProviderSettings", "origin_of"]

Allowed = Literal["off", "query", "approve"]
Algorithm = Literal["RS256", "PS256", "ES256"]
ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256")
"""What ID tokens may be signed with: never ``none``, never a secret that both sides know (HS…)."""
LEVELS = {"query": 2, "approve": 3}
"""What a setting's word lets a sign-in count as: enough to ask, or enough to approve as well. ``off`` is neither."""
LOCAL = "local"
"""The name of the coordinator's own provider."""
_PORTS = {"https": 443}


def origin_of(address: str) -> tuple[str, int] | None:
    """Host and port of an https address; None for anything else, and for one with a user, a query or a fragment."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.fragment:
        return None
    return parts.hostname, port if port is not None else _PORTS["https"]


class ProviderSettings(Strict):
    """One sign-in provider.

    Attributes:
        name: as ``tq login --provider`` and addresses write it.
        issuer: exactly as the provider writes it in ``iss``; everything is fetched from its host and port.
        client_auth: how this coordinator proves who it is there.
        secret: ``file:PATH``, of mode 0600, relative to the home folder: the client's secret, or its private key (PEM).
        secret_key_id: the ``kid`` that the provider knows the private key by; "" for none.
        tenant: where ``tid`` must be this; "" where the provider has no tenants.
        subject: the claim that names a person for good.
        level_claim: the claim that says how strong the sign-in was, one text or several.
        levels: what its values mean: 2 for AAL2, 3 for AAL3. A value that is not here is no sign-in.
        ask_by: how a level is asked for: the parameter ``acr_values``, or the parameter ``claims``.
        ask_query, ask_approve: the values that are asked for.
        authority: ``file:PATH`` of certificates that are believed instead of the system's; "" for the system's.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    title: str = Field(min_length=1, max_length=80)
    issuer: str = Field(max_length=500)
    client_id: str = Field(min_length=1, max_length=200)
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]
    secret: str = Field(pattern=r"^file:.+$")
    secret_key_id: str = Field(default="", max_length=200)
    tenant: str = Field(default="", max_length=100)
    subject: Literal["sub", "oid"] = "sub"
    algorithms: list[Algorithm] = Field(default=["RS256"], min_length=1)
    level_claim: str = Field(pattern=r"^[a-z_]{1,64}$")
    levels: dict[str, Annotated[int, Field(ge=2, le=3)]] = Field(min_length=1)
    ask_by: Literal["acr_values", "claims"] = "acr_values"
    ask_query: str = Field(pattern=r"^[\x21-\x7e]{1,200}( [\x21-\x7e]{1,200})*$")
    ask_approve: str = Field(pattern=r"^[\x21-\x7e]{1,200}( [\x21-\x7e]{1,200})*$")
    scope: str = Field(default="openid", pattern=r"^openid( [a-zA-Z0-9_.:/-]{1,100})*$")
    authority: str = Field(default="", pattern=r"^$|^file:.+$")

    @model_validator(mode="after")
    def _consistent(self) -> ProviderSettings:
        if origin_of(self.issuer) is None or "?" in self.issuer:
            raise ValueError("issuer is an https address without a query")
        if self.subject == "oid" and not self.tenant:
            raise ValueError("subject oid is a person within a tenant: pin the tenant")
        if "offline_access" in self.scope.split():
            raise ValueError("offline_access is not asked for: nothing here refreshes tokens")
        return self


class IdentitySettings(Strict):
    """How people sign in; see the sample file.

    ``off``, ``query``: such a sign-in lets somebody do everything but approve; ``approve``: that too.
    """

    key_challenge: Allowed
    local: Allowed
    provider: list[ProviderSettings] = Field(default=[])

    @model_validator(mode="after")
    def _distinct(self) -> IdentitySettings:
        for what in ("name", "issuer"):
            if len({getattr(item, what) for item in self.provider}) != len(self.provider):
                raise ValueError(f"two providers have the same {what}")
        if any(item.name == LOCAL for item in self.provider):
            raise ValueError('the name "local" is taken by the coordinator\'s own provider')
        return self

"""From the settings to the desk: providers with their secrets, each read once, at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from coordinator.config import Home, Settings
from coordinator.signin.desk import SignInDesk
from coordinator.signin.fetching import Outbound, trusting
from coordinator.signin.local import ACR, CLIENT, LocalProvider
from coordinator.signin.providers import Provider, private_key
from coordinator.signin.settings import LEVELS, LOCAL, ProviderSettings
from coordinator.store import Store
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, read_private_file

__all__ = ["open_desk", "open_local"]


def _path(home: Home, reference: str) -> Path:
    return home.path / Path(reference.removeprefix("file:")).expanduser()


def _secret(home: Home, settings: ProviderSettings) -> bytes:
    secret = read_private_file(_path(home, settings.secret)).strip()
    place = f"coordinator.toml: identity.provider {settings.name}"
    if settings.client_auth == "private_key_jwt":
        try:
            private_key(secret)
        except ValueError as error:
            problem = f"the secret of {settings.name} is not an RSA or P-256 private key"
            raise TrustQueryError("config-invalid", place=place, problem=problem) from error
    elif not secret or not secret.isascii():
        raise TrustQueryError("config-invalid", place=place, problem=f"the secret of {settings.name} is empty")
    return secret


def _transport(home: Home, settings: ProviderSettings) -> httpx.AsyncBaseTransport:
    pem = ""
    if settings.authority:
        path = _path(home, settings.authority)
        try:
            pem = path.read_text(encoding="ascii")
        except OSError as error:
            raise TrustQueryError("config-missing", path=path, instead="give the provider's authority") from error
    return httpx.AsyncHTTPTransport(verify=trusting(pem))


def open_local(settings: Settings, store: Store, clock: Callable[[], int]) -> LocalProvider | None:
    """The coordinator's own provider, None where the settings leave it off. Its client's secret lives in memory."""
    if settings.identity.local == "off":
        return None
    return LocalProvider(store, settings.api.public, settings.federation, new_secret(32).hex(), clock)


def _own(settings: Settings, local: LocalProvider) -> ProviderSettings:
    """The coordinator's own provider as its own relying party sees it: like any other."""
    return ProviderSettings(
        name=LOCAL,
        title="this coordinator",
        issuer=local.issuer,
        client_id=CLIENT,
        client_auth="client_secret_post",
        secret="file:in memory",  # noqa: S106 - a reference, and one that nobody follows
        algorithms=["ES256"],
        level_claim="acr",
        levels={ACR: LEVELS[settings.identity.local]},
        ask_query=ACR,
        ask_approve=ACR,
        authority="file:authority.pem",
    )


def open_desk(
    home: Home,
    settings: Settings,
    store: Store,
    clock: Callable[[], int],
    *,
    local: LocalProvider | None = None,
    transports: Mapping[str, httpx.AsyncBaseTransport] | None = None,
) -> SignInDesk:
    """The desk of a running coordinator.

    Args:
        local: its own provider, where there is one.
        transports: how requests to a provider travel, by its name; TLS where it is not here.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``config-invalid``.
    """
    given = transports or {}
    providers = {
        item.name: Provider(
            item,
            _secret(home, item),
            Outbound(item.title, item.issuer, given.get(item.name) or _transport(home, item)),
            clock,
        )
        for item in settings.identity.provider
    }
    if local is not None:
        own = _own(settings, local)
        way = Outbound(own.title, own.issuer, given.get(LOCAL) or _transport(home, own))
        providers[LOCAL] = Provider(own, local.secret.encode(), way, clock)
    return SignInDesk(
        store,
        providers,
        settings.api.public,
        clock,
        hours=settings.sessions.hours,
        strong_seconds=settings.sessions.strong_seconds,
    )

"""Which proxy leads to an address, if any. A password is never shown, logged or given on a command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from node_agent.config import Home, NodeConfig, ProxyConfig, ProxyEnvironment, proxy_environment
from node_agent.network.dial import Proxy
from trustquery.errors import TrustQueryError
from trustquery.identity import read_private_file
from trustquery.settings import split_address

__all__ = ["DIRECT", "Network", "network_of"]


@dataclass(frozen=True)
class Network:
    """How this node reaches the outside.

    Attributes:
        proxy: None to connect directly.
        no_proxy: hosts that are reached directly, separated by commas, as in NO_PROXY.
        extra_authorities: PEM certificates that the HTTPS of enrolment believes besides the federation's authority.
            The session believes the federation's authority alone, always.
        folder: where sockets of this process's own may stand; None for the system's temporary folder.
    """

    proxy: Proxy | None = None
    no_proxy: str = ""
    extra_authorities: str = ""
    folder: Path | None = None

    def proxy_for(self, address: str) -> Proxy | None:
        """The proxy that leads to ``host:port``; None to connect directly."""
        host, _ = split_address(address)
        if self.proxy is None or proxy_bypass_environment(host, {"no": self.no_proxy}):
            return None
        return self.proxy


DIRECT = Network()


def network_of(home: Home, config: NodeConfig, environment: ProxyEnvironment | None = None) -> Network:
    """What ``[proxy]`` of ``node.toml`` says; without that table, what HTTPS_PROXY and NO_PROXY say.

    Raises:
        TrustQueryError: ``config-invalid``, ``config-missing``, ``config-key-file``.
    """
    extra = _certificates(home, config.coordinator.https_ca_file)
    if config.proxy is not None:
        return Network(_from_settings(home, config.proxy), ",".join(config.proxy.no_proxy), extra, home.control)
    found = proxy_environment() if environment is None else environment
    return Network(_from_url(found.https_proxy), found.no_proxy, extra, home.control)


def _certificates(home: Home, file: str) -> str:
    if not file:
        return ""
    path = home.resolve(file)
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise TrustQueryError(
            "config-invalid", place="coordinator.https_ca_file", problem="the certificates cannot be read"
        ) from error


def _from_settings(home: Home, settings: ProxyConfig) -> Proxy | None:
    if not settings.url:
        return None
    password = ""
    if settings.password_file:
        try:
            password = read_private_file(home.secret(settings.password_file)).decode("utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            raise _wrong("proxy.password_file", "it is not UTF-8 text") from error
    return Proxy(_address(settings.url, "proxy.url"), settings.user, password)


def _from_url(url: str) -> Proxy | None:
    """A proxy of the environment. Nothing of the text goes into an error: it may hold a password."""
    if not url:
        return None
    try:
        parts = urlsplit(_whole(url))
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError as error:
        raise _wrong("HTTPS_PROXY", "it is not an address") from error
    return Proxy(_address(url, "HTTPS_PROXY"), user, password)


def _whole(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _address(url: str, place: str) -> str:
    try:
        parts = urlsplit(_whole(url))
        host, port = parts.hostname, parts.port or 80
    except ValueError as error:
        raise _wrong(place, "it is not an address") from error
    if parts.scheme != "http" or not host or parts.path.strip("/"):
        raise _wrong(place, "write HOST:PORT: a proxy is spoken to in HTTP, and TLS goes through it")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _wrong(place: str, problem: str) -> TrustQueryError:
    return TrustQueryError("config-invalid", place=place, problem=f"the proxy cannot be used: {problem}")

"""Name lookup, outbound ports and the proxy."""

from __future__ import annotations

import socket

from node_agent.network import within
from node_agent.preflight.results import NO_SETTINGS, NOT_ENROLLED, Outcome, Result, refused
from node_agent.preflight.world import World
from trustquery.errors import TrustQueryError
from trustquery.settings import split_address

__all__ = ["FOUND", "NO_PROXY", "OPEN", "THROUGH_PROXY", "TUNNEL", "UNKNOWN_NAME", "names", "ports", "proxy"]

FOUND = Outcome("pass", "the name is known here")
UNKNOWN_NAME = Outcome(
    "fail", "the name is not known here", "ask for the name in the trust's DNS, or set [proxy]: a proxy looks names up"
)
SLOW_NAME = Outcome("fail", "no name server answers", "check the DNS servers of this machine")
THROUGH_PROXY = Outcome("skipped", "the proxy looks this name up")

OPEN = Outcome("pass", "a connection opens")
CLOSED = Outcome(
    "fail", "no connection opens", "have outbound TCP to this host and port opened, or set [proxy] in node.toml"
)
CLOSED_443 = Outcome(
    "fail", "no connection opens; port 443 of the same host does",
    "have outbound TCP to this port opened, or ask the federation to listen on 443",
)  # fmt: skip

TUNNEL = Outcome("pass", "the proxy {proxy} opens a tunnel")
NO_PROXY = Outcome("skipped", "no proxy is set, neither in node.toml nor in HTTPS_PROXY")
BYPASSED = Outcome("skipped", "no_proxy says to connect directly")


def names(world: World) -> list[Result]:
    """Look every host up, the proxy's where there is one."""
    if world.network is None:
        return [Result(NO_SETTINGS)]
    found = []
    for endpoint in world.endpoints:
        proxy = world.network.proxy_for(endpoint.address)
        if proxy is not None:
            found.append(Result(THROUGH_PROXY, endpoint.address))
        found.append(_lookup(endpoint.address if proxy is None else proxy.address, world.seconds))
    unique = {(result.about, result.outcome): result for result in found}
    return list(unique.values()) or [Result(NOT_ENROLLED)]


def _lookup(address: str, seconds: float) -> Result:
    host, port = split_address(address)
    try:
        within(seconds, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        return Result(SLOW_NAME, host)
    except OSError:
        return Result(UNKNOWN_NAME, host)
    return Result(FOUND, host)


def ports(world: World) -> list[Result]:
    """Open a connection to every address, by the way that the settings say."""
    if world.network is None:
        return [Result(NO_SETTINGS)]
    return [_port(world, endpoint.address) for endpoint in world.endpoints] or [Result(NOT_ENROLLED)]


def _port(world: World, address: str) -> Result:
    try:
        world.dial(address).close()
    except TrustQueryError as error:
        if error.code != "node-unreachable":
            return refused(error, address)
        host, _, port = address.rpartition(":")
        try:
            if port != "443":
                world.dial(f"{host}:443").close()
                return Result(CLOSED_443, address)
        except TrustQueryError:
            pass
        return Result(CLOSED, address)
    return Result(OPEN, address)


def proxy(world: World) -> list[Result]:
    """Ask the proxy for a tunnel to every address, with the name and password that are set."""
    if world.network is None:
        return [Result(NO_SETTINGS)]
    if world.network.proxy is None:
        return [Result(NO_PROXY)]
    found = []
    for endpoint in world.endpoints:
        way = world.network.proxy_for(endpoint.address)
        if way is None:
            found.append(Result(BYPASSED, endpoint.address))
            continue
        try:
            world.dial(endpoint.address).close()
            found.append(Result(TUNNEL, endpoint.address, {"proxy": way.address}))
        except TrustQueryError as error:
            found.append(refused(error, endpoint.address))
    return found or [Result(NOT_ENROLLED)]

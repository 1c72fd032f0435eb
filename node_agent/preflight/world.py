"""What the checks look at: settings, enrolment and network as far as they can be had; never a secret's content."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from functools import cached_property

from node_agent.config import Home, NodeConfig, load_config
from node_agent.enrolment.startup import Startup, load_startup
from node_agent.network import Network, dial, network_of, within
from trustquery.errors import TrustQueryError
from trustquery.protocol.enrolment import EnrolmentCode

__all__ = ["Endpoint", "World", "look"]


@dataclass(frozen=True)
class Endpoint:
    """One address of the coordinator.

    Attributes:
        session: whether the session goes there, which nothing may inspect.
    """

    name: str
    address: str
    session: bool


@dataclass
class World:
    """A node's home before or after enrolment.

    Attributes:
        code: an enrolment code, before enrolment.
        now: seconds since 1970.
        config, network, startup: None where they cannot be had; ``problem`` says why for the first two.
        enrolled: whether enrolment was completed, even if what it brought cannot be read.
    """

    home: Home
    code: EnrolmentCode | None
    now: int
    config: NodeConfig | None = None
    network: Network | None = None
    startup: Startup | None = None
    enrolled: bool = False
    problem: TrustQueryError | None = None
    startup_problem: TrustQueryError | None = None
    seconds: float = field(default=8.0)

    def dial(self, address: str) -> socket.socket:
        """Connect by the way that the settings say, directly where there are none yet; name lookup counts as well.

        Raises:
            TrustQueryError: ``node-unreachable``, ``node-proxy-…``.
        """
        proxy = self.network.proxy_for(address) if self.network is not None else None
        try:
            return within(self.seconds, lambda: dial(address, proxy, self.seconds), socket.socket.close)
        except TimeoutError as error:
            raise TrustQueryError("node-unreachable", address=address) from error

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every address that this node is to reach, as far as it knows them."""
        if self.startup is None:
            return (Endpoint("api", self.code.address, False),) if self.code is not None else ()
        where = self.startup.coordinator
        websocket = where.websocket_address
        if self.config is not None and self.config.coordinator.websocket:
            websocket = self.config.coordinator.websocket
        found = (
            Endpoint("api", where.api_address, False),
            Endpoint("grpc", where.grpc_address, True),
            Endpoint("websocket", websocket, True),
        )
        return tuple(endpoint for endpoint in found if endpoint.address)

    @cached_property
    def authority_pem(self) -> str:
        """The certificate of the federation's authority: pinned at enrolment, or fetched and checked with the code.

        Raises:
            TrustQueryError: ``node-unreachable``, ``node-proxy-…``, ``node-code-invalid``.
        """
        if self.startup is not None:
            return self.startup.authority_pem.decode("ascii")
        if self.code is None or self.network is None:
            raise TrustQueryError("config-missing", path="the authority", instead="give the enrolment code")
        from node_agent.enrolment.enrol import pinned_authority

        return pinned_authority(self.code, self.network).decode("ascii")


def look(home: Home, code: EnrolmentCode | None, now: int) -> World:
    """Read what there is."""
    world = World(home, code, now)
    try:
        world.config = load_config(home)
        world.network = network_of(home, world.config)
    except TrustQueryError as error:
        world.problem = error
    world.enrolled = (home.startup / "coordinator.json").exists()
    if world.enrolled:
        try:
            world.startup = load_startup(home)
        except TrustQueryError as error:
            world.startup_problem = error
    return world

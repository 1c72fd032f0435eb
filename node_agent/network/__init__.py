"""How a node reaches the outside: directly, or through the trust's HTTP CONNECT proxy. TLS always ends here."""

from node_agent.network.aside import aside, within
from node_agent.network.dial import Proxy, dial
from node_agent.network.settings import DIRECT, Network, network_of

__all__ = ["DIRECT", "Network", "Proxy", "aside", "dial", "network_of", "within"]

"""TrustQuery: ask questions of hospital data that never leaves the hospitals.

The package both sides have agreed on. Below ``client/`` and ``cli/`` there are no
sockets, clocks or databases: callers pass bytes and ``now``.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["connect"]
__version__ = "0.1.0"

if TYPE_CHECKING:
    from trustquery.client import connect


def __getattr__(name: str) -> Any:
    """Import the SDK on first use, so that a node never pays for (or loads) a client."""
    if name == "connect":
        from trustquery.client import connect as found

        return found
    raise AttributeError(name)

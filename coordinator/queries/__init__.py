"""The life of a query: checked, offered, answered, closed. Durable at every step."""

from coordinator.queries.machine import VALID_TRANSITIONS, State
from coordinator.queries.service import QueryService

__all__ = ["VALID_TRANSITIONS", "QueryService", "State"]

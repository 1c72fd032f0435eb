"""The trust's own record of privacy loss: durable, capped, hash-chained."""

from node_agent.budget.ledger import SqliteLedger
from node_agent.budget.port import (
    SHARED,
    WINDOW_DAYS,
    Ledger,
    Limits,
    Release,
    Reservation,
    ScopeLimit,
    ScopeName,
    Spent,
    pack,
    unpack,
)
from node_agent.budget.states import VALID_TRANSITIONS, State

__all__ = [
    "SHARED",
    "VALID_TRANSITIONS",
    "WINDOW_DAYS",
    "Ledger",
    "Limits",
    "Release",
    "Reservation",
    "ScopeLimit",
    "ScopeName",
    "Spent",
    "SqliteLedger",
    "State",
    "pack",
    "unpack",
]

"""The trust's own record of privacy loss: durable, capped, hash-chained."""

from node_agent.budget.book import Book, BookReader, Mark, Pin, Waiting
from node_agent.budget.decisions import Charged, Decided, DecisionReader
from node_agent.budget.ledger import SqliteLedger
from node_agent.budget.port import (
    REPEAT_SECONDS,
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
    "REPEAT_SECONDS",
    "SHARED",
    "VALID_TRANSITIONS",
    "WINDOW_DAYS",
    "Book",
    "BookReader",
    "Charged",
    "Decided",
    "DecisionReader",
    "Ledger",
    "Limits",
    "Mark",
    "Pin",
    "Release",
    "Reservation",
    "ScopeLimit",
    "ScopeName",
    "Spent",
    "SqliteLedger",
    "State",
    "Waiting",
    "pack",
    "unpack",
]

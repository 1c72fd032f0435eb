"""What two people decide on a frozen ledger: another copy takes its place, or all that was left counts as spent.

Nothing that left is ever forgotten: an answer leaves only under a head that witnesses have cosigned, so the copy that
holds that head holds every release. Where nobody has it, what was lost is counted as if it had been spent.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from node_agent.budget import Limits, ScopeLimit, ScopeName, SqliteLedger
from node_agent.budget.book import BookReader
from node_agent.budget.reader import LedgerReader
from node_agent.config import Home, NodeConfig
from node_agent.enrolment.startup import Startup
from node_agent.gate.reserve import policy_limits
from node_agent.policy_store import PolicyStore
from trustquery.errors import TrustQueryError
from trustquery.identity import Order, SigningKey
from trustquery.log import Checkpoint, node_origin
from trustquery.policy import Policy

__all__ = ["adopt", "exhaust", "frozen_heads"]


def frozen_heads(home: Home) -> tuple[Checkpoint, Checkpoint, bytes]:
    """The ledger's own head, the one that witnesses hold, and the latter as its log signed it.

    Raises:
        TrustQueryError: ``ledger-not-frozen``; as ``LedgerReader``.
    """
    reader = LedgerReader(home.ledger)
    try:
        pair = reader.frozen()
    finally:
        reader.close()
    if pair is None:
        raise TrustQueryError("ledger-not-frozen")
    return Checkpoint.read(pair[0]), Checkpoint.read(pair[1]), pair[1]


def exhaust(home: Home, config: NodeConfig, startup: Startup, keys: list[SigningKey], now: int) -> int:
    """Count everything that was left as spent, node-wide and for each dataset and its profiles; returns how many marks.

    Raises:
        TrustQueryError: ``ledger-not-frozen``, ``auth-not-allowed``, ``policy-…``, ``ledger-locked``: the node runs.
    """
    _, _, theirs = frozen_heads(home)
    policies = PolicyStore(home, startup.federation, startup.node, BookReader.beside(home.ledger))
    policies.governance.require(keys, "count a budget as spent")
    scopes = _scopes(policies.policy(), config, home)
    order = _order(startup, "exhaust", theirs, keys)
    _keep(home, order)
    _settle(home.ledger, theirs, order, scopes, now)
    return len(scopes)


def adopt(home: Home, startup: Startup, copy: Path, keys: list[SigningKey], now: int) -> Path:
    """Put another copy of the ledger in the place of the frozen one, which is kept; returns where.

    Raises:
        TrustQueryError: ``ledger-not-frozen``, ``ledger-repair-refused``, ``auth-not-allowed``, ``ledger-corrupt``,
            ``ledger-locked``: the node runs.
    """
    _, head, theirs = frozen_heads(home)
    here = PolicyStore(home, startup.federation, startup.node, BookReader.beside(home.ledger))
    here.governance.require(keys, "put another copy of the ledger in place")
    # The lock for as long as files change places.
    SqliteLedger(home.ledger).close()
    incoming = home.ledger.with_name("incoming.sqlite")
    _take_copy(copy, incoming)
    try:
        _check_copy(incoming, head, theirs, startup)
        there = PolicyStore(home, startup.federation, startup.node, BookReader.beside(incoming))
        there.governance.require(keys, "put another copy of the ledger in place")
        order = _order(startup, "adopt", theirs, keys)
        _keep(home, order)
        _settle(incoming, theirs, order, (), now)
    except BaseException:
        _remove(incoming)
        raise
    aside = home.ledger.with_name(f"frozen-{hashlib.sha256(theirs).hexdigest()[:16]}.sqlite")
    for suffix in ("-wal", "-shm", ""):
        _move(home.ledger, aside, suffix)
    for suffix in ("-wal", "-shm", ""):
        _move(incoming, home.ledger, suffix)
    _sync(home.ledger.parent)
    incoming.with_suffix(".lock").unlink(missing_ok=True)
    return aside


def _scopes(policy: Policy, config: NodeConfig, home: Home) -> list[ScopeLimit]:
    subjects = sorted({config.budget_subject(rule.id, home) for rule in policy.dataset})
    wanted: list[tuple[ScopeName, str]] = [("node-wide", "")]
    wanted += [(scope, subject) for subject in subjects for scope in ("dataset", "profiles")]
    found: list[ScopeLimit] = []
    for scope, subject in wanted:
        limits: Limits | None = policy_limits(policy, scope, subject)
        if limits is not None:
            found.append(ScopeLimit(scope, subject, limits))
    return found


def _order(startup: Startup, act: Literal["adopt", "exhaust"], theirs: bytes, keys: list[SigningKey]) -> bytes:
    about = hashlib.sha256(theirs).hexdigest()
    return Order(federation=startup.federation, node=startup.node, act=act, about=about).sign(*keys).encode()


def _keep(home: Home, order: bytes) -> None:
    path = home.ledger.with_name(f"order-{hashlib.sha256(order).hexdigest()[:16]}.dsse")
    path.touch(mode=0o600)
    path.write_bytes(order)


def _settle(path: Path, theirs: bytes, order: bytes, scopes: Sequence[ScopeLimit], now: int) -> None:
    ledger = SqliteLedger(path)
    try:
        ledger.repair(theirs, hashlib.sha256(order).hexdigest(), scopes, now)
    finally:
        ledger.close()


def _check_copy(path: Path, head: Checkpoint, theirs: bytes, startup: Startup) -> None:
    """The copy verifies, and holds the head that witnesses have cosigned."""
    origin = node_origin(startup.federation, startup.node)
    try:
        Checkpoint.verify(theirs, origin, startup.key.public)
    except TrustQueryError as error:
        raise TrustQueryError("ledger-repair-refused", problem="the head is another key's") from error
    reader = LedgerReader(path)
    try:
        if reader.size() < head.size or reader.root(head.size) != head.root:
            raise TrustQueryError("ledger-repair-refused", problem="it does not hold the head that witnesses hold")
    finally:
        reader.close()


def _take_copy(copy: Path, incoming: Path) -> None:
    _remove(incoming)
    try:
        for suffix in ("", "-wal"):
            source = copy.with_name(copy.name + suffix)
            if suffix == "" or source.exists():
                shutil.copyfile(source, incoming.with_name(incoming.name + suffix))
    except OSError as error:
        raise TrustQueryError("config-missing", path=copy, instead="give the path of the copy") from error
    # What its writer has not written back yet lies in the journal: taken in now, so that one file is the ledger.
    SqliteLedger(incoming).close()


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _move(old: Path, new: Path, suffix: str) -> None:
    source = old.with_name(old.name + suffix)
    if source.exists():
        os.replace(source, new.with_name(new.name + suffix))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

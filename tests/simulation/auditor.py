"""An auditor who has the log of a ledger and nothing else: every entry in turn, and the budgets that follow from them.

Written against the format's description and not with the ledger's code. It reads on from where it was, and from the
first entry after every restart of a node.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Auditor", "root_of"]

_FIRST = "0" * 64
_SPENDS = ("reserved", "stored")
_NAMED = ("project_commitment", "analyst_commitment", "profiles_commitment")


def leaf_hash(payload: bytes) -> bytes:
    """RFC 6962: the hash of an entry."""
    return hashlib.sha256(b"\x00" + payload).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962: the hash of a tree."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


@dataclass
class Auditor:
    """Reads one log.

    Attributes:
        spent: what each subject has spent by the log, in 1e-9 rho; the node as a whole is "".
        last: by release, the number of the newest entry about it.
        wrong: what does not follow.
    """

    hashes: list[bytes] = field(default_factory=list)
    previous: str = _FIRST
    spent: dict[str, int] = field(default_factory=dict)
    charged: dict[str, dict[str, int]] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    committed: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Number of entries read."""
        return len(self.hashes)

    def take(self, payload: bytes) -> None:
        """Read the next entry."""
        entry = json.loads(payload)
        number = self.read + 1
        if entry["seq"] != number or entry["prev_hash"] != self.previous:
            self.wrong.append(f"entry {number} does not follow the one before it")
        found = leaf_hash(payload)
        self.hashes.append(found)
        self.previous = found.hex()
        kind, release_id = entry["kind"], entry.get("release_id", "")
        if release_id and kind != "refused":
            self.last[release_id] = number
        if kind in _SPENDS:
            if release_id in self.charged:
                self.wrong.append(f"entry {number}: {release_id[:8]} is charged twice")
            self._charge(release_id, entry)
        elif kind == "started":
            self.started.add(release_id)
        elif kind == "committed":
            if release_id in self.committed:
                self.wrong.append(f"entry {number}: {release_id[:8]} is committed twice")
            self.committed[release_id] = number
        elif kind == "expired":
            if release_id in self.started:
                self.wrong.append(f"entry {number}: {release_id[:8]} had started and was refunded")
            for subject, rho in self.charged.get(release_id, {}).items():
                self.spent[subject] -= rho
            self.charged[release_id] = {}

    def _charge(self, release_id: str, entry: dict[str, Any]) -> None:
        rho = entry["rho_local_nano"]
        subjects = [*entry.get("dataset_commitments", ()), *(entry.get(name, "") for name in _NAMED)]
        found = {subject: rho for subject in subjects if subject}
        if entry["kind"] == "reserved":
            found[""] = rho
        self.charged[release_id] = found
        for subject, amount in found.items():
            self.spent[subject] = self.spent.get(subject, 0) + amount

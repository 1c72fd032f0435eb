"""What the trust itself decided: the policy in force, its acceptances of projects, stop and pause.

The documents are files; which of them is in force the ledger's book says, by hash. Every read compares and verifies
again (cached while the bytes stay the same), so a file that somebody edits, or puts back from an old copy, answers
nothing. Changes are made in ``office``.
"""

from __future__ import annotations

import threading
from pathlib import Path

from node_agent.budget.book import BookReader, Pin, Waiting
from node_agent.config import Home
from node_agent.policy_store.files import replace_file, safe_name
from node_agent.policy_store.governance import Lists
from node_agent.policy_store.marks import Marks
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, Envelope, GovernanceList
from trustquery.policy import Policy

__all__ = ["PolicyStore"]


class PolicyStore:
    """Policy, acceptances and stop marks of one node.

    Args:
        home: the node's home.
        federation: name of the federation.
        node: this node's name.
        book: the ledger's book.
    """

    def __init__(self, home: Home, federation: str, node: str, book: BookReader) -> None:
        self.home = home
        self.federation = federation
        self.node = node
        self.marks = Marks(home.control)
        self.lists = Lists(home.startup / "governance.json", home.policy / "people", node, book)
        self._book = book
        self._lock = threading.Lock()
        self._policy: tuple[Pin, bytes, Policy] | None = None
        self._acceptances: dict[str, tuple[bytes, str, Acceptance]] = {}
        self.look_at_mark()

    @property
    def governance(self) -> GovernanceList:
        """The people whose signatures count."""
        return self.lists.present()

    # -- policy --------------------------------------------------------------------------------------------------

    def policy_file(self, version: int) -> Path:
        """Where a version of the policy is kept, for ever."""
        return self.home.policy / "history" / f"{version:08d}.dsse"

    def waiting_file(self, change: Waiting) -> Path:
        """Where a change that waits is kept."""
        return self.home.policy / "waiting" / f"{change.sha256}.dsse"

    def policy(self) -> Policy:
        """The policy in force.

        Raises:
            TrustQueryError: ``policy-absent``, ``policy-signature``, ``policy-invalid``.
        """
        pin = self._book.in_force("policy", self.node)
        if pin is None:
            raise TrustQueryError("policy-absent")
        return self._pinned(pin)

    def policy_versions(self) -> tuple[tuple[Pin, Policy | TrustQueryError], ...]:
        """Every policy that was ever in force, oldest first, each checked by its hash; or why it cannot be read."""
        found: list[tuple[Pin, Policy | TrustQueryError]] = []
        for pin in self._book.versions("policy", self.node):
            try:
                found.append((pin, self._pinned(pin)))
            except TrustQueryError as error:
                found.append((pin, error))
        return tuple(found)

    def _pinned(self, pin: Pin) -> Policy:
        try:
            data = self.policy_file(pin.version).read_bytes()
        except OSError as error:
            raise TrustQueryError("policy-absent") from error
        with self._lock:
            if self._policy is not None and self._policy[:2] == (pin, data):
                return self._policy[2]
        policy = self.read_policy(data, self.lists.version(pin.signed_under), 1)
        if policy.sha256 != pin.sha256:
            raise TrustQueryError(
                "policy-signature", document="policy", problem="it is not the one that the ledger names"
            )
        with self._lock:
            self._policy = pin, data, policy
        return policy

    def read_policy(self, data: bytes, listed: GovernanceList, threshold: int) -> Policy:
        """Read a signed policy and check that it is for this node.

        Raises:
            TrustQueryError: ``policy-signature``, ``policy-invalid``, ``policy-unknown-key``.
        """
        try:
            envelope = Envelope.decode(data, kind=Policy.KIND)
            envelope.require(listed.ring, threshold)
        except TrustQueryError as error:
            problem = error.problem.fields.get("problem", "it cannot be read")
            raise TrustQueryError("policy-signature", document="policy", problem=problem) from error
        policy = Policy.from_payload(envelope.payload)
        if (policy.federation, policy.trust) != (self.federation, self.node):
            raise TrustQueryError("policy-invalid", place="trust", problem="it is for another trust or federation")
        return policy

    # -- acceptances ---------------------------------------------------------------------------------------------

    def _acceptance_file(self, project: str) -> Path:
        return self.home.policy / "acceptances" / f"{safe_name(project)}.dsse"

    def acceptance(self, project: str) -> Acceptance:
        """The trust's yes to a project. Signatures by keys that are no longer listed do not count any more.

        Raises:
            TrustQueryError: ``policy-not-accepted``.
        """
        try:
            data = self._acceptance_file(project).read_bytes()
            listed = self.governance
            with self._lock:
                known = self._acceptances.get(project)
                if known is None or known[:2] != (data, listed.sha256):
                    found, _, _ = Acceptance.verify(data, listed.ring, listed.threshold)
                    known = self._acceptances[project] = data, listed.sha256, found
        except (OSError, ValueError, TrustQueryError) as error:
            raise TrustQueryError("policy-not-accepted", project=project) from error
        return known[2]

    def accept(self, envelope: Envelope) -> Acceptance:
        """Keep a signed acceptance.

        Raises:
            TrustQueryError: ``policy-signature``.
        """
        listed = self.governance
        data = envelope.encode()
        try:
            acceptance, _, _ = Acceptance.verify(data, listed.ring, listed.threshold)
        except TrustQueryError as error:
            problem = error.problem.fields.get("problem", "it cannot be read")
            raise TrustQueryError("policy-signature", document="acceptance", problem=problem) from error
        replace_file(self._acceptance_file(acceptance.project), data)
        return acceptance

    def given(self, project: str) -> tuple[int, str] | None:
        """When the acceptance that lies there was given, and its hash; None where none can be read."""
        try:
            envelope = Envelope.decode(self._acceptance_file(project).read_bytes(), kind=Acceptance.KIND)
            found = Acceptance.from_payload(envelope.payload)
        except (OSError, ValueError, TrustQueryError):
            return None
        return found.accepted, found.sha256

    def remove_acceptance(self, project: str) -> bool:
        """Take the file away; from now on the project is refused. Returns whether there was one."""
        try:
            path = self._acceptance_file(project)
        except ValueError:
            return False
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    # -- stop and pause ------------------------------------------------------------------------------------------

    def look_at_mark(self) -> None:
        """Take over the ledger's last word on stopping: a mark whose file somebody removed still holds."""
        mark = self._book.mark()
        self._entered = mark.kind if mark is not None else "resumed"
        self._stopped_at = mark.seq if mark is not None else 0

    def stopped(self) -> bool:
        """Whether the trust has paused or stopped answering: by a mark, by the ledger, or because it cannot be seen."""
        return self._entered != "resumed" or self.marks.found() != ""

    def must_exit(self) -> bool:
        """Whether the running process is to end as well (``stop``)."""
        return self._entered == "stopped" or self.marks.found() == "stop"

    def stopped_after(self, seq: int) -> bool:
        """Whether it has, or had at any time since the ledger entry with this number: also where it resumed since."""
        return self.stopped() or seq < self._stopped_at

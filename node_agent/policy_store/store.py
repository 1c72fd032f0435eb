"""What the trust itself decided, on disk: the signed policy, its acceptances of projects, stop and pause.

Every read verifies the signatures again (cached while the bytes stay the same), so a file that somebody edits, or puts
back from an old copy, answers nothing.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

from node_agent.config import Home
from node_agent.policy_store.files import replace_file, safe_name
from node_agent.policy_store.governance import GovernanceList, load_governance
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, Envelope
from trustquery.policy import Policy

__all__ = ["PolicyStore"]


class PolicyStore:
    """Policy, acceptances and stop marks of one node.

    Args:
        home: the node's home.
        federation: name of the federation.
        node: this node's name.
    """

    def __init__(self, home: Home, federation: str, node: str) -> None:
        self._home = home
        self._federation = federation
        self._node = node
        self._lock = threading.Lock()
        self._policy: tuple[bytes, Policy] | None = None
        self._acceptances: dict[str, tuple[bytes, Acceptance]] = {}

    @property
    def governance(self) -> GovernanceList:
        """The people whose signatures count."""
        return load_governance(self._home.startup / "governance.json")

    # -- policy --------------------------------------------------------------------------------------------------

    @property
    def policy_file(self) -> Path:
        """The signed policy in force."""
        return self._home.policy / "policy.dsse"

    def verify_policy(self, data: bytes) -> Policy:
        """Read a signed policy and check that it is for this node.

        Raises:
            TrustQueryError: ``policy-signature``, ``policy-invalid``, ``policy-unknown-key``.
        """
        listed = self.governance
        try:
            envelope = Envelope.decode(data, kind=Policy.KIND)
            envelope.require(listed.ring, listed.threshold)
        except TrustQueryError as error:
            problem = error.problem.fields.get("problem", "it cannot be read")
            raise TrustQueryError("policy-signature", document="policy", problem=problem) from error
        policy = Policy.from_payload(envelope.payload)
        if (policy.federation, policy.trust) != (self._federation, self._node):
            raise TrustQueryError("policy-invalid", place="trust", problem="it is for another trust or federation")
        return policy

    def policy(self) -> Policy:
        """The policy in force.

        Raises:
            TrustQueryError: ``policy-absent`` and as ``verify_policy``.
        """
        try:
            data = self.policy_file.read_bytes()
        except OSError as error:
            raise TrustQueryError("policy-absent") from error
        with self._lock:
            if self._policy is None or self._policy[0] != data:
                self._policy = data, self.verify_policy(data)
            return self._policy[1]

    def activate(self, data: bytes) -> Policy:
        """Put a signed policy in force.

        Raises:
            TrustQueryError: as ``verify_policy``, and ``policy-document-stale`` when it is not newer.
        """
        policy = self.verify_policy(data)
        if self.policy_file.exists():
            current = self.policy()
            if policy.version < current.version or (policy.version == current.version and policy != current):
                raise TrustQueryError("policy-document-stale", document="policy")
        replace_file(self._home.policy / "history" / f"{policy.version:08d}.dsse", data)
        replace_file(self.policy_file, data)
        return policy

    # -- acceptances ---------------------------------------------------------------------------------------------

    def _acceptance_file(self, project: str) -> Path:
        return self._home.policy / "acceptances" / f"{safe_name(project)}.dsse"

    def acceptance(self, project: str) -> Acceptance:
        """The trust's yes to a project.

        Raises:
            TrustQueryError: ``policy-not-accepted``.
        """
        try:
            data = self._acceptance_file(project).read_bytes()
            with self._lock:
                known = self._acceptances.get(project)
                if known is None or known[0] != data:
                    listed = self.governance
                    found, _, _ = Acceptance.verify(data, listed.ring, listed.threshold)
                    known = self._acceptances[project] = data, found
        except (OSError, ValueError, TrustQueryError) as error:
            raise TrustQueryError("policy-not-accepted", project=project) from error
        return known[1]

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

    def decline(self, project: str) -> bool:
        """Take back a yes; from now on the project is refused. Returns whether there was one."""
        path = self._acceptance_file(project)
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    # -- stop and pause ------------------------------------------------------------------------------------------

    def mark(self, kind: Literal["pause", "stop"]) -> None:
        """Answer nothing from now on. Anybody who can write here may: it only tightens."""
        replace_file(self._home.control / kind, b"")

    def clear_marks(self) -> bool:
        """Answer again; returns whether anything was marked. The caller has checked two people's keys."""
        found = self.stopped()
        for kind in ("pause", "stop"):
            (self._home.control / kind).unlink(missing_ok=True)
        return found

    def stopped(self) -> bool:
        """Whether the trust has paused or stopped answering."""
        return any((self._home.control / kind).exists() for kind in ("pause", "stop"))

    def must_exit(self) -> bool:
        """Whether the running process is to end as well (``stop``)."""
        return (self._home.control / "stop").exists()

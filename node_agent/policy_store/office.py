"""Where governance changes things: one place looks at signatures, decides between *at once* and *in 24 hours*, and
enters the change in the ledger. A change that cannot be entered does not happen; stopping alone does not wait for it.

The running node has an office over its ledger. Without one, a command opens the ledger and is the office itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from node_agent.budget.book import Book, Governed, Mark, Waiting
from node_agent.policy_store.files import replace_file
from node_agent.policy_store.store import PolicyStore
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, GovernanceList, Order
from trustquery.identity.envelope import payload_type
from trustquery.identity.governance import loosenings
from trustquery.policy import Policy
from trustquery.policy.difference import compare

__all__ = ["WAIT_SECONDS", "Office", "Outcome", "describe", "kind_of"]

WAIT_SECONDS = 86_400
"""How long a loosening waits, by the budget clock."""
MOST_VERSIONS = 1_000
"""How far above the version in force a later one may be."""
_TWO = 2


@dataclass(frozen=True)
class Outcome:
    """What became of a change.

    Attributes:
        state: ``in force``, ``waiting``, ``withdrawn``, ``answering``, ``marked``, ``declined`` or ``not accepted``.
        version: of the document, 0 where there is none.
        effective: when a waiting change takes effect, seconds since 1970; 0 otherwise.
        loosened: in plain English, what it loosens.
    """

    state: str
    sha256: str = ""
    version: int = 0
    effective: int = 0
    loosened: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The outcome as JSON data."""
        return {**self.__dict__, "loosened": list(self.loosened)}

    @classmethod
    def from_document(cls, data: Mapping[str, Any]) -> Outcome:
        """Read what ``document`` made."""
        return cls(**{**data, "loosened": tuple(data.get("loosened", ()))})


def kind_of(data: bytes) -> Governed:
    """Whether an envelope holds a policy or a list of people; signatures are not looked at.

    Raises:
        TrustQueryError: ``policy-signature``.
    """
    try:
        found = json.loads(data)
        tag = found["payloadType"]
    except (ValueError, TypeError, KeyError) as error:
        raise TrustQueryError("policy-signature", document="document", problem="it is not a signed document") from error
    if tag == payload_type("policy"):
        return "policy"
    if tag == payload_type("governance"):
        return "governance"
    raise TrustQueryError("policy-signature", document="document", problem="it is no policy and no list of people")


def _loosened_by(store: PolicyStore, policy: Policy) -> tuple[str, ...]:
    """In plain English, what a policy loosens beside the one in force; nothing where it only tightens."""
    try:
        in_force = store.policy()
    except TrustQueryError:
        # Damaged, or of a format that this version no longer reads: what cannot be compared is no tightening.
        return ("The policy in force cannot be read here, so nothing proves that this one only tightens.",)
    return tuple(change.sentence for change in compare(in_force, policy).loosened)


def _read_list(store: PolicyStore, data: bytes, listed: GovernanceList) -> tuple[GovernanceList, Envelope]:
    try:
        envelope = Envelope.decode(data, kind=GovernanceList.KIND)
        envelope.signers(listed.ring)
        new = GovernanceList.from_payload(envelope.payload)
    except TrustQueryError as error:
        problem = error.problem.fields.get("problem", "it cannot be read")
        raise TrustQueryError("policy-signature", document="governance list", problem=problem) from error
    if new.trust != store.node:
        raise TrustQueryError("policy-signature", document="governance list", problem="it is for another trust")
    return new, envelope


def describe(store: PolicyStore, item: Waiting) -> Outcome:
    """What waits, when it takes effect, and what it loosens beside what is in force now."""
    try:
        data = store.waiting_file(item).read_bytes()
        listed = store.governance
        if item.kind == "policy":
            words = _loosened_by(store, store.read_policy(data, listed, 1))
        else:
            words = loosenings(listed, _read_list(store, data, listed)[0])
    except (OSError, TrustQueryError):
        words = ("It can no longer be read or verified, so it will not take effect.",)
    return Outcome("waiting", item.sha256, item.version, item.lodged + WAIT_SECONDS, words)


@dataclass
class Office:
    """The one who changes what the store reads.

    Args:
        store: reads the documents.
        book: enters them.
        wall: whole seconds since 1970; the budget clock never goes back behind the last entry.
        log: local log.
    """

    store: PolicyStore
    book: Book
    wall: Callable[[], int]
    log: Callable[..., None] = field(default=lambda event, **facts: None)

    def __post_init__(self) -> None:
        self._adopt()

    def _adopt(self) -> None:
        """Trust on first use: from now on the first list is the one that the ledger has seen.

        A node that has only just joined may have none yet. Then nobody decides, so there is no policy and no answer.
        """
        if self.book.in_force("governance", self.store.node) is not None:
            return
        try:
            first = self.store.governance
        except TrustQueryError as error:
            if error.code != "config-missing":
                raise
            return
        self.book.put_in_force("governance", self.store.node, first.version, first.sha256, 1, self.wall())

    # -- policies and lists of people ------------------------------------------------------------------------------

    def activate(self, data: bytes) -> Outcome:
        """Put a signed policy, or list of people, in force: at once where that only tightens, else in 24 hours.

        Raises:
            TrustQueryError: ``policy-signature``, ``policy-two-people``, ``policy-document-stale``, ``policy-invalid``,
                ``ledger-unwritable``.
        """
        self._adopt()
        return self._policy(data) if kind_of(data) == "policy" else self._people(data)

    def _policy(self, data: bytes) -> Outcome:
        listed = self.store.governance
        policy = self.store.read_policy(data, listed, 1)
        pin = self.book.in_force("policy", self.store.node)
        if pin is not None and (pin.version, pin.sha256) == (policy.version, policy.sha256):
            self._restore(data, policy.version)
            return Outcome("in force", policy.sha256, policy.version)
        if pin is not None and policy.version <= pin.version:
            raise TrustQueryError("policy-document-stale", document="policy")
        if pin is not None and policy.version > pin.version + MOST_VERSIONS:
            # One person may tighten: they must not use up all later versions with it.
            problem = f"it is more than {MOST_VERSIONS} above version {pin.version}, which is in force"
            raise TrustQueryError("policy-invalid", place="version", problem=problem)
        loosened = _loosened_by(self.store, policy) if pin is not None else ()
        signers = Envelope.decode(data, kind=Policy.KIND).signers(listed.ring)
        if loosened or pin is None:
            self._require_two(signers, listed, "policy")
        if loosened and pin is not None:
            return self._lodge("policy", policy.version, policy.sha256, data, loosened)
        self._take_policy(policy, data, listed)
        return Outcome("in force", policy.sha256, policy.version)

    def _restore(self, data: bytes, version: int) -> None:
        """The very text in force, once more: what is signed again replaces a file that was lost."""
        replace_file(self.store.policy_file(version), data)

    def _take_policy(self, policy: Policy, data: bytes, listed: GovernanceList) -> None:
        # The file first: a ledger that names a document nobody has would answer nothing.
        replace_file(self.store.policy_file(policy.version), data)
        self.book.put_in_force("policy", self.store.node, policy.version, policy.sha256, listed.version, self.wall())
        self.log("policy", version=policy.version, sha256=policy.sha256)

    def _people(self, data: bytes) -> Outcome:
        now_listed = self.store.governance
        new, envelope = _read_list(self.store, data, now_listed)
        if new == now_listed:
            return Outcome("in force", new.sha256, new.version)
        self._require_two(envelope.signers(now_listed.ring), now_listed, "governance list")
        if new.version != now_listed.version + 1 or new.previous != now_listed.sha256:
            raise TrustQueryError("policy-document-stale", document="governance list")
        loosened = loosenings(now_listed, new)
        if loosened:
            return self._lodge("governance", new.version, new.sha256, data, loosened)
        self._take_people(new, data, now_listed)
        return Outcome("in force", new.sha256, new.version)

    def _take_people(self, new: GovernanceList, data: bytes, signed_under: GovernanceList) -> None:
        self.store.lists.keep(new, data)
        self.book.put_in_force(
            "governance", self.store.node, new.version, new.sha256, signed_under.version, self.wall()
        )
        self.log("governance people", version=new.version, people=[item.person for item in new.people])

    @staticmethod
    def _require_two(signers: frozenset[str], listed: GovernanceList, document: str) -> None:
        needed = max(_TWO, listed.threshold)
        if len(signers) < needed:
            raise TrustQueryError("policy-two-people", document=document, needed=needed, found=len(signers))

    # -- waiting ---------------------------------------------------------------------------------------------------

    def _lodge(self, kind: Governed, version: int, sha256: str, data: bytes, loosened: tuple[str, ...]) -> Outcome:
        replace_file(self.store.waiting_file(Waiting(sha256, kind, version, 0)), data)
        found = self.book.lodge(kind, version, sha256, self.wall())
        effective = found.lodged + WAIT_SECONDS
        if self.book.clock(self.wall()) >= effective:
            self.take_due()
            return Outcome("in force", sha256, version)
        self.log("change lodged", kind=kind, version=version, effective=effective)
        return Outcome("waiting", sha256, version, effective, loosened)

    def take_due(self) -> tuple[Outcome, ...]:
        """Put in force what has waited long enough. What no longer verifies, by the people of today, is withdrawn."""
        self._adopt()
        done = []
        for item in self.book.waiting():
            if self.book.clock(self.wall()) < item.lodged + WAIT_SECONDS:
                continue
            try:
                self._take_waiting(item)
                done.append(Outcome("in force", item.sha256, item.version))
            except (OSError, TrustQueryError) as error:
                if isinstance(error, TrustQueryError) and error.code.startswith("ledger-"):
                    raise
                self.log("change withdrawn", kind=item.kind, version=item.version)
                self.book.withdraw(item.sha256, self.wall())
                done.append(Outcome("withdrawn", item.sha256, item.version))
        return tuple(done)

    def _take_waiting(self, item: Waiting) -> None:
        data = self.store.waiting_file(item).read_bytes()
        listed = self.store.governance
        signers = Envelope.decode(data, kind=item.kind).signers(listed.ring)
        self._require_two(signers, listed, item.kind)
        if item.kind == "policy":
            policy = self.store.read_policy(data, listed, listed.threshold)
            if policy.sha256 != item.sha256:
                raise TrustQueryError("policy-signature", document="policy", problem="it is not the one lodged")
            self._take_policy(policy, data, listed)
        else:
            new, _ = _read_list(self.store, data, listed)
            if new.sha256 != item.sha256 or new.previous != listed.sha256:
                raise TrustQueryError("policy-signature", document="governance list", problem="it was not lodged")
            self._take_people(new, data, listed)

    # -- orders and marks --------------------------------------------------------------------------------------------

    def obey(self, data: bytes) -> Outcome:
        """Do what an order says: resume takes two people, withdrawing one.

        Raises:
            TrustQueryError: ``policy-signature``, ``policy-two-people``, ``policy-not-waiting``,
                ``policy-document-stale``: about a stop that is not the last; ``ledger-unwritable``.
        """
        listed = self.store.governance
        try:
            order, signers, _ = Order.verify(data, listed.ring, 1)
        except TrustQueryError as error:
            problem = error.problem.fields.get("problem", "it cannot be read")
            raise TrustQueryError("policy-signature", document="order", problem=problem) from error
        if (order.federation, order.node) != (self.store.federation, self.store.node):
            raise TrustQueryError("policy-signature", document="order", problem="it is for another trust or federation")
        if order.act == "withdraw":
            self.book.withdraw(order.about, self.wall())
            return Outcome("withdrawn", order.about)
        self._require_two(signers, listed, "order to resume")
        mark = self.note_marks()
        if mark is None or mark.kind == "resumed" or mark.sha256 != order.about:
            raise TrustQueryError("policy-document-stale", document="order")
        self.book.note("resumed", self.wall())
        # The entry first: after a crash in between the files still stop the trust.
        self.store.marks.clear()
        self.store.look_at_mark()
        self.log("resumed")
        return Outcome("answering")

    def decline(self, project: str) -> Outcome:
        """Take back a yes to a project: its file goes, and the ledger keeps a copy of it from counting again.

        Raises:
            TrustQueryError: ``ledger-unwritable``: the file is gone, but a copy of it would count.
        """
        given = self.store.given(project)
        found = self.store.remove_acceptance(project)
        if given is not None:
            self.book.decline(project, *given, self.wall())
            self.log("acceptance declined", project=project)
        return Outcome("declined" if found else "not accepted")

    def note_marks(self) -> Mark | None:
        """Enter a mark that somebody made since; returns the last word on stopping.

        The mark itself did not wait for this: it held from the moment it was made.
        """
        found, last = self.store.marks.found(), self.book.mark()
        # A folder that cannot be looked at stops the trust for as long as that lasts: nobody decided anything.
        wanted = {"stop": "stopped", "pause": "paused"}.get(found)
        # A pause adds nothing to a stop.
        if wanted is None or (last is not None and last.kind in (wanted, "stopped")):
            return last
        noted = self.book.note("stopped" if wanted == "stopped" else "paused", self.wall())
        self.store.look_at_mark()
        self.log(noted.kind)
        return noted

"""Two people let a node in, and two resolve a suspected clone: each signs, and nobody counts twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coordinator.store import AdmissionRow, NodeRow, Store, User
from trustquery.access import Actor, Resource, may
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, SigningKey, key_id
from trustquery.identity.admission import Act, Admission, enrolment_sha256

__all__ = ["NEEDED", "Deciding"]

NEEDED = 2
ACTION = "node.approve"


@dataclass(frozen=True)
class Deciding:
    """Takes what people at the centre sign about nodes."""

    store: Store
    federation: str
    clock: Callable[[], int]

    def about(self, ods: str, act: Act) -> str:
        """The hash that a yes must name now.

        Raises:
            TrustQueryError: ``node-unknown``: nothing waits there.
        """
        if act == "resolve-clone":
            incident = self.store.admissions.incident(ods)
            if not incident:
                raise TrustQueryError("node-unknown", node=ods)
            return incident
        return self.enrolment(self.pending(ods))

    def pending(self, ods: str) -> NodeRow:
        """The node that waits to be admitted.

        Raises:
            TrustQueryError: ``node-unknown``.
        """
        row = self.store.nodes.get(ods)
        if row is None or row.status != "pending":
            raise TrustQueryError("node-unknown", node=ods)
        return row

    def enrolment(self, row: NodeRow) -> str:
        """The hash of one enrolment."""
        return enrolment_sha256(row.ods, row.identity_key, row.tls_key_sha256, row.words, row.code_hash)

    def draft(self, ods: str, act: Act) -> Admission:
        """What a person signs to say yes."""
        about = self.about(ods, act)
        return Admission(federation=self.federation, node=ods, act=act, about=about, decided=self.clock())

    def take(self, data: bytes, *, by: str = "", node: str = "") -> tuple[Admission, int]:
        """Take one signed yes in.

        Args:
            data: the envelope, with one signature.
            by: the person who is signed in, where that is known: nobody hands in another's.
            node: whom the request names, where it does.

        Returns:
            What was decided, and how many different persons have said so who still may.

        Raises:
            TrustQueryError: ``auth-document``, ``node-unknown``, ``auth-not-permitted``, ``node-one-person``.
        """
        envelope = Envelope.decode(data, kind=Admission.KIND)
        found = Admission.from_payload(envelope.payload)
        if node not in ("", found.node):
            raise TrustQueryError("auth-document", document=Admission.KIND, problem="it is about another node")
        if found.federation != self.federation or found.about != self.about(found.node, found.act):
            raise TrustQueryError("auth-document", document=Admission.KIND, problem="it is about another enrolment")
        person = self._signer(envelope)
        if by not in ("", person):
            raise TrustQueryError("auth-not-permitted", action=ACTION, why="somebody else signed it")
        self._check(person, found)
        kept = AdmissionRow(about=found.about, person=person, ods=found.node, envelope=data, at=self.clock())
        what = "the enrolment" if found.act == "admit" else "going on after a suspected clone"
        if not self.store.admissions.decide(kept, f"{person} approved {what}."):
            raise TrustQueryError("node-one-person", person=person, node=found.node)
        return found, len(self.agreed(found))

    def agreed(self, found: Admission) -> list[str]:
        """Persons who said yes and still may: what was taken from somebody since counts."""
        return [person for person in self.store.admissions.deciders(found.about) if self._why_not(person, found) == ""]

    def account(self, person: str, key: SigningKey) -> None:
        """Refuse a key that is not this person's, before anything is signed with it.

        Raises:
            TrustQueryError: ``auth-not-permitted``.
        """
        if self._person_of({key.key_id}) != person:
            raise TrustQueryError("auth-not-permitted", action=ACTION, why=f"the key is of no account of {person}")

    def require_two(self, people: Sequence[tuple[str, SigningKey]]) -> None:
        """Refuse unless these are two different people who may admit nodes, each with a key of their own account.

        Raises:
            TrustQueryError: ``auth-not-permitted``.
        """
        names = [person for person, _ in people]
        why = "" if len(set(names)) == NEEDED == len(names) else "it takes two different people"
        if not why and self._one_in_fact(*names):
            why = "who stands in for the other one who decides does not decide as well"
        for person, key in people:
            self.account(person, key)
            actor = Actor(person, self.store.roles.given(person), self.store.roles.deputises(person))
            ruling = may(actor, ACTION, Resource())
            why = why or ("" if ruling.allowed else ruling.reason)
        if why:
            raise TrustQueryError("auth-not-permitted", action=ACTION, why=why)

    # -- who that is ---------------------------------------------------------------------------------------------

    def _signer(self, envelope: Envelope) -> str:
        """The person whose account's key has signed; exactly one signature, by an account that is not disabled."""
        users = {key_id(bytes.fromhex(user.public_key)): bytes.fromhex(user.public_key) for user in self._users()}
        signers = envelope.signers(users)
        if len(envelope.signatures) != 1 or len(signers) != 1:
            raise TrustQueryError("auth-document", document=Admission.KIND, problem="no account's key has signed it")
        return self._person_of(set(signers))

    def _users(self) -> list[User]:
        return [user for user, _ in self.store.roles.accounts() if not user.disabled]

    def _person_of(self, keys: set[str]) -> str:
        for user, account in self.store.roles.accounts():
            if not user.disabled and key_id(bytes.fromhex(user.public_key)) in keys:
                return account.person
        return ""

    def _check(self, person: str, found: Admission) -> None:
        why = self._why_not(person, found)
        if why:
            raise TrustQueryError("auth-not-permitted", action=ACTION, why=why)
        others = [other for other in self.agreed(found) if other != person]
        if any(self._one_in_fact(person, other) for other in others):
            why = "who stands in for the other one who approves does not approve as well"
            raise TrustQueryError("auth-not-permitted", action=ACTION, why=why)

    def _why_not(self, person: str, found: Admission) -> str:
        if not any(account.person == person and not user.disabled for user, account in self.store.roles.accounts()):
            return "no account of theirs is in use"
        actor = Actor(person, self.store.roles.given(person), self.store.roles.deputises(person))
        ruling = may(actor, ACTION, Resource(node=found.node))
        if not ruling.allowed:
            return ruling.reason
        if found.act == "admit":
            row = self.store.nodes.get(found.node)
            inviter = self.store.admissions.inviter(row.code_hash) if row is not None else ""
            if inviter and (person == inviter or self._one_in_fact(person, inviter)):
                return "whoever made the invitation does not approve what comes of it"
        return ""

    def _one_in_fact(self, one: str, other: str) -> bool:
        """Whether either stands in for the other."""
        return other in self.store.roles.deputises(one) or one in self.store.roles.deputises(other)

"""Checking an exported register without its publisher: every entry against the signatures that it carries.

Nothing here trusts the coordinator. The root of trust is the federation's root.json, which reaches people another way;
it signs the rosters, which name the committee and the trusts' keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, Root, Roster, ring_of
from trustquery.identity.federation import ROSTER_MAX_SECONDS
from trustquery.identity.rotation import roots_of
from trustquery.projects.application import Application
from trustquery.projects.decisions import CloseDown, Decision, Stance
from trustquery.projects.permits import check_drawn_from
from trustquery.projects.register import TrustLine, hdr_uk, own_cells, trust_line

__all__ = ["FORMAT", "UNCHECKED", "About", "Finding", "verify_register"]

FORMAT = "tq-register-2"
UNCHECKED = (
    "that nothing is missing: a project, a stance or a decision that the export leaves out is not seen here",
    "when a permit was signed: a signature has no date, so the latest approval date is the coordinator's word",
    "the state, the record of events and what was charged: the coordinator's word; each trust's own ledger decides",
    "what people meant: a signature says who agreed to a text, not that the text is true",
)
"""What ``verify_register`` cannot find out, in words."""

About = Literal["register", "roster", "application", "permit", "stance", "decision", "row"]
Read = TypeVar("Read")


@dataclass(frozen=True)
class Finding:
    """What was found about one thing of one project.

    Attributes:
        project: "" for the register as a whole.
        holds: whether it is as it should be.
    """

    project: str
    about: About
    holds: bool
    text: str


def verify_register(document: Mapping[str, Any], root: Root) -> tuple[Finding, ...]:
    """Check every entry of an exported register.

    Args:
        document: the JSON export, as data.
        root: the federation's trust anchor, which came another way; the export carries the roots that follow it.

    Raises:
        TrustQueryError: ``auth-document``: it is no register of this federation.
    """
    entries, envelopes, chain = document.get("entries"), document.get("rosters"), document.get("roots")
    if not (isinstance(entries, list) and isinstance(envelopes, list) and isinstance(chain, list)):
        raise _wrong("register", f"it is not of the format {FORMAT}")
    if document.get("format") != FORMAT:
        raise _wrong("register", f"it is not of the format {FORMAT}")
    if document.get("federation") != root.federation:
        raise _wrong("register", "it is another federation's")
    rosters, found = _rosters(envelopes, roots_of(root, [str(item).encode() for item in chain]))
    seen: set[str] = set()
    for entry in entries:
        checks = _Checks(
            str(entry.get("project", ""))[:64] if isinstance(entry, dict) else "", root.federation, rosters
        )
        if checks.project in seen:
            checks.fault("register", "the project is there twice")
        seen.add(checks.project)
        try:
            checks.entry(entry)
        except (KeyError, TypeError, ValueError, AttributeError):
            checks.fault("register", "the entry has another form")
        found.extend(checks.found)
    return tuple(found)


def _wrong(document: str, problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", document=document, problem=problem)


def _rosters(envelopes: Sequence[object], roots: Sequence[Root]) -> tuple[list[Roster], list[Finding]]:
    """The rosters that the roots of their time signed: after a root has signed one, no earlier root signs a later."""
    read: list[tuple[Roster, int]] = []
    found = []
    for envelope in envelopes:
        try:
            read.append(_roster(str(envelope).encode(), roots))
        except TrustQueryError as error:
            found.append(Finding("", "roster", False, error.problem.reason))
    read.sort(key=lambda item: item[0].version)
    rosters, newest = [], 0
    for roster, place in read:
        if place < newest:
            found.append(Finding("", "roster", False, f"version {roster.version} is signed by a root that had ended"))
            continue
        newest = place
        rosters.append(roster)
    versions = ", ".join(str(version) for version in sorted(roster.version for roster in rosters))
    text = f"signed by the root: version {versions}" if rosters else "there is none that the root signed"
    return rosters, [*found, Finding("", "roster", bool(rosters), text)]


def _roster(data: bytes, roots: Sequence[Root]) -> tuple[Roster, int]:
    """A roster, and the place of the newest root that signed it."""
    for place in reversed(range(len(roots))):
        try:
            roster, _, _ = Roster.verify(data, roots[place].ring, roots[place].threshold)
        except TrustQueryError:
            if place == 0:
                raise
            continue
        if roster.federation != roots[place].federation:
            raise _wrong("roster", "it is another federation's")
        return roster, place
    raise _wrong("roster", "there is no root")


class _Checks:
    """The checks of one entry, and what they found."""

    def __init__(self, project: str, federation: str, rosters: Sequence[Roster]) -> None:
        self.project = project
        self.found: list[Finding] = []
        self._federation = federation
        self._rosters = rosters

    def fault(self, about: About, text: str) -> None:
        self.found.append(Finding(self.project, about, False, text))

    def _try(self, about: About, good: str, read: Callable[..., Read], *given: object) -> Read | None:
        try:
            found = read(*given)
        except TrustQueryError as error:
            self.fault(about, error.problem.reason)
            return None
        self.found.append(Finding(self.project, about, True, good))
        return found

    def _ours(self, document: Application | Permit | Stance | Decision | CloseDown) -> None:
        if (document.federation, document.project) != (self._federation, self.project):
            raise _wrong(document.KIND, "it is another project's")

    def entry(self, entry: Mapping[str, Any]) -> None:
        """Everything about the entry, in the order in which one thing rests on another."""
        documents, columns, trusts = entry["documents"], entry["columns"], entry["trusts"]
        application = None
        if documents["application"]:
            signed = str(documents["application"]).encode()
            application = self._try("application", "signed by a project lead", self._application, signed)
        else:
            self.fault("application", "the export carries none, so what was asked for cannot be checked")
        envelope = str(documents["permit"]).encode()
        good = "signed by the committee, and it says what the application says"
        permit = self._try("permit", good, self._permit, envelope, application)
        if permit is None:
            return
        stances = []
        for item in documents["stances"]:
            signed = str(item).encode()
            stance = self._try(
                "stance", "signed by the trust's node", lambda signed=signed: self._stance(signed, permit)
            )
            if stance is not None:
                stances.append(stance)
        outputs = self._decisions(documents["decisions"], permit, application)
        remade = self._row(application, permit, stances, outputs, columns, trusts)
        wrong = sorted(name for name in remade.keys() | columns.keys() if columns.get(name) != remade.get(name))
        if wrong:
            self.fault("row", f"these columns say something else than the signed documents: {', '.join(wrong)}")
        else:
            self.found.append(Finding(self.project, "row", True, f"{len(remade)} columns say what the documents say"))

    def _application(self, data: bytes) -> Application:
        application = Application.read_signed(data)
        self._ours(application)
        return application

    def _permit(self, data: bytes, application: Application | None) -> Permit:
        """The permit, signed by the committee of a roster of its time, none of whom is on the project's team."""
        permit = Permit.read(data)
        self._ours(permit)
        near = [
            roster
            for roster in self._rosters
            if roster.issued < permit.expires and roster.expires > permit.valid_from - ROSTER_MAX_SECONDS
        ]
        for roster in near:
            try:
                _, signers, _ = Permit.verify(data, roster.committee_ring, roster.committee_threshold)
            except TrustQueryError:
                continue
            if signers & ring_of(member.key for member in permit.members).keys():
                raise _wrong("permit", "somebody on the project's team signed it")
            break
        else:
            raise _wrong("permit", "no roster of its time names a committee that signed it")
        if application is not None:
            check_drawn_from(permit, application)
        return permit

    def _stance(self, data: bytes, permit: Permit) -> Stance:
        stance = Stance.read(data)
        self._ours(stance)
        if stance.permit_hash != permit.sha256:
            raise _wrong("stance", "it is about another permit")
        if not (keys := self._node_keys(stance.node, stance.said)):
            raise _wrong("stance", "its trust was on no roster when it said so")
        Stance.verify(data, keys, 1)
        return stance

    def _node_keys(self, node: str, at: int) -> dict[str, bytes]:
        entries = [roster.node(node) for roster in self._rosters if roster.issued <= at + 300 and at < roster.expires]
        return ring_of(entry.key for entry in entries if entry is not None)

    def _decisions(self, envelopes: Sequence[object], permit: Permit, application: Application | None) -> list[str]:
        """Check what was decided besides; returns the outputs that a close-down report names."""
        outputs: list[str] = []
        leads = {member.key for member in permit.members if member.role == "lead"}
        if application is not None:
            leads |= application.leads()
        ring = ring_of(leads)
        committee = {name: key for roster in self._rosters for name, key in roster.committee_ring.items()}

        def closing(data: bytes) -> CloseDown:
            found, _, _ = CloseDown.verify(data, ring, 1)
            self._ours(found)
            return found

        def deciding(data: bytes) -> Decision:
            found, _, _ = Decision.verify(data, committee, 1)
            self._ours(found)
            return found

        for item in envelopes:
            data = str(item).encode()
            if _is(CloseDown.KIND, data):
                closed = self._try("decision", "closed by a lead", closing, data)
                outputs += closed.outputs if closed is not None else ()
            else:
                self._try("decision", "signed by a committee member", deciding, data)
        return outputs

    def _row(
        self,
        application: Application | None,
        permit: Permit,
        stances: Sequence[Stance],
        outputs: Sequence[str],
        columns: Mapping[str, str],
        trusts: Sequence[Mapping[str, Any]],
    ) -> dict[str, str]:
        """The row as the documents make it; the approval date, the state and what was spent are taken as shown."""
        by_node = {stance.node: stance for stance in sorted(stances, key=lambda item: item.said)}
        if set(by_node) - {str(item["node"]) for item in trusts}:
            self.fault("stance", "the row leaves out a trust that has a stance")
        lines = []
        for item in trusts:
            node, stance = str(item["node"]), by_node.get(str(item["node"]))
            if stance is None:
                lines.append(TrustLine(node, str(item["name"]), spent=int(item["spent_rho_nano"])))
            else:
                lines.append(trust_line(permit, stance, str(item["name"]), int(item["spent_rho_nano"])))
        approved = columns["Latest approval date"]
        own = own_cells(
            permit,
            state=columns["State"],
            trusts=lines,
            permit_hash=permit.sha256,
            application_hash=permit.application,
        )
        return hdr_uk(application, permit, approved=approved, outputs=outputs) | own


def _is(kind: str, data: bytes) -> bool:
    try:
        Envelope.decode(data, kind=kind)
    except TrustQueryError:
        return False
    return True

"""The enrolment desk. It opens the transport to a node; only the root-signed roster makes a node's answers count."""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from coordinator.enrolment.deciding import NEEDED, Deciding
from coordinator.store import NodeRow, Store
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, new_secret, verify, words_for
from trustquery.identity.certificates import Authority, public_key_sha256, spiffe_name
from trustquery.protocol.enrolment import EnrolmentCode, proof_message

__all__ = ["LONGEST_CODE_SECONDS", "SHORTEST_CODE_SECONDS", "Desk"]

SHORTEST_CODE_SECONDS = 15 * 60
LONGEST_CODE_SECONDS = 7 * 86_400

_ODS = re.compile(r"[A-Z0-9]{3,8}")
_KEY = re.compile(r"[0-9a-f]{64}")


@functools.cache
def _word_list() -> tuple[str, ...]:
    from mnemonic import Mnemonic

    return tuple(Mnemonic("english").wordlist)


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


@dataclass(frozen=True)
class Desk:
    """Invites, receives, approves and revokes nodes."""

    store: Store
    root: Root
    authority: Authority
    public_api: str
    clock: Callable[[], int]
    certificate_seconds: int = 7 * 86_400

    @property
    def deciding(self) -> Deciding:
        """Where people's approvals are taken."""
        return Deciding(self.store, self.root.federation, self.clock)

    def authority_sha256(self) -> str:
        """Print of the authority's certificate: what codes pin."""
        der = x509.load_pem_x509_certificate(self.authority.certificate_pem).public_bytes(Encoding.DER)
        return hashlib.sha256(der).hexdigest()

    def invite(self, ods: str, name: str, seconds: int, *, by: str = "") -> str:
        """A new code for one trust; earlier unused ones stop working.

        Args:
            seconds: how long it may be used, 15 minutes to 7 days.
            by: the person who invites, "" where nobody says; they do not approve what comes of it. It is the word of
                whoever has the shell: nothing is opened by it, so nobody signs it.

        Raises:
            TrustQueryError: ``usage-invalid`` for what is not an ODS code, another time, or nobody known.
        """
        if not SHORTEST_CODE_SECONDS <= seconds <= LONGEST_CODE_SECONDS:
            raise TrustQueryError("usage-invalid", place="--minutes", problem="a code lives 15 minutes to 7 days")
        if by and not self.store.roles.given(by):
            raise TrustQueryError("usage-invalid", place="--as", problem=f"there is no person {by} with a role")
        if not _ODS.fullmatch(ods):
            raise TrustQueryError("usage-invalid", place="ODS", problem=f"{ods} is not an ODS code such as RX1")
        code = EnrolmentCode(ods, self.public_api, new_secret(16).hex(), self.authority_sha256()).text
        self.store.nodes.invite(_hash(code), ods, name, self.clock() + seconds)
        if by:
            self.store.admissions.invited_by(_hash(code), by)
        said = f", who named {by} as the one who invites (unsigned)" if by else ""
        self.store.admissions.note(ods, self.clock(), "invited", f"The operator made an enrolment code{said}.")
        return code

    def enrol(self, code_text: str, *, ods: str, name: str, identity_key: str, request_pem: str, proof: str) -> NodeRow:
        """Take a node's request in as pending.

        Raises:
            TrustQueryError: ``node-code-invalid``; the same for every way in which a code can be wrong.
        """
        code = EnrolmentCode.parse(code_text)
        refused = TrustQueryError("node-code-invalid", ods=code.ods)
        if code.ods != ods or not _KEY.fullmatch(identity_key):
            raise refused
        key = bytes.fromhex(identity_key)
        try:
            signature = bytes.fromhex(proof)
            tls_key = public_key_sha256(request_pem.encode())
        except ValueError as error:
            raise refused from error
        if not verify(key, proof_message(code, key, request_pem.encode()), signature):
            raise refused
        now = self.clock()
        row = NodeRow(
            ods=ods,
            name=name,
            identity_key=identity_key,
            request_pem=request_pem,
            tls_key_sha256=tls_key,
            certificate_pem="",
            serial="",
            status="pending",
            words=words_for(self.root, key, ods, code.text, _word_list()),
            enrolled=now,
            last_seen=0,
        )
        if not self.store.nodes.enrol(_hash(code.text), row, now):
            raise refused
        self.store.admissions.note(ods, now, "asked", f"A node asked to be let in with key {identity_key}.")
        return row

    def status(self, code_text: str, ods: str) -> NodeRow:
        """Where an enrolment stands, for the holder of its code.

        Raises:
            TrustQueryError: ``node-code-invalid``.
        """
        row = self.store.nodes.enrolled_by(_hash(code_text), ods, self.clock())
        if row is None:
            raise TrustQueryError("node-code-invalid", ods=ods if _ODS.fullmatch(ods) else "ODS")
        return row

    def approve(self, envelope: bytes, *, by: str = "", node: str = "") -> tuple[str, int]:
        """Take one person's signed yes; with the second, by somebody else, the node is admitted or may join again.

        Args:
            by: the person who is signed in, and ``node`` whom they say it is about; "" at the coordinator's own shell.

        Returns:
            The node, and how many more persons it takes: 0 when it was done.

        Raises:
            TrustQueryError: as ``Deciding.take``.
        """
        found, agreed = self.deciding.take(envelope, by=by, node=node)
        if agreed < NEEDED:
            return found.node, NEEDED - agreed
        if found.act == "admit":
            self._admit(found.node)
        elif not self.store.admissions.resolve(found.node, found.about, self.clock()):
            raise TrustQueryError("node-unknown", node=found.node)
        return found.node, 0

    def _admit(self, ods: str) -> None:
        row = self.deciding.pending(ods)
        pem, serial, ends = self._issue(row, row.request_pem.encode())
        if not self.store.nodes.approve(ods, pem, serial):
            raise TrustQueryError("node-unknown", node=ods)
        self.store.admissions.issued(ods, serial, ends, self.clock(), anew=True)

    def _issue(self, row: NodeRow, request_pem: bytes) -> tuple[str, str, int]:
        """A certificate for an enrolled key: PEM, serial, and when it ends."""
        pem = self.authority.issue_node(
            request_pem,
            uri=spiffe_name(self.root.federation, row.node),
            now=datetime.datetime.fromtimestamp(self.clock(), datetime.UTC),
            seconds=self.certificate_seconds,
        )
        made = x509.load_pem_x509_certificate(pem)
        return pem.decode("ascii"), f"{made.serial_number:x}", int(made.not_valid_after_utc.timestamp())

    def renew(self, node: str, request_pem: bytes) -> bytes:
        """A new certificate for the same key, for a node whose stream has proved who it is; PEM.

        Raises:
            TrustQueryError: ``auth-certificate``: it is not approved, or the request is for another key.
        """
        row = self.store.nodes.get(node)
        try:
            key = public_key_sha256(request_pem)
        except ValueError as error:
            raise TrustQueryError("auth-certificate") from error
        if row is None or row.status != "approved" or row.tls_key_sha256 != key:
            raise TrustQueryError("auth-certificate")
        pem, serial, ends = self._issue(row, request_pem)
        if not self.store.admissions.renewed(node, key, pem, serial, ends, self.clock()):
            raise TrustQueryError("auth-certificate")
        return pem.encode("ascii")

    def revoke(self, ods: str) -> None:
        """Cut a node off.

        Raises:
            TrustQueryError: ``node-unknown``.
        """
        if not self.store.nodes.revoke(ods):
            raise TrustQueryError("node-unknown", node=ods)
        self.store.admissions.note(ods, self.clock(), "revoked", "The operator cut it off.")

    def anchor(self, grpc_address: str, websocket_address: str = "") -> dict[str, Any]:
        """What a newcomer fetches first and checks against the prints it was given."""
        return {
            "ca_pem": self.authority.certificate_pem.decode("ascii"),
            "root": self.root.payload().decode("utf-8"),
            "grpc_address": grpc_address,
            "websocket_address": websocket_address,
        }

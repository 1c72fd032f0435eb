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

from coordinator.store import NodeRow, Store
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, new_secret, verify, words_for
from trustquery.identity.certificates import Authority, public_key_sha256, spiffe_name
from trustquery.protocol.enrolment import EnrolmentCode, proof_message

__all__ = ["Desk"]

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

    def authority_sha256(self) -> str:
        """Print of the authority's certificate: what codes pin."""
        der = x509.load_pem_x509_certificate(self.authority.certificate_pem).public_bytes(Encoding.DER)
        return hashlib.sha256(der).hexdigest()

    def invite(self, ods: str, name: str, seconds: int) -> str:
        """A new code for one trust; earlier unused ones stop working.

        Args:
            seconds: how long it may be used, > 0.

        Raises:
            TrustQueryError: ``usage-invalid`` for what is not an ODS code.
        """
        if not _ODS.fullmatch(ods):
            raise TrustQueryError("usage-invalid", place="ODS", problem=f"{ods} is not an ODS code such as RX1")
        code = EnrolmentCode(ods, self.public_api, new_secret(16).hex(), self.authority_sha256()).text
        self.store.nodes.invite(_hash(code), ods, name, self.clock() + seconds)
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

    def approve(self, ods: str) -> NodeRow:
        """Issue the certificate of a pending node, whose words somebody has compared.

        Raises:
            TrustQueryError: ``node-unknown``.
        """
        row = self.store.nodes.get(ods)
        if row is None or row.status != "pending":
            raise TrustQueryError("node-unknown", node=ods)
        pem = self.authority.issue_node(
            row.request_pem.encode(),
            uri=spiffe_name(self.root.federation, row.node),
            now=datetime.datetime.fromtimestamp(self.clock(), datetime.UTC),
        )
        serial = f"{x509.load_pem_x509_certificate(pem).serial_number:x}"
        if not self.store.nodes.approve(ods, pem.decode("ascii"), serial):
            raise TrustQueryError("node-unknown", node=ods)
        found = self.store.nodes.get(ods)
        return found if found is not None else row

    def anchor(self, grpc_address: str) -> dict[str, Any]:
        """What a newcomer fetches first and checks against the prints it was given."""
        return {
            "ca_pem": self.authority.certificate_pem.decode("ascii"),
            "root": self.root.payload().decode("utf-8"),
            "grpc_address": grpc_address,
        }

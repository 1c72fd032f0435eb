"""Step 3: read the intent. An unknown field refuses; a release that is already here is not decided twice."""

from __future__ import annotations

from node_agent.gate.case import Asked, Case, KnownReleaseError
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Intent

__all__ = ["read", "run"]


def read(case: Case) -> None:
    """Fill in the intent; nothing is believed yet.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    case.intent_envelope = Envelope.decode(case.offer.intent, kind=Intent.KIND)
    case.intent = Intent.from_payload(case.intent_envelope.payload)
    case.intent_hash = case.intent_envelope.sha256
    case.asked = Asked(
        case.intent.key_kind,
        case.intent.opt_out_treatment,
        case.intent.disclosure_profile,
        case.intent.min_trusts,
    )


def run(case: Case, ports: Ports) -> None:
    """Read the intent and look for its release in the ledger.

    Raises:
        TrustQueryError: ``auth-document``, ``node-release-conflict``.
        KnownReleaseError: the same release with the same intent.
    """
    read(case)
    known = ports.ledger.find(case.release_id)
    if known is not None:
        if known.intent_hash != case.intent_hash:
            raise TrustQueryError("node-release-conflict")
        raise KnownReleaseError

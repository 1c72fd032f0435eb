"""Step 9: was exactly this question answered before? Then the same vector leaves again, and costs the trust nothing.

Where its vector was erased, it is refused and nothing is charged: whoever asks for the stored one has not said that the
trust shall draw anew and be charged anew. `reuse: fresh` says so.
"""

from __future__ import annotations

import datetime
import hashlib

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical

__all__ = ["question_of", "run"]


def question_of(case: Case) -> str:
    """Hash of everything that makes two questions identical (privacy-rules.md section 5)."""
    facts = {
        "model": case.query.sha256,
        "plan": case.plan.sha256,
        "rho_nano": case.plan.rho_nano,
        "delta_atto": str(case.query.delta_atto),
        "mode": case.query.mode,
        "opt_out_treatment": case.asked.opt_out_treatment,
        "opt_out_list": case.opt_out_list,
        "disclosure_profile": case.asked.disclosure_profile,
        "data_version": case.data_version,
    }
    return hashlib.sha256(b"trustquery/question/v1" + canonical.encode(facts)).hexdigest()


def run(case: Case, ports: Ports) -> None:
    """Look the question up, unless a fresh draw is asked for.

    Raises:
        TrustQueryError: ``data-not-prepared``, ``budget-answer-erased``.
    """
    case.data_version = case.engine.data_version
    if case.data_version < 1:
        raise TrustQueryError("data-not-prepared")
    case.question = question_of(case)
    if case.intent.reuse == "stored" and case.query.mode == "local":
        case.stored_vector = ports.ledger.stored_vector(case.question)
        erased = ports.ledger.erased_day(case.question) if case.stored_vector is None else None
        if erased is not None:
            date = datetime.date(1970, 1, 1) + datetime.timedelta(erased)
            raise TrustQueryError("budget-answer-erased", date=date.isoformat())

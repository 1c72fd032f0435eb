"""One row of the public register: the columns of the HDR UK data use register, then our own, from signed documents.

What a row says is made from the documents by these functions alone, so that whoever has the documents can make the row
again and compare.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trustquery.identity import Permit, key_id
from trustquery.privacy.budget import NANO, epsilon_of
from trustquery.projects.application import Application
from trustquery.projects.decisions import Stance, Word
from trustquery.projects.questions import QUESTIONS

__all__ = [
    "ACCESS_TYPE",
    "COLUMNS",
    "HDR_UK",
    "MANDATORY",
    "OWN",
    "TrustLine",
    "hdr_uk",
    "iso_day",
    "own_cells",
    "rho_text",
    "said",
    "trust_line",
]

# The data use register's columns, in its order and its spelling.
HDR_UK = (
    "Project ID",
    "Organisation name",
    "Organisation ID",
    "Organisation sector",
    "Applicant name(s)",
    "Applicant ID",
    "Funders/ Sponsors",
    "DEA accredited researcher?",
    "Sub-licence arrangements (if any)?",
    "Project title",
    "Lay summary",
    "Public benefit statement",
    "Request category type",
    "Technical summary",
    "Other approval committees",
    "Project start date",
    "Project end date",
    "Latest approval date",
    "Dataset(s) name",
    "Data sensitivity level",
    "Legal basis for provision of data under Article 6",
    "Lawful conditions for provision of data under Article 9",
    "Common Law Duty of Confidentiality",
    "National data opt-out applied?",
    "Request frequency",
    "For linked datasets, specify how the linkage will take place",
    "Description of the confidential data being used",
    "Release/Access date",
    "Access type",
    "How has data been processed to enhance privacy?",
    "Link to research outputs",
)
MANDATORY = frozenset(
    {
        "Organisation name",
        "Project title",
        "Lay summary",
        "Public benefit statement",
        "Latest approval date",
        "Dataset(s) name",
        "Access type",
    }
)
OWN = (
    "State",
    "Privacy loss permitted at each trust (rho)",
    "Privacy loss permitted at each trust (epsilon at delta 1e-8)",
    "Privacy loss spent at each trust (rho)",
    "Privacy loss spent at each trust (epsilon at delta 1e-8)",
    "Trusts that accepted",
    "Trusts that declined",
    "Trusts that have not answered",
    "Permit hash",
    "Application hash",
)
COLUMNS = (*HDR_UK, *OWN)

ACCESS_TYPE = (
    "TRE (federated trusted research environment): a query runs inside each trust, and only totals with random noise "
    "leave it. Nobody gets access to records."
)
_NOT_STATED = "Not stated"
_NOT_KEPT = "Not recorded: the permit was approved before applications were kept"
_OPT_OUT = {
    "applied": "Yes",
    "exempt-with-basis": "No, under a legal basis",
    "synthetic-data": "Not applicable: made-up patients",
}
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _hides(character: str) -> bool:
    return character in _BIDI or (unicodedata.category(character) == "Cc" and character not in "\n\t")


def said(text: str) -> str:
    """A text as the public reads it: control and direction characters replaced, and words where nothing can be seen."""
    seen = "".join(
        character
        if character in "\n\t" or (unicodedata.category(character) != "Cc" and character not in _BIDI)
        else "�"
        for character in text.replace("\r\n", "\n")
    ).strip()
    visible = any(unicodedata.category(character)[0] not in "ZC" and character != "�" for character in seen)
    return seen if visible else _NOT_STATED


def iso_day(seconds: int) -> str:
    """A moment as its day: 2026-09-21."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()


def rho_text(rho_nano: int) -> str:
    """Rho in 1e-9 as a decimal number."""
    return f"{(Decimal(rho_nano) / NANO).normalize():f}"


def _listed(items: Sequence[str], nothing: str) -> str:
    return "; ".join(said(item) for item in items) or nothing


def _of_application(application: Application, outputs: Sequence[str]) -> dict[str, str]:
    """The columns that the application's questions fill."""
    found: dict[str, str] = {}
    for question in QUESTIONS:
        if question.column:
            value = getattr(application, question.name)
            found[question.column] = said(str(value)) if not isinstance(value, tuple) else ""
    sponsor = f"sponsor: {said(application.sponsor)}"
    basis = said(application.opt_out_basis)
    return found | {
        "Applicant name(s)": _listed([member.name for member in application.team], _NOT_STATED),
        "Funders/ Sponsors": f"{_listed(application.funders, _NOT_STATED)}; {sponsor}",
        "Other approval committees": _listed(application.other_committees, "None"),
        "Dataset(s) name": _listed(application.datasets, _NOT_STATED),
        "National data opt-out applied?": f"{_OPT_OUT[application.opt_out_treatment]}. {basis}",
        "Link to research outputs": _listed([*application.outputs, *outputs], "None yet"),
    }


def _of_permit(permit: Permit, outputs: Sequence[str]) -> dict[str, str]:
    """The same columns, as far as a permit fills them, for one whose application is not kept here."""
    lead = next((member for member in permit.members if member.role == "lead"), permit.members[0])
    basis = permit.lawful_basis
    return dict.fromkeys(HDR_UK, _NOT_KEPT) | {
        "Organisation name": said(lead.organisation),
        "Applicant name(s)": _listed([member.name for member in permit.members], _NOT_STATED),
        "Project title": said(permit.title),
        "Lay summary": said(permit.lay_summary),
        "Dataset(s) name": _listed(permit.datasets, _NOT_STATED),
        "Legal basis for provision of data under Article 6": said(basis.article_6),
        "Lawful conditions for provision of data under Article 9": said(basis.article_9),
        "Common Law Duty of Confidentiality": said(basis.common_law),
        "National data opt-out applied?": _OPT_OUT[permit.opt_out_treatment],
        "Link to research outputs": _listed(outputs, "None yet"),
    }


def hdr_uk(application: Application | None, permit: Permit, *, approved: str, outputs: Sequence[str]) -> dict[str, str]:
    """The columns of the HDR UK data use register, in order; no cell is empty.

    Args:
        application: the one that the permit approves; None where it is not kept.
        approved: day on which the newest permit was completed, as ``iso_day`` writes it.
        outputs: those that the close-down report names besides.
    """
    cells = _of_permit(permit, outputs) if application is None else _of_application(application, outputs)
    cells |= {
        "Project ID": permit.project,
        "Applicant ID": "; ".join(key_id(bytes.fromhex(member.key)) for member in permit.members),
        "Latest approval date": approved,
        "Release/Access date": iso_day(permit.valid_from),
        "Access type": ACCESS_TYPE,
    }
    return {column: cells[column] for column in HDR_UK}


@dataclass(frozen=True)
class TrustLine:
    """What one trust says of a project's permit in use, and what the project has cost there.

    Attributes:
        word: None where the trust has not answered.
        permitted: the smaller of the permit's and the trust's own cap, in 1e-9 rho; 0 unless it accepted.
        spent: what all of the project's questions were charged there, in 1e-9 rho, by the answers that it signed.
    """

    node: str
    name: str
    word: Word | None = None
    conditions: tuple[str, ...] = ()
    reason: str = ""
    permitted: int = 0
    spent: int = 0


def trust_line(permit: Permit, stance: Stance, name: str, spent: int) -> TrustLine:
    """A trust's line from its stance on the permit in use.

    Args:
        spent: in 1e-9 rho.
    """
    permitted = min(permit.rho_nano, stance.rho_nano)
    return TrustLine(stance.node, name, stance.word, stance.conditions, stance.reason, permitted, spent)


def own_cells(
    permit: Permit, *, state: str, trusts: Sequence[TrustLine], permit_hash: str, application_hash: str
) -> dict[str, str]:
    """Our own columns, in order; no cell is empty."""
    accepted = [line for line in trusts if line.word in ("accepted", "accepted-with-conditions")]
    declined = [line for line in trusts if line.word == "declined"]
    silent = [line for line in trusts if line.word is None]
    spent = [line for line in trusts if line.spent]
    most = f"at most {rho_text(permit.rho_nano)}, no trust has accepted"
    most_epsilon = f"at most {epsilon_of(permit.rho_nano)}, no trust has accepted"
    cells = (
        state,
        "; ".join(f"{line.node} {rho_text(line.permitted)}" for line in accepted) or most,
        "; ".join(f"{line.node} {epsilon_of(line.permitted)}" for line in accepted) or most_epsilon,
        "; ".join(f"{line.node} {rho_text(line.spent)}" for line in spent) or "0",
        "; ".join(f"{line.node} {epsilon_of(line.spent)}" for line in spent) or "0",
        "; ".join(_accepted(line) for line in accepted) or "None",
        "; ".join(f"{line.node} {said(line.name)}: {said(line.reason)}" for line in declined) or "None",
        "; ".join(f"{line.node} {said(line.name)}" for line in silent) or "None",
        permit_hash,
        application_hash,
    )
    return dict(zip(OWN, cells, strict=True))


def _accepted(line: TrustLine) -> str:
    conditions = "; ".join(said(condition) for condition in line.conditions)
    return f"{line.node} {said(line.name)}" + (f" (conditions: {conditions})" if conditions else "")

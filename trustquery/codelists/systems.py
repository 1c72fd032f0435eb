"""Coding systems: what a code of each looks like, by the rules that its publisher wrote down.

A code that fits exists or not: no list of the codes in use is here, because licences forbid shipping one. What cannot
be a code, because a digit was mistyped or a spreadsheet rounded it, is found.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SYSTEMS", "CodingSystem", "System", "looks_like", "verhoeff_digit", "verhoeff_holds"]


class CodingSystem(enum.StrEnum):
    """What the codes of a list are, in the words of OpenCodelists; ``look-up``: a table that is no list of codes."""

    SNOMED_CT = "snomedct"
    DMD = "dmd"
    ICD10 = "icd10"
    OPCS4 = "opcs4"
    BNF = "bnf"
    CTV3 = "ctv3"
    LOOK_UP = "look-up"


@dataclass(frozen=True)
class System:
    """One coding system.

    Attributes:
        source: where its publisher says what a code looks like.
        headings: plain names of columns that hold its codes, beside ``code``.
        fault: why a text cannot be a code, in words that follow "CODE"; "" where it can.
        plain: the same code written in the one way in which two spellings can be compared.
    """

    title: str
    source: str
    headings: frozenset[str]
    fault: Callable[[str], str]
    plain: Callable[[str], str] = str


# -- SNOMED CT and dm+d ------------------------------------------------------------------------------------------------

_MULTIPLY = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_PERMUTE = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip
_INVERSE = (0, 4, 3, 2, 1, 5, 6, 7, 8, 9)


def _verhoeff(digits: str) -> int:
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _MULTIPLY[check][_PERMUTE[place % 8][int(digit)]]
    return check


def verhoeff_holds(digits: str) -> bool:
    """Whether the last digit is the Verhoeff check digit of those before it."""
    return _verhoeff(digits) == 0


def verhoeff_digit(digits: str) -> str:
    """The check digit to write after these."""
    return str(_INVERSE[_verhoeff(digits + "0")])


_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+")
_PARTITIONS = {"1": "a description", "2": "a relationship"}


def _sctid_fault(code: str) -> str:
    if _ROUNDED.fullmatch(code):
        return "was rounded by a spreadsheet: take the list anew, as text"
    if not (code.isascii() and code.isdecimal()):
        return "is not a number of 6 to 18 digits"
    if not 6 <= len(code) <= 18 or code[0] == "0":
        return "is not a number of 6 to 18 digits that begins with 1 to 9"
    if not verhoeff_holds(code):
        return "has a wrong check digit: a digit was mistyped, or a spreadsheet rounded it"
    form, component = code[-3], code[-2]
    if form not in "01" or component not in "012":
        return f"has the partition identifier {form}{component}, which is none of 00, 01, 02, 10, 11, 12"
    if component in _PARTITIONS:
        return f"is the id of {_PARTITIONS[component]}, not of a concept"
    if form == "1" and len(code) < 11:
        return "says that it holds a namespace, and is too short for one"
    return ""


# -- ICD-10, OPCS-4, BNF, CTV3 -----------------------------------------------------------------------------------------


def _shaped(pattern: str, shape: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def fault(code: str) -> str:
        if compiled.fullmatch(code):
            return ""
        return "is in small letters: write capitals" if compiled.fullmatch(code.upper()) else f"is not {shape}"

    return fault


_icd10_fault = _shaped(
    r"[A-Z][0-9]{2}(\.?[0-9X][0-9]?)?[DA]?",
    "a letter and two digits, then up to two more digits, X for a fourth that there is not, D or A for dagger and star",
)
_opcs4_fault = _shaped(
    r"[A-HJ-Z](0[1-9]|[1-9][0-9])(\.?[0-9])?", "a letter other than I and two digits from 01, then up to one more digit"
)
_bnf_fault = _shaped(
    r"[0-9]{2}([0-9]{2}([0-9]{2}([0-9]([0-9A-Z]{2}([0-9A-Z]{2}([0-9A-Z]{4})?)?)?)?)?)?",
    "2, 4, 6, 7, 9, 11 or 15 characters: chapter, section, paragraph, sub-paragraph, substance, product, presentation",
)


def _ctv3_fault(code: str) -> str:
    # Capitals and small letters are different codes, so none is offered for the other.
    return "" if re.fullmatch(r"(?=.{5}\Z)[0-9A-Za-z]{1,5}\.*", code) else "is not five letters, digits and final dots"


def _without_dot(code: str) -> str:
    return code.replace(".", "").upper()


def _headings(*names: str) -> frozenset[str]:
    return frozenset(names)


SYSTEMS: dict[CodingSystem, System] = {
    CodingSystem.SNOMED_CT: System(
        "SNOMED CT",
        "SNOMED International, Release File Specifications: SCTID (6 to 18 digits, partition, Verhoeff check digit)",
        _headings("snomedct", "snomed", "snomed_code", "snomedct_code", "snomed_id", "snomedct_id", "concept_id",
                  "conceptid", "sctid", "id"),
        _sctid_fault,
    ),
    CodingSystem.DMD: System(
        "dm+d",
        "NHSBSA, dm+d implementation guide: ids of VTM, VMP, VMPP, AMP and AMPP are SNOMED CT ids",
        _headings("dmd", "dmd_id", "dmd_code", "id", "vpid", "vtmid", "apid", "vppid", "appid"),
        _sctid_fault,
    ),
    CodingSystem.ICD10: System(
        "ICD-10",
        "NHS England, National Clinical Coding Standards ICD-10 5th Edition: three to five characters, X as a filler",
        _headings("icd", "icd10", "icd_10", "icd_code", "icd10_code", "icd_10_code"),
        _icd10_fault,
        _without_dot,
    ),
    CodingSystem.OPCS4: System(
        "OPCS-4",
        "NHS England, OPCS-4 Classification of Interventions and Procedures: three or four characters, no letter I",
        _headings("opcs", "opcs4", "opcs_4", "opcs_code", "opcs4_code", "opcs_4_code"),
        _opcs4_fault,
        _without_dot,
    ),
    CodingSystem.BNF: System(
        "BNF (NHSBSA)", "NHSBSA, BNF classification: 15 characters, or the first 2, 4, 6, 7, 9 or 11 of them",
        _headings("bnf", "bnf_code", "bnf_id"), _bnf_fault,
    ),
    CodingSystem.CTV3: System(
        "CTV3 (Read version 3)", "NHS Digital, Read Codes version 3: five characters, upper and lower case differ",
        _headings("ctv3", "ctv3id", "ctv3_id", "ctv3_code", "read_code", "readcode"), _ctv3_fault,
    ),
}  # fmt: skip
"""Every system that has codes."""


def looks_like(code: str) -> list[str]:
    """Titles of the systems whose codes look so; a short number can be a code of several."""
    return [system.title for system in SYSTEMS.values() if not system.fault(code)]

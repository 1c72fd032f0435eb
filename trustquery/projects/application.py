"""A project's application: what somebody asks to do with the data, signed by the person who asks.

Its fields are those of the HDR UK data use register and what a data access committee needs besides. Text is written for
people; what a machine must understand (purpose, datasets, privacy loss, dates) is from closed lists or has one form.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from trustquery.identity import ring_of
from trustquery.identity.documents import (
    Article6,
    Article9,
    DeltaAtto,
    Document,
    Hex32,
    KeyKind,
    Name,
    OptOutTreatment,
    Part,
    Purpose,
    Seconds,
)
from trustquery.outputs.profiles import PROFILES

__all__ = ["Application", "TeamMember", "rho_nano", "start_of_day"]

LONGEST_DAYS = 5 * 366
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters, to Unicode, that look like nothing."""
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def _date(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("write a date such as 2027-03-31") from error
    return text


def _rho(text: str) -> str:
    if not 0 < Decimal(text) <= 1000:
        raise ValueError("write rho as a number above 0, such as 0.5")
    return text


def _one_line(text: str) -> str:
    """Text that looks on the register like what it is: nothing invisible, nothing that turns the reading direction."""
    if any(unicodedata.category(letter) in _INVISIBLE or letter in _BLANK for letter in text):
        raise ValueError("leave out control characters, line ends and invisible marks")
    if not any(letter.isalnum() for letter in text):
        raise ValueError("write something in letters or digits")
    return text


def _paragraphs(text: str) -> str:
    _one_line(text.replace("\n", " "))
    return text


Date = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_date)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Text = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_paragraphs)]
Lines = tuple[Line, ...]
Rho = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,9})?$"), AfterValidator(_rho)]
Email = Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,180}$"), AfterValidator(_one_line)]


def start_of_day(date: str) -> int:
    """When a date begins, seconds since 1970 UTC."""
    midnight = datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.UTC)
    return int(midnight.timestamp())


def rho_nano(rho: str) -> int:
    """Rho as written, in whole 1e-9."""
    return int(Decimal(rho).scaleb(9))


class TeamMember(Part):
    """One person who will ask, or lead.

    Attributes:
        person: the short name that stands for this person in every document.
        key: the Ed25519 public key that will sign their queries, hexadecimal.
        training_expires: the last day on which the training counts is the day before.
    """

    person: Name
    name: Line
    organisation: Line
    role: Literal["lead", "analyst"]
    key: Hex32
    key_kind: KeyKind
    training_body: Line
    training_expires: Date


class Application(Document):
    """What somebody asks to do; signed by one of its project leads.

    Attributes:
        version: 1 for the first; each amendment has the next number.
        previous: hash of the application that this one amends; "" in the first.
        rho: the most privacy loss asked for at each trust.
        ends: the last day.
        output_review: whether two output checkers look at every merged table before the team does.
        terms: hash of the terms that the applicant agreed to.
        submitted: when it was signed, seconds since 1970 UTC.
    """

    KIND: ClassVar[str] = "application"
    federation: Name
    project: Name
    version: int = Field(ge=1)
    previous: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    submitted: Seconds

    # safe people
    organisation: Line
    organisation_id: Line
    organisation_sector: Literal[
        "NHS", "Local authority", "Government", "Academic institute", "Charity", "Commercial", "Other"
    ]
    contact: Line
    contact_email: Email
    sponsor: Line
    team: tuple[TeamMember, ...] = Field(min_length=1, max_length=50)
    dea_accredited: Literal["yes", "no", "some of the team"]

    # safe projects
    title: Line
    purpose: Purpose
    lay_summary: Text
    public_benefit: Text
    technical_summary: Text
    request_category: Literal[
        "Health services and delivery", "Public health", "Clinical research", "Service evaluation", "Audit", "Other"
    ]
    funders: Lines = Field(min_length=1, max_length=20)
    ethics_references: Lines = Field(min_length=1, max_length=20)
    other_committees: Lines = Field(max_length=20)
    starts: Date
    ends: Date

    # safe settings
    request_frequency: Literal["One-off", "Recurring"]
    sublicence: Line
    terms: Hex32

    # safe data
    datasets: tuple[Name, ...] = Field(min_length=1, max_length=20)
    data_sensitivity: Literal["Personally identifiable", "De-personalised", "Anonymous"]
    article_6: Annotated[Article6, AfterValidator(_one_line)]
    article_9: Annotated[Article9, AfterValidator(_one_line)]
    common_law: Text
    opt_out_treatment: OptOutTreatment
    opt_out_basis: Text
    linkage: Text
    confidential_data: Text

    # safe outputs
    rho: Rho
    delta_atto: DeltaAtto
    disclosure_profile: Name
    min_trusts: int = Field(ge=1, le=1000)
    output_review: Literal["yes", "no"]
    privacy_processing: Text
    code_sharing: Text
    outputs: Lines = Field(max_length=50)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.version == 1) != (self.previous == ""):
            raise ValueError("every application but the first names the one that it amends")
        days = datetime.date.fromisoformat(self.ends) - datetime.date.fromisoformat(self.starts)
        if not 0 <= days.days <= LONGEST_DAYS:
            raise ValueError("ends is the last day: not before starts, and at most five years later")
        if len({member.person for member in self.team}) != len(self.team):
            raise ValueError("each person is on the team once")
        if len({member.key for member in self.team}) != len(self.team):
            raise ValueError("each person on the team has a key of their own")
        if all(member.role != "lead" for member in self.team):
            raise ValueError("somebody on the team leads")
        if len(set(self.datasets)) != len(self.datasets):
            raise ValueError("each dataset is listed once")
        if self.disclosure_profile not in PROFILES:
            raise ValueError(f"disclosure_profile is one of {', '.join(PROFILES)}")
        if self.opt_out_treatment == "exempt-with-basis" and not re.search(r"\d", self.opt_out_basis):
            raise ValueError("an exemption from opt-outs names its legal basis, with its reference number")
        return self

    @classmethod
    def read_signed(cls, data: bytes) -> Self:
        """An application that a lead on its own team has signed. Who leads stands in it, so it is read first.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        return cls.verify(data, ring_of(cls.read(data).leads()), 1)[0]

    def leads(self) -> frozenset[str]:
        """Public keys of the project's leads, hexadecimal."""
        return frozenset(member.key for member in self.team if member.role == "lead")

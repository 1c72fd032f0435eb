"""Nobody's data: what looks like rows about people is refused, whatever the table is called.

This finds mistakes, not malice. A list about people under plain headings, with numbers of its own, is found by the
person who approves it and by nobody else.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable

from trustquery.catalogue.schema import ColumnType
from trustquery.codelists.table import PublicColumn, PublicTable
from trustquery.errors import TrustQueryError

__all__ = ["refuse_people"]

FEWEST = 5
"""Fewer different values than this prove nothing."""
MOST_YEARS = 40
"""Days that are further apart than this, in a column that is not declared to hold days, are days of birth."""

_IDENTIFIERS = frozenset({
    "nhsnumber", "nhsno", "nhsnum", "newnhsno", "personid", "personkey", "person", "patient", "patients", "patientid",
    "patientno", "patientnumber", "patientkey", "patientname", "patientidentifier", "localpatientidentifier", "mrn",
    "hospitalnumber", "hospitalno", "pasid", "pasnumber", "pseudoid", "pseudonym", "tokenpersonid", "hesid",
    "encryptedhesid", "epikey", "subjectid", "studyid", "chinumber", "dateofbirth", "dob", "birthdate", "birthday",
    "patientdob", "surname", "forename", "forenames", "firstname", "givenname", "middlename", "lastname", "familyname",
    "maidenname", "fullname", "nino", "nationalinsurancenumber", "postcode", "postalcode", "homepostcode", "address",
    "addressline1", "homeaddress", "email", "emailaddress", "telephone", "phone", "phonenumber", "mobile",
    "mobilenumber",
})  # fmt: skip
_PARTS = ("nhsnumber", "nhsno", "patientid", "hospitalnumber", "dateofbirth", "surname", "forename")
"""Wherever they stand in a heading: ``mother_nhs_number``, ``surname_of_patient``."""
_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][ABD-HJLNP-UW-Z]{2}")
_DAY = re.compile(r"[0-9]{1,4}[-/. ][0-9A-Za-z]{1,3}[-/. ][0-9]{1,4}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def refuse_people(table: PublicTable, file: str) -> None:
    """Refuse what looks like rows about people.

    Raises:
        TrustQueryError: ``query-input-invalid``.
    """
    for place, column in enumerate(table.columns):
        squeezed = column.name.replace("_", "")
        if squeezed in _IDENTIFIERS or any(part in squeezed for part in _PARTS):
            _refuse(file, f"the column {column.name} is named like an identifier of people")
        values = {str(row[place]) for row in table.rows if row[place] is not None}
        for what, found in _SHAPES:
            if found(column, values):
                _refuse(file, f"the values of {column.name} are {what}")


def _refuse(file: str, reason: str) -> None:
    raise TrustQueryError("query-input-invalid", file, reason=reason)


def _are_nhs_numbers(_column: PublicColumn, values: set[str]) -> bool:
    """Five values that all pass, or ten among which at most a quarter fail.

    A number that is none passes once in eleven times: five out of five happen by chance once in 160,000 lists, ten out
    of thirteen once in 90 million. One wrong number therefore does not hide the others.
    """
    shaped = [digits for value in values if (digits := _ten_digits(value))]
    good = sum(map(_is_nhs_number, shaped))
    return good >= FEWEST and (good == len(values) or (good >= 2 * FEWEST and 4 * good >= 3 * len(shaped)))


def _ten_digits(text: str) -> str:
    digits = text.replace(" ", "").replace("-", "")
    return digits if len(digits) == 10 and digits.isascii() and digits.isdecimal() else ""


def _is_nhs_number(digits: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return (11 - total % 11) % 11 == int(digits[9])


def _mostly(values: Iterable[str], fits: Callable[[str], object]) -> bool:
    every = list(values)
    good = sum(1 for value in every if fits(value))
    return good >= FEWEST and 4 * good >= 3 * len(every)


def _are_postcodes(_column: PublicColumn, values: set[str]) -> bool:
    return _mostly((value.upper() for value in values), _POSTCODE.fullmatch)


def _are_addresses(_column: PublicColumn, values: set[str]) -> bool:
    return _mostly(values, _EMAIL.fullmatch)


def _are_birthdays(column: PublicColumn, values: set[str]) -> bool:
    """Days decades apart in a text column: a calendar comes in the JSON form, which says that they are dates."""
    if column.type is not ColumnType.TEXT or not _mostly(values, _day):
        return False
    days = [day for value in values if (day := _day(value))]
    return max(days).year - min(days).year >= MOST_YEARS


def _day(text: str) -> datetime.date | None:
    if not _DAY.fullmatch(text):
        return None
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %b %Y"):
        try:
            return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC).date()
        except ValueError:
            continue
    return None


_SHAPES: tuple[tuple[str, Callable[[PublicColumn, set[str]], bool]], ...] = (
    ("NHS numbers by their check digit", _are_nhs_numbers),
    ("full postcodes; give districts, or areas", _are_postcodes),
    ("addresses of people", _are_addresses),
    ("days over many years, such as days of birth", _are_birthdays),
)

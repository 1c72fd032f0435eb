"""Codes of each system: what its publisher allows passes, what a keyboard or a spreadsheet does to one does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustquery.codelists.systems import SYSTEMS, CodingSystem, looks_like, verhoeff_digit, verhoeff_holds

GOOD = {
    CodingSystem.SNOMED_CT: ["36971009", "40055000", "444814009", "10760421000119102", "999000011000001104"],
    CodingSystem.DMD: ["36971009", "999000011000001104"],
    CodingSystem.ICD10: ["I60", "I600", "I60.0", "I10X", "M4806", "M45X0", "G01X", "A170D", "G01A", "U071"],
    CodingSystem.OPCS4: ["A01", "A011", "A01.1", "K401", "Z999", "O169"],
    CodingSystem.BNF: ["02", "0212", "021200", "0212000", "0212000B0", "0212000B0AA", "0212000B0AAABAB"],
    CodingSystem.CTV3: ["XE0Uc", "14A2.", "C10..", "H....", "Y9930"],
}
BAD = {
    CodingSystem.SNOMED_CT: {
        "36971008": "check digit",
        "36791009": "check digit",
        "3.6971E+7": "rounded by a spreadsheet",
        "1.07604E+16": "rounded by a spreadsheet",
        "10760421000119100": "check digit",
        "I60": "not a number",
        "036971009": "begins with 1 to 9",
        "12345": "6 to 18 digits",
        "1234567890123456789": "6 to 18 digits",
        "61594010": "check digit",
        "٣٦٩٧١٠٠٩": "not a number",
        "": "not a number",
    },
    CodingSystem.DMD: {"C0212": "not a number", "36971008": "check digit"},
    CodingSystem.ICD10: {
        "i60": "write capitals", "I6": "is not a letter", "I60-I69": "is not a letter", "I60.": "is not a letter",
        "I600000": "is not a letter", "36971009": "is not a letter", "I60 0": "is not a letter",
    },
    CodingSystem.OPCS4: {"I01": "other than I", "A00": "from 01", "a011": "write capitals", "A0112": "from 01"},
    CodingSystem.BNF: {"2": "2, 4, 6", "02120": "2, 4, 6", "0212000b0": "write capitals", "AB": "2, 4, 6"},
    CodingSystem.CTV3: {"XE0U": "not five", "XE0Ucc": "not five", "X.0Uc": "not five", ".....": "not five"},
}  # fmt: skip


@pytest.mark.parametrize(("system", "code"), [(system, code) for system, codes in GOOD.items() for code in codes])
def test_what_the_publisher_allows_passes(system: CodingSystem, code: str) -> None:
    assert SYSTEMS[system].fault(code) == ""


@pytest.mark.parametrize(
    ("system", "code", "words"), [(system, code, words) for system, bad in BAD.items() for code, words in bad.items()]
)
def test_what_cannot_be_a_code_is_told_why(system: CodingSystem, code: str, words: str) -> None:
    assert words in SYSTEMS[system].fault(code)


def sctid(item: str, partition: str, namespace: str = "") -> str:
    body = f"{item}{namespace}{partition}"
    return body + verhoeff_digit(body)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sctid("61594", "01"), "a description, not of a concept"),
        (sctid("61594", "02"), "a relationship, not of a concept"),
        (sctid("12", "11", "1000001"), "a description, not of a concept"),
        (sctid("61594", "03"), "partition identifier 03"),
        (sctid("61594", "20"), "partition identifier 20"),
        (sctid("615945", "10"), "too short for one"),
    ],
)
def test_an_sctid_says_what_it_is_the_id_of(code: str, words: str) -> None:
    assert verhoeff_holds(code)
    assert words in SYSTEMS[CodingSystem.SNOMED_CT].fault(code)


digits = st.text("0123456789", min_size=1, max_size=17)


@given(digits)
def test_a_check_digit_that_was_made_holds_and_no_other_does(body: str) -> None:
    good = verhoeff_digit(body)
    assert [digit for digit in "0123456789" if verhoeff_holds(body + digit)] == [good]


@given(digits, st.data())
def test_one_wrong_digit_and_two_that_changed_places_are_always_seen(body: str, data: st.DataObject) -> None:
    code = body + verhoeff_digit(body)
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != code[place]]))
    assert not verhoeff_holds(code[:place] + other + code[place + 1 :])
    at = data.draw(st.integers(0, len(code) - 2))
    swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
    assert verhoeff_holds(swapped) == (swapped == code)


def test_nine_in_ten_of_the_long_ids_that_a_spreadsheet_rounded_are_seen() -> None:
    """Fifteen digits are kept, and zeros written for the rest."""
    codes = [sctid(str(10_000_019 + 7_919 * place), "10", "1000119") for place in range(1_000)]
    assert {len(code) for code in codes} == {18}
    assert not any(SYSTEMS[CodingSystem.SNOMED_CT].fault(code) for code in codes)
    seen = sum(bool(SYSTEMS[CodingSystem.SNOMED_CT].fault(code[:15] + "000")) for code in codes)
    assert 850 <= seen <= 950


@given(st.text(max_size=20))
def test_any_text_is_a_code_or_told_why(text: str) -> None:
    for system in SYSTEMS.values():
        fault = system.fault(text)
        assert fault == "" or fault.startswith(("is ", "has ", "was ", "says "))
    assert set(looks_like(text)) == {system.title for system in SYSTEMS.values() if not system.fault(text)}


def test_every_system_names_its_source() -> None:
    assert set(SYSTEMS) == set(CodingSystem) - {CodingSystem.LOOK_UP}
    assert all(len(system.source) > 40 for system in SYSTEMS.values())

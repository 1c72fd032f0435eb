"""The whole check of a list: the shapes in which OpenCodelists gives them, and every way in which one is wrong."""

from __future__ import annotations

import pytest

from tests.lib.refusals import refusal
from trustquery.codelists import CodingSystem, InputReport, check_input, read_table
from trustquery.codelists.checking import MAX_INPUT_BYTES
from trustquery.identity import canonical

C = CodingSystem
SNOMED = "code,term\n36971009,Sinusitis\n40055000,Chronic sinusitis\n444814009,Viral sinusitis\n"
ICD = "icd,description,type\nI60,Subarachnoid haemorrhage,haemorrhagic\nI610,Intracerebral haemorrhage,haemorrhagic\n"


def checked(text: str | bytes, system: CodingSystem, **more: str) -> InputReport:
    content = text.encode() if isinstance(text, str) else text
    return check_input(content, "list.csv", system=system, **more)  # type: ignore[arg-type]


def told(text: str | bytes, system: CodingSystem, **more: str) -> list[tuple[str, str]]:
    error = refusal(lambda: checked(text, system, **more))
    assert error is not None
    assert {problem.code for problem in error.problems} == {"query-input-invalid"}
    return [(problem.place, problem.fields["reason"]) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "system", "column"),
    [
        (SNOMED, C.SNOMED_CT, "code"),
        (SNOMED.replace("\n", "\r\n"), C.SNOMED_CT, "code"),
        ('"code","term"\n"36971009","Sinusitis, any"\n', C.SNOMED_CT, "code"),
        (SNOMED.replace("code", "SNOMEDCT"), C.SNOMED_CT, "snomedct"),
        (SNOMED.replace("code", "id"), C.SNOMED_CT, "id"),
        (ICD, C.ICD10, "icd"),
        (ICD.replace("icd,", "ICD code,"), C.ICD10, "icd_code"),
        (ICD.replace("icd,", "icd10_code,"), C.ICD10, "icd10_code"),
        ("Description,Code,Grouping_16\nRace: Caucasian,134B.,1\nOther,9S1..,2\n", C.CTV3, "code"),
        ("CTV3ID,CTV3PreferredTermDesc,CTV3Source\nC1011,Type 2 diabetes,QOF\n", C.CTV3, "ctv3id"),
        ("dmd_type,dmd_id,dmd_name,bnf_code\nVMP,36971009,x,0212\n", C.DMD, "dmd_id"),
        ("code,term,category\nK401,Bypass,1\nK40.2,Bypass,1\n", C.OPCS4, "code"),
        ("bnf_code,name\n0212000B0,Atorvastatin\n", C.BNF, "bnf_code"),
        ("a,b\n36971009,x\n40055000,y\n", C.SNOMED_CT, "a"),
        ("sex,band\n1,0-4\n1,5-9\n", C.LOOK_UP, ""),
    ],
)
def test_the_shapes_of_real_lists(text: str, system: CodingSystem, column: str) -> None:
    more = {"column": "a"} if column == "a" else {}
    report = checked(text, system, **more)
    assert (report.system, report.column) == (system, column)
    # The table, and so its hash, is the one that a trust's node reads from the same file.
    assert report.table == read_table(text.encode(), "list.csv")


@pytest.mark.parametrize(
    ("text", "system", "problems"),
    [
        ("code\n36971008\n40055000\nx\n", C.SNOMED_CT, [
            ("list.csv, line 2", "36971008 has a wrong check digit: a digit was mistyped, or a spreadsheet rounded it"),
            ("list.csv, line 4", "x is not a number of 6 to 18 digits"),
        ]),
        ("code\n36971009\n\nI60\n", C.SNOMED_CT, [
            ("list.csv, line 4", "I60 is not a number of 6 to 18 digits; it looks like ICD-10"),
        ]),
        ("icd,x\nI60,1\nI61,2\nI60,3\n", C.ICD10, [("list.csv, line 4", "the same icd is in line 2")]),
        ("icd\nI600\nI60.0\n", C.ICD10, [("list.csv, line 3", "the same icd is in line 2")]),
        ("icd,x\nI60,1\n,2\n", C.ICD10, [("list.csv, line 3", "the icd is empty")]),
        ("dmd_type,dmd_id\nVMP,36971009\ntablet,40055000\n", C.DMD, [
            ("list.csv, line 3", "the dmd_type is not one of AMP, AMPP, VMP, VMPP, VTM"),
        ]),
        ('code,term\n36971009,"two\nlines"\nx,y\n', C.SNOMED_CT, [
            ("list.csv, line 4", "x is not a number of 6 to 18 digits"),
        ]),
    ],
)  # fmt: skip
def test_every_bad_code_has_its_line(text: str, system: CodingSystem, problems: list[tuple[str, str]]) -> None:
    assert told(text, system) == problems


@pytest.mark.parametrize(
    ("text", "system", "more", "words"),
    [
        ("name,icd\nx,I60\n", C.SNOMED_CT, {}, "no column is headed as SNOMED CT codes are (code, concept_id"),
        ("icd,icd10\nI60,I61\n", C.ICD10, {}, "several columns could hold the codes, icd, icd10: say which"),
        (SNOMED, C.SNOMED_CT, {"column": "codes"}, "it has no column codes; there is code, term"),
        (SNOMED, C.LOOK_UP, {"column": "code"}, "a look-up has no column of codes"),
        ("", C.ICD10, {}, "there is no heading row"),
        ("icd\n", C.ICD10, {}, "there is no row below the heading"),
        ("icd,nhs_number\nI60,1\n", C.ICD10, {}, "named like an identifier of people"),
        ("code\n" + "A" * MAX_INPUT_BYTES, C.LOOK_UP, {}, "larger than 1,500,000 bytes"),
    ],
)
def test_what_cannot_be_used_is_told_why(text: str, system: CodingSystem, more: dict[str, str], words: str) -> None:
    assert words in told(text, system, **more)[0][1]


def test_a_file_that_grows_beyond_the_limit_when_it_is_read_is_refused() -> None:
    text = "a\n" + "\n".join(map(str, range(100_000))) + "\n" * 800_000
    assert len(text) < MAX_INPUT_BYTES
    assert len(canonical.encode(read_table(text.encode(), "l.csv").document())) < MAX_INPUT_BYTES
    wide = ",".join(f"c{place}" for place in range(100)) + "\n" + "\n".join(f"{n}{',' * 99}" for n in range(4_000))
    assert len(wide) < MAX_INPUT_BYTES
    assert "it makes more than 1,500,000 bytes" in told(wide, C.LOOK_UP)[0][1]


def test_nothing_is_passed_over_in_silence() -> None:
    notes = checked("\ufeffcode,term\n 36971009 ,x\n\n,\n40055000,y\n", C.SNOMED_CT).notes
    assert notes == (
        "2 blank lines were passed over",
        "white space around 1 values was taken off",
        "a byte-order mark was taken off",
        "2 codes have the form of SNOMED CT; whether they are in use was not looked up",
    )
    assert "some codes are written with a dot" in checked("icd\nI600\nI61.0\n", C.ICD10).notes[0]
    assert checked("a,b\n1,2\n", C.LOOK_UP).notes == ("no code was checked: it was given as a look-up",)


def test_a_hundred_problems_are_told_and_how_many_more_there_are() -> None:
    found = told("code\n" + "\n".join(f"x{place}" for place in range(1_000)), C.SNOMED_CT)
    assert len(found) == 101
    assert found[-1] == ("list.csv", "and 900 more problems")


def test_a_json_file_is_checked_by_its_rows() -> None:
    text = canonical.encode(read_table(b"code\n36971009\nx\n", "list.csv").document())
    assert told(text, C.SNOMED_CT) == [("list.csv, row 2", "x is not a number of 6 to 18 digits")]

"""Public tables from files: what is taken, what is refused and where, and that both forms give one hash."""

from __future__ import annotations

import json

import pytest

from tests.lib.refusals import refusal
from trustquery.catalogue import ColumnType
from trustquery.codelists import Pin, PublicColumn, PublicTable, PublicTables, read_table, split_name
from trustquery.codelists.files import MAX_FILE_BYTES, code_column, plain_name
from trustquery.codelists.table import MAX_ROWS
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical

STROKE = b"code,term\nI60,Subarachnoid haemorrhage\nI61,Intracerebral haemorrhage\nI63,Cerebral infarction\n"


def table(text: str | bytes, file: str = "list.csv", **chosen: object) -> PublicTable:
    content = text.encode() if isinstance(text, str) else text
    return read_table(content, file, **chosen)  # type: ignore[arg-type]


def told(text: str | bytes, file: str = "list.csv", **chosen: object) -> list[tuple[str, str]]:
    """Place and reason of every problem."""
    error = refusal(lambda: table(text, file, **chosen))
    assert error is not None
    assert {problem.code for problem in error.problems} == {"query-input-invalid"}
    return [(problem.place, problem.fields["reason"]) for problem in error.problems]


def test_a_codelist_is_text_in_plain_columns() -> None:
    found = table(STROKE, "Stroke codes.csv")
    assert (found.id, found.version, found.title, found.source) == ("stroke_codes", 1, "stroke_codes", "a CSV file")
    assert [(column.name, column.type) for column in found.columns] == [
        ("code", ColumnType.TEXT),
        ("term", ColumnType.TEXT),
    ]
    assert found.rows[0] == ("I60", "Subarachnoid haemorrhage")


def test_nothing_is_guessed_and_an_empty_field_is_null() -> None:
    found = table("ICD code,2019 ONS,term\n007,1.50,\n 008 ,true,x\n")
    assert [column.name for column in found.columns] == ["icd_code", "t_2019_ons", "term"]
    assert found.rows == (("007", "1.50", None), ("008", "true", "x"))


@pytest.mark.parametrize(
    "text",
    [
        STROKE,
        b"\xef\xbb\xbf" + STROKE,
        STROKE.replace(b"\n", b"\r\n"),
        STROKE.rstrip(b"\n"),
        STROKE + b"\n\n,\n",
        STROKE.replace(b"I60,", b'"I60",'),
        STROKE.replace(b"code,term", b"Code , TERM"),
    ],
)
def test_how_a_program_saves_the_file_does_not_change_the_table(text: bytes) -> None:
    assert table(text).pin == table(STROKE).pin


def test_name_and_version_are_the_file_s_or_as_given() -> None:
    assert table(STROKE, "a/b/Stroke-List@3.csv").pin.words.startswith("3 (")
    assert table(STROKE, "a/b/Stroke-List@3.csv").id == "stroke_list"
    assert table(STROKE, "2019.csv").id == "t_2019"
    given = table(STROKE, "x@7.csv", name="stroke", version=2)
    assert (given.id, given.version) == ("stroke", 2)
    assert table(STROKE, "x@7.csv", name="stroke").version == 1
    assert table(STROKE, "list.csv").sha256 != table(STROKE, "list.csv", version=2).sha256


def test_json_is_the_same_table() -> None:
    made = table(STROKE)
    again = table(canonical.encode(made.document()), "whatever.json")
    spread = table(json.dumps(made.document(), indent=2), "whatever.json")
    assert made == again == spread
    assert made.sha256 == again.sha256 == spread.sha256


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [("list.csv, line 1", "there is no heading row")]),
        ("code\n", [("list.csv, line 1", "there is no row below the heading")]),
        ("code,code\nA,B\n", [("list.csv, line 1", "two columns are called code")]),
        ("code,Code \nA,B\n", [("list.csv, line 1", "two columns are called code")]),
        ("code,--\nA,B\n", [("list.csv, line 1", "column 2 has no name")]),
        ("code,term\nA,x\nB\n", [("list.csv, line 3", "it has 1 fields where the heading has 2")]),
        ("code,term\nA,x\n\nA,y\n", [("list.csv, line 4", "the same code is in line 2")]),
        ("code,term\n,x\n", [("list.csv, line 2", "the code is empty")]),
        (
            "code,term\n ,x\nB,y\nB,z\n",
            [("list.csv, line 2", "the code is empty"), ("list.csv, line 4", "the same code is in line 3")],
        ),
        ("icd_code,term\nA,x\nA,y\n", [("list.csv, line 3", "the same icd_code is in line 2")]),
        ("sex,age\n1,2\n1,2\n", [("list.csv, line 3", "the same row is in line 2")]),
        ('code\n"A\n', [("list.csv, line 2", "it is not CSV: a quotation mark or line end is out of place")]),
        ("code\nA\0\n", [("list.csv, line 2", "it is not text")]),
        ("code\n" + "A" * 1001, [("list.csv, line 2", "the value of code is longer than 1000 characters")]),
        (b"code\nA\n\xff\n", [("list.csv, line 3", "it is not UTF-8 text")]),
    ],
)  # fmt: skip
def test_every_problem_has_its_line(text: str | bytes, problems: list[tuple[str, str]]) -> None:
    found = told(text)
    assert [item for item in found if item in problems] == problems


def test_a_table_without_a_code_column_may_repeat_a_value() -> None:
    assert len(table("sex,band\n1,0-4\n1,5-9\n2,0-4\n").rows) == 3
    assert code_column(["code", "parent_code"]) == "code"
    assert code_column(["parent_code", "icd_code"]) is None
    assert code_column(["term", "icd_code"]) == "icd_code"


def test_problems_and_sizes_are_bounded() -> None:
    problems = told("code\n" + "A\n" * 1_000)
    assert len(problems) == 101
    assert problems[-1] == ("list.csv", "and 899 more problems")
    assert told(b"x" * (MAX_FILE_BYTES + 1)) == [("list.csv", "it is larger than 32 MiB")]
    rows = "\n".join(map(str, range(MAX_ROWS)))
    assert len(table(f"code\n{rows}\n").rows) == MAX_ROWS
    assert told(f"code\n{rows}\nlast\n") == [(f"list.csv, line {MAX_ROWS + 2}", f"there are more than {MAX_ROWS} rows")]
    assert told(",".join(f"c{n}" for n in range(101)) + "\n") == [
        ("list.csv, line 1", "there are more than 100 columns")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "nhs_number",
        "NHS Number",
        "person_id",
        "patient",
        "Patient ID",
        "MRN",
        "dob",
        "Postcode",
        "e-mail",
        "Mother NHS number",
        "surname of patient",
    ],
)
def test_a_column_named_like_an_identifier_is_refused(name: str) -> None:
    column = plain_name(name)
    assert told(f"code,{name}\nA,1\n") == [("list.csv", f"the column {column} is named like an identifier of people")]
    document = PublicTable("x", 1, "x", "x", (PublicColumn(column, ColumnType.TEXT, ""),), (("1",),)).document()
    assert "named like an identifier" in told(json.dumps(document), "x.json")[0][1]


def nhs_number(serial: int) -> str | None:
    nine = f"999{serial:06}"
    check = (11 - sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11) % 11
    return f"{nine}{check}" if check < 10 else None


def test_nhs_numbers_are_known_by_their_check_digit_whatever_the_column_is_called() -> None:
    numbers = [number for serial in range(20) if (number := nhs_number(serial))]
    assert told("ref\n" + "\n".join(numbers)) == [
        ("list.csv", "the values of ref are NHS numbers by their check digit")
    ]
    spaced = [f"{number[:3]} {number[3:6]} {number[6:]}" for number in numbers]
    assert told("ref\n" + "\n".join(spaced)) == [("list.csv", "the values of ref are NHS numbers by their check digit")]
    # Four could be codes; and one that fails does not hide ten that pass.
    assert len(table("ref\n" + "\n".join(numbers[:4])).rows) == 4
    assert len(table("ref\n" + "\n".join([*numbers[:5], "1234567890"])).rows) == 6
    hidden = told("ref\n" + "\n".join([*numbers, "1234567890", "unknown"]))
    assert hidden == [("list.csv", "the values of ref are NHS numbers by their check digit")]
    # Ten digits that are no NHS numbers pass once in eleven times.
    codes = [f"{serial:010}" for serial in range(4_000_000_000, 4_000_000_400)]
    assert len(table("ref\n" + "\n".join(codes)).rows) == 400


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            ["SW1A 1AA", "m1 1ae", "B338TH", "CR2 6XH", "DN55 1PT", "unknown"],
            "full postcodes; give districts, or areas",
        ),
        ([f"person{n}@example.nhs.uk" for n in range(6)], "addresses of people"),
        (["1931-02-03", "1950-05-06", "1961-01-01", "1972-12-12", "1999-07-08"], "such as days of birth"),
        (["03/02/1931", "06/05/1950", "01/01/1961", "12/12/1972", "08/07/1999"], "such as days of birth"),
    ],
)
def test_values_that_look_like_people_s_are_refused_whatever_the_column_is_called(
    values: list[str], words: str
) -> None:
    ((place, reason),) = told("ref\n" + "\n".join(values))
    assert (place, reason.startswith("the values of ref are")) == ("list.csv", True)
    assert words in reason


@pytest.mark.parametrize(
    "values",
    [
        ["SW1A", "M1", "B33", "CR2", "DN55", "W1A"],
        ["1931-02-03", "1950-05-06"],
        [f"2020-01-{day:02}" for day in range(1, 29)],
        ["E01000001", "E01000002", "E01000003", "E01000004", "E01000005"],
        ["99/99/1931", "98/98/1950", "97/97/1961", "96/96/1972", "95/95/1999"],
    ],
)
def test_public_look_ups_are_not_taken_for_people(values: list[str]) -> None:
    assert len(table("ref\n" + "\n".join(values)).rows) == len(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "trustquery-public-table/2"}, "not of the form"),
        ({"more": 1}, "not of the form"),
        ({"rows": [["I60"]]}, "does not fit its column"),
        ({"rows": [[1, "x"]]}, "does not fit its column"),
        ({"rows": []}, "rows are taken"),
        ({"rows": 3}, "not of the form"),
        ({"columns": []}, "not distinct"),
        ({"id": "Not plain"}, "not plain"),
        ({"id": 5}, "not of the form"),
        ({"version": 0}, "not plain"),
        ({"version": True}, "its version or its words"),
        ({"version": "1"}, "its version or its words"),
        ({"title": ["x"]}, "its version or its words"),
        ({"source": "x" * 1_001}, "its version or its words"),
    ],
)
def test_json_is_read_strictly(change: dict[str, object], words: str) -> None:
    text = json.dumps(table(STROKE).document() | change)
    assert words in told(text, "x.json")[0][1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not JSON"),
        ('{"a": 1, "a": 2}', "it writes a name twice"),
        ('{"rows": [[1.5]]}', "numbers that are not whole are written as text"),
        ('{"rows": [[NaN]]}', "numbers that are not whole are written as text"),
        ("{" * 100_000, "it is not JSON"),
        ('{"rows":' + "[" * 100_000, "it is not JSON"),
    ],
)
def test_json_that_is_not_a_table(text: str, words: str) -> None:
    assert told(text, "x.json")[0][1] == words


def test_json_says_its_own_name() -> None:
    text = canonical.encode(table(STROKE, version=2).document())
    assert table(text, "x.json", name="list", version=2).version == 2
    assert told(text, "x.json", name="other") == [("x.json", "it says that it is list, version 2")]
    assert told(text, "x.json", version=3) == [("x.json", "it says that it is list, version 2")]


@pytest.mark.parametrize("text", ["", "My", "a b", "a@", "a@0", "a@-1", "a@x", "a@1@2", "a@٣", "x" * 64, "1a"])
def test_names_that_are_not(text: str) -> None:
    with pytest.raises(TrustQueryError):
        split_name(text)


def test_names_that_are() -> None:
    assert split_name("icd10_stroke") == ("icd10_stroke", None)
    assert split_name("icd10_stroke@12") == ("icd10_stroke", 12)
    assert told(STROKE, "---.csv") == [("---.csv", "its name makes no table name: give one, NAME=FILE")]


def test_several_versions_may_be_at_hand() -> None:
    one, two = table(STROKE, version=1), table(STROKE, version=2)
    other = table(STROKE.replace(b"I60", b"I62"))
    tables = PublicTables([one, two])
    assert tables.get("list") is two
    assert tables.pinned(one.pin) is one
    assert tables.pinned(two.pin) is two
    with pytest.raises(TrustQueryError) as caught:
        tables.pinned(other.pin)
    assert caught.value.code == "query-input-differs"
    assert caught.value.problem.fields == {
        "table": "list",
        "version": f"1 ({other.sha256[:12]})",
        "found": f"1 ({one.sha256[:12]}), 2 ({two.sha256[:12]})",
    }
    with pytest.raises(TrustQueryError) as caught:
        tables.pinned(Pin("lits", 1, "0" * 64))
    assert caught.value.code == "query-input-unknown"
    assert caught.value.problem.fields["nearest"] == "list"

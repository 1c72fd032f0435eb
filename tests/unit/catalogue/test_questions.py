"""The question matrix and the generated reference pages hold to the catalogues."""

from trustquery.catalogue import Role, available, load
from trustquery.catalogue.questions import questions, render_questions
from trustquery.catalogue.render import render_catalogue


def test_there_are_27_questions_and_each_speaks_of_every_catalogue() -> None:
    assert [item.number for item in questions()] == list(range(1, 28))
    assert all(set(item.support) == set(available()) for item in questions())


def test_every_column_named_is_in_the_catalogue_and_may_be_used() -> None:
    for item in questions():
        for id, support in item.support.items():
            for use in support.uses:
                table_name, column_name = use.split(".")
                table = load(id).table(table_name)
                assert table is not None, (item.number, id, use)
                column = table.column(column_name)
                assert column is not None, (item.number, id, use)
                assert column.role is not Role.FORBIDDEN, (item.number, id, use)


def test_nhs_episodes_answers_at_least_25() -> None:
    unanswered = [item.number for item in questions() if not item.support["nhs-episodes"].answered]
    assert unanswered == [25]


def test_the_omop_catalogue_says_why_not() -> None:
    refused = {
        item.number: item.support["omop-5.4"].note for item in questions() if not item.support["omop-5.4"].answered
    }
    assert set(refused) == {2, 4, 5, 10, 12, 13, 14, 15, 17, 19, 23, 25, 27}
    assert all(refused.values())


def test_the_page_has_a_row_for_each_question() -> None:
    page = render_questions()
    rows = [line for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert len(rows) == 27
    # An unescaped bar in a text would break the table.
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
    assert "- `nhs-episodes` (NHS hospital episodes): 26 of 27" in page


def test_a_catalogue_page_names_every_table_and_column() -> None:
    for id in available():
        catalogue, page = load(id), render_catalogue(load(id))
        assert catalogue.sha256 in page
        assert page == render_catalogue(catalogue)
        for table in catalogue.tables:
            assert f"\n## {table.name}\n" in page
            assert all(f"\n| `{column.name}` | {column.type.value} |" in page for column in table.columns)


def test_a_long_domain_is_listed_once_for_all_its_columns() -> None:
    page = render_catalogue(load("nhs-episodes"))
    assert page.count("| `QOP` | Greater Manchester |") == 1
    assert (
        "### `admission.treatment_function`, `outpatient_appointment.treatment_function`, `referral.treatment_function`"
        in page
    )
    assert "`1` Male, `2` Female, `9` Indeterminate, `X` Not known" in page

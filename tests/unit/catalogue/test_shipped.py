"""What every shipped catalogue promises: roles, bounds and public domains."""

import pytest

from trustquery.catalogue import Catalogue, Column, ColumnType, Role, Table, available, load

SHIPPED = available()


def columns(catalogue: Catalogue) -> list[tuple[Table, Column]]:
    return [(table, column) for table in catalogue.tables for column in table.columns]


def named(id: str, name: str) -> Column:
    table, column = name.split(".")
    found = load(id).table(table)
    assert found is not None
    wanted = found.column(column)
    assert wanted is not None
    return wanted


@pytest.mark.parametrize("id", SHIPPED)
def test_every_table_is_about_people(id: str) -> None:
    assert all(table.kind == "person" and table.person_key == "person_id" for table in load(id).tables)
    assert {table.name for table in load(id).tables if table.one_row_per_person} == {"person", "death"}


@pytest.mark.parametrize("id", SHIPPED)
def test_one_person_key_has_one_type(id: str) -> None:
    assert len({column.type for _, column in columns(load(id)) if column.role is Role.PERSON_KEY}) == 1


@pytest.mark.parametrize("id", SHIPPED)
def test_measures_have_bounds_and_dates_have_limits(id: str) -> None:
    for table, column in columns(load(id)):
        place = f"{table.name}.{column.name}"
        if column.role is Role.MEASURE:
            assert column.bounds is not None, place
            assert column.type in (ColumnType.INTEGER, ColumnType.NUMBER), place
        if column.role is Role.DIMENSION and column.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
            assert "1900" <= (column.earliest or "") < (column.latest or "") < "2031", place


@pytest.mark.parametrize("id", SHIPPED)
def test_declared_figures_are_round_and_caps_hold_the_defaults(id: str) -> None:
    catalogue = load(id)
    for figure in (catalogue.unit.declared_people, *(table.declared_rows for table in catalogue.tables)):
        assert len(str(figure).rstrip("0")) <= 2, "a public round number, not a count"
    for table in catalogue.tables:
        assert table.row_cap >= table.max_groups_per_person * table.max_rows_per_group


@pytest.mark.parametrize("id", SHIPPED)
def test_a_column_of_one_name_means_the_same_in_every_table(id: str) -> None:
    seen: dict[str, tuple[ColumnType, Role]] = {}
    for table, column in columns(load(id)):
        # Quantities are counted in some tables and measured in others; everything that joins or codes is one thing.
        if column.name == "quantity":
            continue
        assert seen.setdefault(column.name, (column.type, column.role)) == (column.type, column.role), (
            table.name,
            column.name,
        )


def test_omop_links_are_join_only_and_vocabularies_are_dimensions() -> None:
    for table, column in columns(load("omop-5.4")):
        place = f"{table.name}.{column.name}"
        if column.name.endswith("_concept_id"):
            assert column.role is Role.DIMENSION, place
        elif column.name.endswith("_id") and column.type is ColumnType.INTEGER:
            assert column.role in (Role.JOIN_ONLY, Role.PERSON_KEY), place


def test_omop_source_values_are_open_only_where_they_are_codes() -> None:
    opened = {
        f"{table.name}.{column.name}"
        for table, column in columns(load("omop-5.4"))
        if column.type is ColumnType.TEXT and column.role is not Role.FORBIDDEN
    }
    assert opened == {
        "condition_occurrence.condition_source_value",
        "drug_exposure.drug_source_value",
        "procedure_occurrence.procedure_source_value",
        "measurement.measurement_source_value",
        "observation.observation_source_value",
        "device_exposure.device_source_value",
        "specimen.specimen_source_value",
        "death.cause_source_value",
    }


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("omop-5.4", "person.person_source_value"),
        ("omop-5.4", "person.birth_datetime"),
        ("omop-5.4", "drug_exposure.sig"),
        ("omop-5.4", "observation.value_as_string"),
        ("omop-5.4", "visit_occurrence.visit_source_value"),
        ("nhs-episodes", "person.nhs_number"),
    ],
)
def test_identifiers_and_free_text_are_forbidden(id: str, name: str) -> None:
    assert named(id, name).role is Role.FORBIDDEN


@pytest.mark.parametrize(
    ("id", "name", "values"),
    [
        ("omop-5.4", "person.gender_concept_id", [8507, 8532]),
        ("omop-5.4", "person.race_concept_id", [8515, 8516, 8527, 8557, 8657, 0]),
        ("nhs-episodes", "person.sex", ["1", "2", "9", "X"]),
        ("nhs-episodes", "person.imd_decile", list(range(1, 11))),
        ("nhs-episodes", "emergency_attendance.department_type", ["01", "02", "03", "04"]),
        ("nhs-episodes", "outpatient_appointment.attended", ["0", "2", "3", "4", "5", "6", "7"]),
        ("nhs-episodes", "person.nhs_number_status", ["01", "02", "03", "04", "05", "06", "07", "08"]),
    ],
)
def test_domains_are_the_public_code_lists(id: str, name: str, values: list[object]) -> None:
    assert [item.value for item in named(id, name).domain or ()] == values


def test_national_lists_have_their_national_length() -> None:
    lengths = {name: len(named("nhs-episodes", name).domain or ()) for name in (
        "person.ethnic_category", "person.icb", "person.region", "diagnosis.icd10_chapter", "procedure.opcs4_chapter"
    )}  # fmt: skip
    assert lengths == {
        "person.ethnic_category": 18,
        "person.icb": 42,
        "person.region": 7,
        "diagnosis.icd10_chapter": 22,
        "procedure.opcs4_chapter": 25,
    }

"""The result as data: key cells, labels, types, and names that never hide one another."""

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.factories.catalogues import made_up
from tests.lib.refusals import refusal
from trustquery.language import compile_query
from trustquery.outputs import Estimate, KeyCell, Table, read
from trustquery.outputs.reading import Z95, ratio
from trustquery.planning import compile_plan


def table(sql: str, trusts: int = 1) -> Table:
    """The query's table over the vector 0, 1, 2 …"""
    query = compile_query(sql, made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    return read(query, plan, range(plan.length), trusts, made_up())


def keys(found: Table, place: int = 0) -> list[KeyCell]:
    return [cell for row in found.rows if isinstance(cell := row[place], KeyCell)]


def values(found: Table, place: int) -> list[float | None]:
    return [cell.value for row in found.rows if isinstance(cell := row[place], Estimate)]


def test_cells_come_in_the_domains_order_then_other_then_missing() -> None:
    found = table("SELECT sex, count(*) AS n FROM person GROUP BY sex")
    assert keys(found) == [
        KeyCell("value", "F", "Female"),
        KeyCell("value", "M", "Male"),
        KeyCell("value", "é", "Not ASCII"),
        KeyCell("other"),
        KeyCell("missing"),
    ]
    assert values(found, 1) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_value_that_is_called_other_is_not_the_other_cell() -> None:
    cells = keys(table("SELECT drug, count(*) AS n FROM dose GROUP BY drug"))
    assert [(cell.kind, cell.text) for cell in cells if cell.text == "other"] == [
        ("value", "other"),
        ("other", "other"),
    ]


def test_the_first_key_is_the_slowest() -> None:
    found = table("SELECT alive, sex, count(*) AS n FROM person GROUP BY alive, sex")
    assert [cell.text for cell in keys(found, 0)] == [
        t for t in ("true", "false", "other", "missing") for _ in range(5)
    ]
    assert [cell.text for cell in keys(found, 1)] == ["F", "M", "é", "other", "missing"] * 4


def test_integers_and_dates_are_shown_as_written() -> None:
    kinds = table("SELECT kind, count(*) AS n FROM event GROUP BY kind")
    assert [(cell.text, cell.label) for cell in keys(kinds)][:3] == [("1", "One"), ("2", "Two"), ("-3", "Minus three")]
    days = table(
        "SELECT day, count(*) AS n FROM event WHERE day >= DATE '2020-02-28' AND day < DATE '2020-03-02' GROUP BY day"
    )
    assert [cell.text for cell in keys(days)] == ["2020-02-28", "2020-02-29", "2020-03-01", "other", "missing"]


def test_an_interval_is_the_noise_of_all_trusts() -> None:
    query = compile_query("SELECT count(*) AS n FROM event", made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    cell = read(query, plan, [100], 4, made_up()).rows[0][0]
    assert isinstance(cell, Estimate)
    assert cell.value == 100
    assert cell.low == pytest.approx(100 - 1.959963984540054 * 2 * plan.blocks[0].sigma / 2**20)
    assert cell.high == pytest.approx(100 + 1.959963984540054 * 2 * plan.blocks[0].sigma / 2**20)


@pytest.mark.parametrize(("length", "trusts"), [(0, 1), (2, 1), (1, 0)])
def test_a_vector_that_does_not_fit_is_a_fault(length: int, trusts: int) -> None:
    query = compile_query("SELECT count(*) AS n FROM event", made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    error = refusal(lambda: read(query, plan, [1] * length, trusts, made_up()))
    assert error is not None
    assert error.problem.fields == {"incident": "merged-shape"}


@pytest.mark.parametrize(("s", "sd_s", "n", "sd_n"), [(10, 1, 20, 2), (-50, 3, 7, 1), (0, 1, 100, 30), (5, 0, 2, 0)])
def test_a_ratio_has_fiellers_interval(s: float, sd_s: float, n: float, sd_n: float) -> None:
    """The textbook's form: both ends r solve (s - r·n)² = z²·(sd_s² + r²·sd_n²)."""
    found = ratio((s, sd_s), (n, sd_n))
    assert found.value == pytest.approx(s / n)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= s / n <= found.high
    for r in (found.low, found.high):
        assert (s - r * n) ** 2 == pytest.approx(Z95**2 * (sd_s**2 + r**2 * sd_n**2), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("bottom", "told"),
    [((0.0, 1.0), False), ((0.0, 0.0), False), ((-10.0, 1.0), False), ((1.95, 1.0), False), ((1.97, 1.0), True)],
)
def test_a_ratio_over_about_nothing_has_no_value(bottom: tuple[float, float], told: bool) -> None:
    found = ratio((3.0, 1.0), bottom)
    assert (found.value is not None) == told
    assert told or found == Estimate(None, None, None)


def test_arrow_keeps_keys_as_text_and_estimates_as_doubles() -> None:
    schema = table("SELECT sex, alive, avg(score) AS a FROM person GROUP BY sex, alive").to_arrow().schema
    assert {field.name: field.type for field in schema} == {
        "sex": pa.string(),
        "sex_label": pa.string(),
        "alive": pa.string(),
        "a": pa.float64(),
        "a_low": pa.float64(),
        "a_high": pa.float64(),
    }


def test_a_column_of_nothing_but_unknown_ratios_is_still_of_doubles() -> None:
    query = compile_query("SELECT avg(score) AS a FROM person", made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    found = read(query, plan, [0] * plan.length, 1, made_up()).to_arrow()
    assert found.schema.types == [pa.float64()] * 3
    assert found.to_pylist() == [{"a": None, "a_low": None, "a_high": None}]


def test_a_name_of_the_querys_own_never_hides_an_interval() -> None:
    found = table("SELECT count(*) AS n, count(DISTINCT pid) AS n_low FROM event").to_arrow()
    assert found.column_names == ["n", "n_low_", "n_high", "n_low", "n_low_low", "n_low_high"]
    assert found["n_low"].to_pylist() == [1.0]
    assert found["n_low_"].to_pylist()[0] < 0


def test_the_document_has_columns_with_caveats_and_rows_of_data() -> None:
    found = table("SELECT sex, count(DISTINCT pid) AS n FROM person GROUP BY sex").document()
    caveats = ["noise-only-interval", "person-counted-once-per-trust", "contribution-bounded"]
    assert found["columns"] == [
        {"name": "sex", "kind": "key", "type": "text", "caveats": []},
        {"name": "n", "kind": "estimate", "type": "number", "caveats": caveats},
    ]
    assert [row[0] for row in found["rows"]][2:] == [
        {"kind": "value", "value": "é", "label": "Not ASCII"},
        {"kind": "other", "value": "other", "label": ""},
        {"kind": "missing", "value": "missing", "label": ""},
    ]
    assert set(found["rows"][0][1]) == {"value", "low", "high"}
    assert math.isclose(found["rows"][0][1]["low"], -found["rows"][0][1]["high"])


RATE = "SELECT sex, count(*) AS n, count(*) FILTER (WHERE alive) / count(*) AS r FROM person GROUP BY sex"


def test_a_rate_has_a_second_interval_in_every_form() -> None:
    query = compile_query(RATE, made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    # Of five cells, the first has 400 of 1,000; the second nobody.
    found = read(query, plan, [1000, 0, 0, 0, 0, 400, 0, 0, 0, 0], 1, made_up())
    assert [column.rate for column in found.columns] == [False, False, True]
    first, second = (row[2] for row in found.rows[:2])
    assert isinstance(first, Estimate)
    assert first.combined is not None
    assert first.low is not None
    assert first.combined[0] < first.low < 0.4
    cell = found.document()["rows"][0][2]
    assert cell["interval_combined"] == {"low": first.combined[0], "high": first.combined[1]}
    assert second == Estimate(None)
    assert found.document()["rows"][1][2] == {"value": None, "low": None, "high": None, "interval_combined": None}
    assert set(found.document()["rows"][0][1]) == {"value", "low", "high"}
    flat = found.flat_columns()
    assert list(flat)[5:] == ["r", "r_low", "r_high", "r_low_combined", "r_high_combined"]
    assert flat["r_low_combined"][:2] == [first.combined[0], None]
    assert found.to_arrow().schema.field("r_high_combined").type == pa.float64()

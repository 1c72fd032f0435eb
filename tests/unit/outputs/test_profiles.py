"""Disclosure profiles: at the threshold, one below and one above, for every kind of figure and every expression."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.factories.catalogues import made_up
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.outputs import NONE, PROFILES, Estimate, KeyCell, Profile, Table, profile_named, read, strictest
from trustquery.outputs.profiles import REASONS
from trustquery.planning import compile_plan

PERSON = "FROM person GROUP BY sex"
EVENT = "FROM event e"


def shown(
    sql: str, cells: dict[str, list[int]] | list[int], profile: str = "acro-threshold-10", trusts: int = 1
) -> Table:
    """The table over a vector with one number a cell: the same in each cell of a block unless listed."""
    query = compile_query(sql, made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())
    vector = list(cells) if isinstance(cells, list) else []
    assert len(vector) == plan.length, (plan.length, [block.id for block in plan.blocks])
    return read(query, plan, vector, trusts, made_up(), profile=profile_named(profile))


def words(table: Table, column: str = "n") -> list[str]:
    """A column as text: the value, the reason in brackets, or None."""
    place = [found.name for found in table.columns].index(column)
    return [text(row[place]) for row in table.rows]


def text(cell: KeyCell | Estimate) -> str:
    if isinstance(cell, KeyCell):
        return cell.text
    return f"({cell.suppressed})" if cell.suppressed else "none" if cell.value is None else f"{cell.value:g}"


# -- thresholds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "largest_withheld", "first_shown", "next_shown"),
    [
        ("nhs-hes", 7, "10", "10"),
        ("opensafely-7-5", 7, "10", "10"),
        ("hdruk-10-10", 10, "10", "10"),
        ("acro-threshold-10", 10, "11", "12"),
    ],
)
def test_the_number_in_the_name_is_withheld_and_the_next_is_shown(
    profile: str, largest_withheld: int, first_shown: str, next_shown: str
) -> None:
    found = PROFILES[profile]
    assert found.minimum_released_count == largest_withheld + 1
    for noised in (-(2**70), -5, -1, 0, 1, largest_withheld - 1, largest_withheld):
        assert words(shown("SELECT count(*) AS n FROM event", [noised], profile)) == ["(small-count)"]
    assert words(shown("SELECT count(*) AS n FROM event", [largest_withheld + 1], profile)) == [first_shown]
    assert words(shown("SELECT count(*) AS n FROM event", [largest_withheld + 2], profile)) == [next_shown]


def test_none_shows_everything() -> None:
    for noised in (-3, 0, 1, 7, 8):
        assert words(shown("SELECT count(*) AS n FROM event", [noised], "none")) == [str(noised)]


@pytest.mark.parametrize(
    ("profile", "noised", "rounded"),
    [("nhs-hes", 12, "10"), ("nhs-hes", 13, "15"), ("nhs-hes", 17, "15"), ("nhs-hes", 18, "20"),
     ("opensafely-7-5", 1002, "1000"), ("opensafely-7-5", 1003, "1005"),
     ("hdruk-10-10", 14, "10"), ("hdruk-10-10", 15, "20"), ("hdruk-10-10", 24, "20"), ("hdruk-10-10", 25, "30"),
     ("acro-threshold-10", 1003, "1003")],
)  # fmt: skip
def test_rounding_is_to_the_nearest_and_halves_go_up(profile: str, noised: int, rounded: str) -> None:
    assert words(shown("SELECT count(*) AS n FROM event", [noised], profile)) == [rounded]


def test_an_unknown_profile_is_refused() -> None:
    for name in ("", "None", "nhs_hes", "standard", "nhs-hes "):
        with pytest.raises(TrustQueryError) as found:
            profile_named(name)
        assert found.value.code == "policy-profile-unknown"


def test_the_strictest_is_the_largest_minimum_and_the_coarsest_rounding() -> None:
    def by(*names: str) -> tuple[str, int, int]:
        found = strictest(PROFILES[name] for name in names)
        return found.name, found.minimum_released_count, found.rounding

    assert by("none") == ("none", 0, 1)
    assert by("none", "nhs-hes") == ("nhs-hes", 8, 5)
    assert by("nhs-hes", "hdruk-10-10") == ("hdruk-10-10", 11, 10)
    assert by("acro-threshold-10", "opensafely-7-5") == ("acro-threshold-10+opensafely-7-5", 11, 5)
    assert by("opensafely-7-5", "acro-threshold-10") == by("acro-threshold-10", "opensafely-7-5", "none")
    with pytest.raises(ValueError, match="empty"):
        strictest([])


# -- kinds of figures ----------------------------------------------------------------------------------------------

MEASURES = "SELECT avg(e.amount) AS n FROM event e"


@pytest.mark.parametrize(("rows", "seen"), [(10, "(rests-on-small-count)"), (11, "50"), (12, "45.8333")])
def test_a_sum_and_a_mean_go_with_their_own_count(rows: int, seen: str) -> None:
    query = compile_query(
        "SELECT sum(e.amount) AS s, count(e.amount) AS c, avg(e.amount) AS m FROM event e",
        made_up(),
        epsilon=Decimal(100),
    )
    plan = compile_plan(query, made_up())
    total = 550 * 2 ** plan.blocks[0].fraction_bits
    table = read(query, plan, [total, rows], 1, made_up(), profile=PROFILES["acro-threshold-10"])
    if rows == 10:
        assert [text(cell) for cell in table.rows[0]] == [seen, "(small-count)", "(made-of-suppressed)"]
    else:
        assert [text(cell) for cell in table.rows[0]] == ["550", str(rows), seen]


def test_a_sum_without_its_count_is_suppressed() -> None:
    query = compile_query("SELECT sum(e.amount) AS n, count(*) AS rows FROM event e", made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())
    table = read(query, plan, [10_000, 500], 1, made_up(), profile=PROFILES["nhs-hes"])
    assert words(table) == ["(rests-on-no-count)"]
    assert words(table, "rows") == ["500"]


def test_a_mean_is_not_made_from_the_rounded_count() -> None:
    query = compile_query(
        "SELECT count(e.amount) AS c, avg(e.amount) AS m FROM event e", made_up(), epsilon=Decimal(100)
    )
    plan = compile_plan(query, made_up())
    bits = next(block.fraction_bits for block in plan.blocks if block.kind == "sum")
    vector = [12 if block.kind == "count" else 600 * 2**bits for block in plan.blocks]
    table = read(query, plan, vector, 1, made_up(), profile=PROFILES["nhs-hes"])
    assert [text(cell) for cell in table.rows[0]] == ["10", "50"]


def test_a_variance_is_not_made_from_the_rounded_count_and_goes_with_it() -> None:
    sql = "SELECT var_samp(e.size) AS v, stddev_samp(e.size) AS d FROM event e"
    query = compile_query(sql, made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())

    def under(name: str, rows: int) -> list[str]:
        told = {"count": rows, "sum": 48, "squares": 240}
        names = ["count" if block.kind == "count" else "squares" if block.hi > 9 else "sum" for block in plan.blocks]
        return [
            text(cell)
            for cell in read(query, plan, [told[name] for name in names], 1, made_up(), profile=PROFILES[name]).rows[0]
        ]

    assert under("nhs-hes", 12) == under("none", 12)
    assert under("nhs-hes", 12)[0] != "none"
    assert under("nhs-hes", 7) == ["(made-of-suppressed)", "(made-of-suppressed)"]


@pytest.mark.parametrize("flag", ["CASE WHEN e.size > 3 THEN 1 ELSE 0 END", "CASE WHEN e.size > 3 THEN 5 ELSE 0 END"])
def test_a_sum_of_flags_is_a_count(flag: str) -> None:
    sql = f"SELECT sum({flag}) AS n, count({flag}) AS c FROM event e"
    query = compile_query(sql, made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())
    unit = 5 if "5" in flag else 1

    def at(counted: int) -> str:
        vector = [counted * unit * 2**block.fraction_bits if block.kind == "sum" else 500 for block in plan.blocks]
        return words(read(query, plan, vector, 1, made_up(), profile=PROFILES["nhs-hes"]))[0]

    assert [at(counted) for counted in (-9, 0, 7)] == ["(small-count)"] * 3
    assert [at(8), at(13)] == [str(10 * unit), str(15 * unit)]


def test_a_rate_goes_with_its_numerator_and_with_its_denominator() -> None:
    sql = "SELECT count(*) FILTER (WHERE e.size > 3) * 1.0 / count(*) AS n FROM event e"
    assert words(shown(sql, [11, 100])) == ["0.11"]
    assert words(shown(sql, [10, 100])) == ["(made-of-suppressed)"]
    assert words(shown(sql, [100, 10])) == ["(made-of-suppressed)"]


def test_a_median_goes_with_its_total() -> None:
    query = compile_query("SELECT median(e.size) AS n FROM event e", made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())

    def at(total: int) -> str:
        vector = [0] * plan.length
        for position in range(plan.blocks[0].width):
            vector[position] = total // plan.blocks[0].width
        vector[0] += total % plan.blocks[0].width
        place = plan.blocks[0].width
        below = vector[:place]
        for size in plan.blocks[0].levels[1:]:
            branching = plan.blocks[0].branching
            below = [sum(below[at * branching : (at + 1) * branching]) for at in range(size)]
            vector[place : place + size] = below
            place += size
        return words(read(query, plan, vector, 1, made_up(), profile=PROFILES["acro-threshold-10"]))[0]

    assert at(9) == at(10) == "(rests-on-small-count)"
    assert at(11)[0] != "("


# -- what follows release ------------------------------------------------------------------------------------------

BASE = "SELECT sex, count(*) AS n FROM person GROUP BY sex"
SEVEN = [500, 7, 300, 8, -2]
"""F, M, é, other, missing."""


@pytest.mark.parametrize(
    "expression",
    [
        "n + 0", "0 + n",
        "n * 1", "n / 1", "n - n", "n * 0", "0 * n", "n / n", "- n", "abs(n)", "sqrt(n)", "round(n, 0)",
        "clamp(n, 0, 10)", "greatest(n, 0)", "least(n, 100)", "coalesce(n, 0)", "coalesce(NULL, n)", "nullif(n, 7)",
        "nullif(5, n)", "CASE WHEN n > 3 THEN 1 ELSE 0 END", "CASE WHEN n IS NULL THEN 1 ELSE 0 END",
        "CASE WHEN n IN (7) THEN 1 ELSE 0 END", "CASE WHEN NOT n < 7 THEN 1 ELSE 0 END", "NULL * n + 1",
        "CASE WHEN n > 3 AND sex = 'M' THEN 1 ELSE 0 END", "CASE WHEN sex = 'F' THEN 0 ELSE n END",
    ],
)  # fmt: skip
def test_no_expression_brings_a_suppressed_count_back(expression: str) -> None:
    table = shown(f"SELECT sex, {expression} AS x FROM ({BASE}) t", SEVEN, "nhs-hes")
    for row in (1, 4):
        cell = table.rows[row][1]
        # What hands the figure on hands its reason on too.
        assert text(cell) in ("(made-of-suppressed)", "(small-count)"), (row, cell)
    assert text(table.rows[0][1])[0] != "(" or expression == "n - n"


def test_a_key_computed_from_a_suppressed_figure_says_so() -> None:
    sql = f"SELECT sex, CASE WHEN n > 100 THEN 'many' ELSE 'few' END AS size FROM ({BASE}) t ORDER BY size"
    table = shown(sql, SEVEN, "nhs-hes")
    assert [[text(cell) for cell in row] for row in table.rows] == [
        ["other", "few"], ["F", "many"], ["é", "many"], ["M", "Suppressed"], ["missing", "Suppressed"],
    ]  # fmt: skip


def test_rows_with_suppressed_figures_hold_no_condition() -> None:
    def left(condition: str) -> list[str]:
        return words(shown(f"SELECT sex, n FROM ({BASE}) t WHERE {condition}", SEVEN, "nhs-hes"), "sex")

    for condition in ("n < 8", "n >= 0", "NOT n > 7", "n IS NULL", "n IS NOT NULL", "n <> 7", "n = 7"):
        assert "M" not in left(condition), condition
        assert "missing" not in left(condition), condition


def test_sorting_goes_by_what_is_shown() -> None:
    vector = [501, 7, 503, 499, -2]
    table = shown(f"{BASE} ORDER BY n DESC", vector, "nhs-hes")
    # 505 first; 501 and 499 are both 500 and keep the list's order; M and missing tell nothing of one another.
    assert list(zip(words(table, "sex"), words(table), strict=True)) == [
        ("é", "505"), ("F", "500"), ("other", "500"), ("M", "(small-count)"), ("missing", "(small-count)"),
    ]  # fmt: skip


def test_having_goes_by_what_is_shown() -> None:
    assert words(shown(f"{BASE} HAVING count(*) > 500", [502, 503, 498, 7, 8], "nhs-hes"), "sex") == ["M"]


def test_a_total_over_rows_with_a_suppressed_one_is_suppressed() -> None:
    table = shown(
        f"SELECT sum(n) AS n, max(n) AS most, avg(n) AS mean, count(n) AS rows FROM ({BASE}) t", SEVEN, "nhs-hes"
    )
    assert [text(cell) for cell in table.rows[0]] == ["(made-of-suppressed)"] * 3 + ["5"]
    plain = shown(f"SELECT sum(n) AS n FROM ({BASE}) t WHERE n > 0", SEVEN, "nhs-hes")
    assert words(plain) == ["810"]


def test_a_difference_of_counts_that_is_small_is_suppressed() -> None:
    sql = "SELECT count(*) - count(e.size) AS n FROM event e"
    assert words(shown(sql, [100, 90])) == ["(small-count)"]
    assert words(shown(sql, [100, 89])) == ["11"]


# -- margins -------------------------------------------------------------------------------------------------------


def test_a_part_so_large_that_its_remainder_is_small_is_withheld() -> None:
    sql = "SELECT count(*) AS whole, count(*) FILTER (WHERE e.size > 3) AS n FROM event e"
    assert words(shown(sql, [100, 90])) == ["(margin)"]
    assert words(shown(sql, [100, 89])) == ["89"]


def test_a_negation_does_not_give_its_other_half_away() -> None:
    sql = (
        "SELECT count(*) AS whole, count(*) FILTER (WHERE e.size > 3) AS n, "
        "count(*) FILTER (WHERE NOT e.size > 3) AS m FROM event e"
    )
    table = shown(sql, [140, 120, 9])
    assert [words(table, name)[0] for name in ("whole", "n", "m")] == ["140", "(margin)", "(small-count)"]


def test_one_small_bin_takes_the_smallest_other_with_it() -> None:
    sql = "SELECT count(amount) AS c, histogram(amount, [10, 20, 30]) AS h FROM event"
    query = compile_query(sql, made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())

    def at(*bins: int) -> list[str]:
        vector = [0] * plan.length
        for block in plan.blocks:
            vector[block.offset : block.offset + block.length] = bins if block.bins else [sum(bins)]
        return words(read(query, plan, vector, 1, made_up(), profile=PROFILES["acro-threshold-10"]), "h")

    assert at(40, 30, 20, 50) == ["40", "30", "20", "50"]
    assert at(40, 30, 10, 50) == ["40", "(margin)", "(small-count)", "50"]
    assert at(40, 3, 10, 50) == ["40", "(small-count)", "(small-count)", "50"]


def test_a_survival_curve_shows_no_step_that_tells_a_small_bin() -> None:
    sql = "SELECT survival(amount, flag, [10, 20, 30]) AS s FROM event"
    query = compile_query(sql, made_up(), epsilon=Decimal(100))
    plan = compile_plan(query, made_up())
    events, censored = (block for block in plan.blocks)

    def at(happened: list[int], left: list[int], profile: str = "nhs-hes") -> list[list[str]]:
        vector = [0] * plan.length
        vector[events.offset : events.offset + 4] = happened
        vector[censored.offset : censored.offset + 4] = left
        table = read(query, plan, vector, 1, made_up(), profile=PROFILES[profile])
        return [[text(cell) for cell in row[1:]] for row in table.rows]

    plain = at([20, 20, 20, 20], [0, 0, 0, 120])
    assert [row[0] for row in plain] == ["200", "180", "160", "140"]
    assert [row[1] for row in plain] == ["20"] * 4
    assert [row[2] for row in plain] == ["0.9", "0.8", "0.7", "0.6"]
    # Three events in the second bin: neither that bin's count nor its step, and then no bin's count at all.
    small = at([20, 3, 20, 20], [0, 0, 0, 137])
    assert [row[0] for row in small] == ["200", "(margin)", "175", "155"]
    assert [row[1] for row in small] == ["(margin)", "(small-count)", "(margin)", "(margin)"]
    assert small[1][2] == "(margin)"
    # Too few at risk at the end.
    few = at([50, 50, 50, 4], [0, 0, 0, 3])
    assert few[3] == ["(rests-on-small-count)", "(small-count)", "(rests-on-small-count)"]
    # Unrounded, the curve and the numbers at risk together would tell how few were censored.
    assert [row[0] for row in at([20, 20, 20, 20], [0, 0, 0, 120], "acro-threshold-10")][:3] == ["(margin)"] * 3


# -- channels ------------------------------------------------------------------------------------------------------


def test_suppressed_is_a_word_with_a_reason_in_every_channel() -> None:
    table = shown(BASE, SEVEN, "nhs-hes")
    document = json.loads(json.dumps(table.document()))
    assert document["rows"][1][1] == {"suppressed": "small-count", "reason": REASONS["small-count"]}
    assert document["disclosure"]["profile"] == "nhs-hes"
    assert "not protection" in document["disclosure"]["note"]
    sheet = table.flat_columns("Suppressed")
    assert sheet["n"] == [500.0, "Suppressed", 300.0, 10.0, "Suppressed"]
    assert sheet["n_low"][1] == sheet["n_high"][4] == "Suppressed"
    arrow = table.to_arrow().to_pydict()
    assert arrow["n"] == [500.0, None, 300.0, 10.0, None]
    assert arrow["n_suppressed"] == ["", "small-count", "", "", "small-count"]


def test_an_interval_leaves_room_for_the_rounding_and_says_nothing_of_the_value_before() -> None:
    def ends(noised: int) -> tuple[float, float]:
        cell = shown("SELECT count(*) AS n FROM event", [noised], "hdruk-10-10").rows[0][0]
        assert isinstance(cell, Estimate)
        assert cell.low is not None
        assert cell.high is not None
        return cell.low, cell.high

    plain = shown("SELECT count(*) AS n FROM event", [100], "none").rows[0][0]
    assert isinstance(plain, Estimate)
    assert plain.low is not None
    assert ends(95) == ends(100) == ends(104)
    assert ends(100)[0] == pytest.approx(plain.low - 5)
    assert ends(100)[1] == pytest.approx(200 - plain.low + 5)


def test_a_table_without_a_profile_says_nothing_of_one() -> None:
    table = shown(BASE, SEVEN, "none")
    assert "disclosure" not in table.document()
    assert "n_suppressed" not in table.flat_columns()
    assert table.profile == NONE
    assert isinstance(table.profile, Profile)

"""The one table of scalar functions: name, meaning, totality, facts about the result, SQL per engine, test vectors.

Every function is total: no value of its arguments raises an error on any engine, because an error is a leak
(design section 4). A missing argument makes the result missing, except where a row says otherwise. Arithmetic is IEEE
double arithmetic with NaN read as NULL; infinities stay until a bound or a comparison meets them. Times are what a
clock on the wall shows: there are no zones and no summer time. Text is a row of Unicode code points, compared by its
UTF-8 bytes. Logarithms, exponentials, powers and trigonometry are left out, because libraries differ in their last
bit; so are regular expressions, because their running time depends on data.
``trustquery/reference`` holds an independent plain-Python meaning of each row, and a specification runs both over the
same vectors.
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass

from trustquery.catalogue.schema import ColumnType
from trustquery.language import rules
from trustquery.language.rules import AGE_BANDS, DATE_PARTS, TRUNCATIONS, Literal, Rule, age_band_labels, band_labels
from trustquery.language.vectors import VECTORS, Vector

__all__ = [
    "AGE_BANDS",
    "DATE_PARTS",
    "FUNCTIONS",
    "TRUNCATIONS",
    "Function",
    "Literal",
    "age_band_labels",
    "band_labels",
]


@dataclass(frozen=True)
class Function:
    """One row of the table.

    Attributes:
        totality: what odd values give, for people.
        bounds: what is known of the result beforehand, for people; ``rule`` is the same for the machine.
        arity: fewest and most arguments; None for no upper end.
        rule: facts about the result from facts about the arguments; raises ``TypeMismatchError``.
        sql: engine name to SQL text; ``:0``, ``:1`` … are arguments. Empty when the engine module builds it.
        literals: positions of arguments that must be literals ("rest" = all after the first).
    """

    name: str
    meaning: str
    totality: str
    bounds: str
    arity: tuple[int, int | None]
    rule: Rule
    sql: dict[str, str]
    example: str
    literals: tuple[int, ...] | str = ()

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """Calls with arguments and the result that every engine and the plain evaluator give."""
        return VECTORS[self.name]

    def mentions(self, place: int) -> int:
        """How often the SQL repeats an argument: text written in one piece grows by this factor."""
        found = [text.count(f":{place}") for text in self.sql.values()]
        return max(1, *found) if found else 1


_DOUBLE = "CAST(:{} AS DOUBLE)"
_X, _Y = _DOUBLE.format(0), _DOUBLE.format(1)
_NAN = "CAST('nan' AS DOUBLE)"
_TEXT = "CAST(:0 AS VARCHAR)"
_DAY0, _DAY1, _DAY2, _DAY3 = (f"CAST(:{place} AS DATE)" for place in range(4))
_MOMENT = "CAST(:0 AS TIMESTAMP)"
_WHOLE_TEXT = "[+-]?[0-9]{1,15}"
_NUMBER_TEXT = "[+-]?[0-9]{1,15}([.][0-9]{1,15})?"
_DAY_TEXT = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}"
_TIME_TEXT = _DAY_TEXT + "( |T)([01][0-9]|2[0-3])([:][0-5][0-9]){1,2}"
_SHIFTED = "CAST(:2 AS TIMESTAMP) + CAST(CAST(:1 AS VARCHAR) || ' ' || :0 AS INTERVAL)"


def _duck(text: str) -> dict[str, str]:
    return {"duckdb": text}


def _real(operator: str) -> dict[str, str]:
    """Double arithmetic with NaN as NULL."""
    return _duck(f"nullif({_X} {operator} {_Y}, {_NAN})")


def _try(kind: str, pattern: str) -> dict[str, str]:
    """A cast that never fails; of a text only in one plain form, which every engine reads alike."""
    return _duck(
        f"CASE WHEN typeof(:0) <> 'VARCHAR' OR regexp_full_match({_TEXT}, '{pattern}') THEN TRY_CAST(:0 AS {kind}) END"
    )


def _extreme(operator: str) -> dict[str, str]:
    # An engine's own greatest and least pass over missing values.
    return _duck(f"CASE WHEN :0 IS NULL OR :1 IS NULL THEN NULL WHEN :0 {operator} :1 THEN :1 ELSE :0 END")


def _shift(kind: str) -> dict[str, str]:
    return _duck(f"CASE WHEN year({_SHIFTED}) BETWEEN 1 AND 9999 THEN CAST({_SHIFTED} AS {kind}) END")


def _translate(before: str, after: str) -> dict[str, str]:
    return _duck(f"translate({_TEXT}, '{before}', '{after}')")


_LOWER, _UPPER = string.ascii_lowercase, string.ascii_uppercase
_NULL_TOTAL = "NULL when an argument is NULL"
_RANGE = "NULL outside the years 1 to 9999"
_TRUTH = "true or false"
_SAME = "the argument's"
_CORNERS = "the corners of the arguments' intervals"
_ZERO = "NULL when the divisor is 0"
_TEXT_FORM = "NULL for a text of any other form than {}"
_DATE_WORDS = {
    "isodow": "day of the week, Monday 1 to Sunday 7,",
    "dayofyear": "day of the year",
    "week": "ISO week, which begins on Monday,",
    "second": "whole second",
    "hour_of_week": "hour of the week, 1 for Monday 00:00 to 168,",
}
_DATE_SQL = {
    "hour_of_week": f"CAST((isodow({_MOMENT}) - 1) * 24 + hour({_MOMENT}) + 1 AS BIGINT)",
}
_VALUES = "known values, where the argument's are"

_ROWS: tuple[Function, ...] = (
    # logic, comparison, choice
    Function("and", "both hold", "three-valued: false wins over NULL", _TRUTH, (2, None), rules.logic("and"), {}, "a AND b"),
    Function("or", "at least one holds", "three-valued: true wins over NULL", _TRUTH, (2, None), rules.logic("or"), {}, "a OR b"),
    Function("not", "does not hold", "NULL stays NULL", _TRUTH, (1, 1), rules.logic("not"), _duck("NOT :0"), "NOT a"),
    Function("eq", "equal", _NULL_TOTAL, _TRUTH, (2, 2), rules.compare, _duck(":0 = :1"), "a = b"),
    Function("ne", "not equal", _NULL_TOTAL, _TRUTH, (2, 2), rules.compare, _duck(":0 <> :1"), "a <> b"),
    Function("lt", "less", _NULL_TOTAL, _TRUTH, (2, 2), rules.compare, _duck(":0 < :1"), "a < b"),
    Function("le", "less or equal", _NULL_TOTAL, _TRUTH, (2, 2), rules.compare, _duck(":0 <= :1"), "a <= b"),
    Function("gt", "greater", _NULL_TOTAL, _TRUTH, (2, 2), rules.compare, _duck(":0 > :1"), "a > b"),
    Function("ge", "greater or equal", _NULL_TOTAL, _TRUTH, (2, 2), rules.compare, _duck(":0 >= :1"), "a >= b"),
    Function("is_distinct", "differs, where NULL is a value like any other", "never NULL", _TRUTH, (2, 2), rules.compare, _duck(":0 IS DISTINCT FROM :1"), "a IS DISTINCT FROM b"),
    Function("is_null", "is missing", "never NULL", _TRUTH, (1, 1), rules.is_null, _duck(":0 IS NULL"), "a IS NULL"),
    Function("in", "is one of the literals", "NULL when the first is NULL", _TRUTH, (2, None), rules.is_in, {}, "a IN (1, 2)", "rest"),
    Function("case", "the first result whose condition holds, else the last", "a NULL condition does not hold", "all that the results can be", (3, None), rules.case, {}, "CASE WHEN a > 0 THEN 'x' ELSE 'y' END"),
    Function("coalesce", "the first that is not NULL", "NULL when all are", "all that the arguments can be", (2, None), rules.coalesce, {}, "coalesce(a, 0)"),
    Function("greatest", "the largest", f"{_NULL_TOTAL} (DuckDB would pass over it)", "from the larger lower end to the larger upper end", (2, 2), rules.extreme("greatest", max), _extreme("<"), "greatest(a, b)"),
    Function("least", "the smallest", f"{_NULL_TOTAL} (DuckDB would pass over it)", "from the smaller lower end to the smaller upper end", (2, 2), rules.extreme("least", min), _extreme(">"), "least(a, b)"),
    # numbers
    Function("add", "sum", "infinity on overflow", _CORNERS, (2, 2), rules.arithmetic("+", lambda x, y: x + y), _real("+"), "a + b"),
    Function("sub", "difference", "infinity on overflow", _CORNERS, (2, 2), rules.arithmetic("-", lambda x, y: x - y), _real("-"), "a - b"),
    Function("mul", "product", "infinity on overflow", _CORNERS, (2, 2), rules.arithmetic("*", lambda x, y: x * y), _real("*"), "a * b"),
    Function("div", "quotient", _ZERO, f"{_CORNERS}, where the divisor cannot be 0", (2, 2), rules.quotient("/"), _duck(f"nullif({_X} / nullif({_Y}, 0), {_NAN})"), "a / b"),
    Function("int_div", "the whole part of the quotient, cut towards 0", f"{_ZERO}; infinity on overflow (DuckDB would keep a fraction of fractions)", f"{_CORNERS}, where the divisor cannot be 0", (2, 2), rules.quotient("//", rules.truncated), _duck(f"trunc(nullif({_X} / nullif({_Y}, 0), {_NAN}))"), "a // b"),
    Function("mod", "what is left of the first after whole multiples of the second, with the first's sign", _ZERO, "no larger than the first, smaller than the second", (2, 2), rules.remainder, _duck(f"nullif({_X} % nullif({_Y}, 0), {_NAN})"), "a % b"),
    Function("neg", "minus the value", _NULL_TOTAL, "the argument's, turned round", (1, 1), rules.negate, _duck(f"0 - {_X}"), "-a"),
    Function("abs", "absolute value", _NULL_TOTAL, "from 0, or the end nearer to it", (1, 1), rules.absolute, _duck(f"abs({_X})"), "abs(a)"),
    Function("floor", "the whole number at or below", _NULL_TOTAL, f"{_SAME}, to whole numbers below", (1, 1), rules.whole("floor", math.floor), _duck(f"floor({_X})"), "floor(a)"),
    Function("ceil", "the whole number at or above", _NULL_TOTAL, f"{_SAME}, to whole numbers above", (1, 1), rules.whole("ceil", math.ceil), _duck(f"ceil({_X})"), "ceil(a)"),
    Function("round", "the nearest number of so many digits after the point, 0 to 6; halves away from 0, of the value times a power of 10", f"{_NULL_TOTAL}; unchanged when too large to have such digits", f"{_SAME}, rounded", (2, 2), rules.rounded, _duck(f"round({_X}, CAST(:1 AS INTEGER))"), "round(a, 1)", (1,)),
    Function("sign", "-1, 0 or 1", _NULL_TOTAL, "-1, 0 or 1", (1, 1), rules.sign, _duck(f"CAST(sign({_X}) AS BIGINT)"), "sign(a)"),
    Function("sqrt", "square root", "NULL below 0", f"{_SAME}, rooted, to whole numbers outwards", (1, 1), rules.root, _duck(f"sqrt(CASE WHEN {_X} >= 0 THEN {_X} END)"), "sqrt(a)"),
    Function(
        "clamp", "the value, at least lo and at most hi", _NULL_TOTAL, "lo to hi", (3, 3), rules.clamp,
        _duck(f"CASE WHEN :0 IS NULL THEN NULL WHEN {_X} < {_Y} THEN {_Y} WHEN {_X} > {_DOUBLE.format(2)} THEN {_DOUBLE.format(2)} ELSE {_X} END"),
        "clamp(a, 0, 100)", (1, 2),
    ),
    Function("band", "the label of the band that holds the value", _NULL_TOTAL, "the labels", (2, 200), rules.band, {}, "band(a, 18, 65)", "rest"),
    Function("age_band", "five-year age band, 0-4 to 90+", "NULL below 0 and when NULL", "the labels", (1, 1), rules.age_band, {}, "age_band(a)"),
    # casts
    Function("to_integer", "a whole number of 64 bits: the nearest to a number, halves to the even one; 1 or 0 for true or false; or what a text says", f"NULL out of range; {_TEXT_FORM.format('an optional sign and 1 to 15 digits')}", f"{_SAME}, to whole numbers; none for a text", (1, 1), rules.to_integer, _try("BIGINT", _WHOLE_TEXT), "CAST(a AS INTEGER)"),
    Function("to_number", "a number: of a whole number, of true (1) or false (0), or what a text says", _TEXT_FORM.format("an optional sign, 1 to 15 digits and perhaps a point with 1 to 15 more"), f"{_SAME}; none for a text", (1, 1), rules.to_number, _try("DOUBLE", _NUMBER_TEXT), "CAST(a AS DOUBLE)"),
    Function("to_date", "the day of a timestamp, or what a text says", _TEXT_FORM.format("2018-01-31, and for a day that no calendar has"), "none; a key needs a literal range of dates", (1, 1), rules.to_date, _try("DATE", _DAY_TEXT), "CAST(t AS DATE)"),
    Function("to_timestamp", "midnight of a date, or what a text says", _TEXT_FORM.format("2018-01-31 23:59 or 2018-01-31 23:59:59, with a blank or a T between, and for a day that no calendar has"), "none", (1, 1), rules.to_timestamp, _try("TIMESTAMP", _TIME_TEXT), "CAST(d AS TIMESTAMP)"),
    # dates and times
    *(
        Function(
            part, f"the {_DATE_WORDS.get(part, part)} of a {'timestamp' if part in rules.CLOCK_PARTS else 'date'}",
            "NULL when NULL", f"{low} to {high}", (1, 1), rules.date_part(part),
            _duck(_DATE_SQL.get(part, f"{part}({_MOMENT})")), f"{part}({'t' if part in rules.CLOCK_PARTS else 'd'})",
        )
        for part, (low, high) in DATE_PARTS.items()
    ),
    Function("date_trunc", "first day of the year, quarter, month, week (Monday) or day", "NULL when NULL", "none; a key needs a literal range of dates", (2, 2), rules.date_trunc, _duck("CAST(date_trunc(:0, CAST(:1 AS TIMESTAMP)) AS DATE)"), "date_trunc('month', d)", (0,)),
    Function("date_diff", "how many beginnings of a year, quarter, month, week (Monday), day, hour or minute lie after the second argument and not after the third; minus that when they are in the other order (DuckDB would count whole weeks)", "NULL when either is NULL", "whole, without bounds", (3, 3), rules.date_diff, _duck("CAST(date_diff(:0, CAST(:1 AS TIMESTAMP), CAST(:2 AS TIMESTAMP)) AS DOUBLE)"), "date_diff('day', start, finish)", (0,)),
    Function("date_add", "the date so many days, weeks, months, quarters or years later; the month's last day where there is no such day", f"NULL when NULL; {_RANGE}", "none", (3, 3), rules.shift(ColumnType.DATE), _shift("DATE"), "d + INTERVAL 30 DAY", (0, 1)),
    Function("timestamp_add", "the moment so many minutes, hours, days, weeks, months, quarters or years later; the month's last day where there is no such day", f"NULL when NULL; {_RANGE}", "none", (3, 3), rules.shift(ColumnType.TIMESTAMP), _shift("TIMESTAMP"), "t + INTERVAL 4 HOUR", (0, 1)),
    Function("last_day", "last day of the month", "NULL when NULL", "none", (1, 1), rules.last_day, _duck(f"last_day({_DAY0})"), "last_day(d)"),
    Function(
        "age_years", "whole years from the first date to the second; who was born on 29 February is a year older on 1 March of other years", "NULL when the second is before the first", "whole, from 0", (2, 2), rules.age_years,
        _duck(f"CASE WHEN {_DAY1} < {_DAY0} THEN NULL ELSE CAST(year({_DAY1}) - year({_DAY0}) - CASE WHEN month({_DAY1}) * 100 + day({_DAY1}) < month({_DAY0}) * 100 + day({_DAY0}) THEN 1 ELSE 0 END AS BIGINT) END"),
        "age_years(birth_date, admission_date)",
    ),
    Function(
        "overlap_days", "days that two ranges share; a range holds its first date and not its last", "0 when they do not meet, or when a range ends before it begins", "whole, from 0 to the length of a range of two literals", (4, 4), rules.overlap_days,
        _duck(f"CASE WHEN :0 IS NULL OR :1 IS NULL OR :2 IS NULL OR :3 IS NULL THEN NULL ELSE CAST(greatest(0, date_diff('day', greatest({_DAY0}, {_DAY2}), least({_DAY1}, {_DAY3}))) AS BIGINT) END"),
        "overlap_days(admitted, discharged, DATE '2018-01-01', DATE '2018-02-01')",
    ),
    # text
    Function("starts_with", "begins with the text", _NULL_TOTAL, _TRUTH, (2, 2), rules.text_test("starts_with"), _duck("starts_with(:0, :1)"), "starts_with(code, 'E11')", (1,)),
    Function("ends_with", "ends with the text", _NULL_TOTAL, _TRUTH, (2, 2), rules.text_test("ends_with"), _duck(f"suffix({_TEXT}, CAST(:1 AS VARCHAR))"), "ends_with(code, 'X')", (1,)),
    Function("contains", "holds the text somewhere", _NULL_TOTAL, _TRUTH, (2, 2), rules.text_test("contains"), _duck(f"contains({_TEXT}, CAST(:1 AS VARCHAR))"), "contains(code, '.')", (1,)),
    Function("like", "has the form of the pattern: _ is any one character, % any number of them; one % anywhere, or one at each end", "NULL when the text is NULL", _TRUTH, (2, 2), rules.like, _duck(f"{_TEXT} LIKE :1"), "code LIKE 'E1_.%'", (1,)),
    Function("left", "the first characters, 1 to 100", "NULL when NULL; all there are when there are fewer", _VALUES, (2, 2), rules.cut("left", "left(code, 3)", lambda text, count: text[:count]), _duck(f"left({_TEXT}, :1)"), "left(code, 3)", (1,)),
    Function("right", "the last characters, 1 to 100", "NULL when NULL; all there are when there are fewer", _VALUES, (2, 2), rules.cut("right", "right(code, 3)", lambda text, count: text[-count:]), _duck(f"right({_TEXT}, :1)"), "right(code, 3)", (1,)),
    Function("substr", "so many characters (0 to 100) from a place (1 to 100)", "NULL when NULL; empty beyond the end", _VALUES, (3, 3), rules.cut("substr", "substr(code, 1, 3)", lambda text, start, count: text[start - 1 : start - 1 + count]), _duck(f"substr({_TEXT}, :1, :2)"), "substr(code, 2, 3)", (1, 2)),
    Function("lower", "A to Z as a to z; no other letter changes, because systems differ over them", _NULL_TOTAL, _VALUES, (1, 1), rules.text_change("lower", lambda text: text.translate(str.maketrans(_UPPER, _LOWER))), _translate(_UPPER, _LOWER), "lower(code)"),
    Function("upper", "a to z as A to Z; no other letter changes, because systems differ over them", _NULL_TOTAL, _VALUES, (1, 1), rules.text_change("upper", lambda text: text.translate(str.maketrans(_LOWER, _UPPER))), _translate(_LOWER, _UPPER), "upper(code)"),
    Function("trim", "without the blanks at both ends; tabs and line ends stay", _NULL_TOTAL, _VALUES, (1, 1), rules.text_change("trim", lambda text: text.strip(" ")), _duck(f"trim({_TEXT}, ' ')"), "trim(code)"),
    Function("length", "how many characters (code points)", _NULL_TOTAL, "whole, from 0", (1, 1), rules.length, _duck(f"length({_TEXT})"), "length(code)"),
    Function("concat", "one text after the other, the first 1,000 characters", f"{_NULL_TOTAL} (DuckDB's concat would pass over it, its || would not)", "joined values, where both texts' are known", (2, 2), rules.concat, _duck(f"left({_TEXT} || CAST(:1 AS VARCHAR), {rules.MAX_TEXT_RESULT})"), "a || b"),
)  # fmt: skip

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}

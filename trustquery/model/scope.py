"""What expressions may name: the columns of every relation, with their public facts, and whether rows are people's.

Problems are reported, not raised, so that one pass finds them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from trustquery.catalogue.schema import Catalogue, ColumnType, DomainValue, Role, Table
from trustquery.codelists import PublicTable, PublicTables
from trustquery.errors import nearest
from trustquery.language.types import BOOLEAN, NULL, Info, TypeMismatchError, column_info, common_type, union
from trustquery.model.facts import Report, infer, unreported
from trustquery.model.nodes import MAX_TEXT, ColumnRef, Expression, walk
from trustquery.model.relations import (
    FOUND,
    Derived,
    Filter,
    Join,
    Mark,
    PerPerson,
    PersonValue,
    Relation,
    Scan,
    UnionAll,
    Window,
    Windows,
)

__all__ = ["Field", "Rows", "Shape", "Tables", "rows_of", "shape_of_public", "shape_of_table"]


@dataclass(frozen=True)
class Field:
    """One column of a relation.

    Attributes:
        origin: for identifiers, the catalogue column's own name: only equals meet.
        fraction_bits: the precision that the catalogue declares for a measure.
        domain: coded values with the words shown to people, where the catalogue has them.
        vocabulary: the coded vocabulary that the column's values belong to, where the catalogue names one.
    """

    name: str
    info: Info
    role: Role
    origin: str = ""
    fraction_bits: int = 0
    domain: tuple[DomainValue, ...] = ()
    vocabulary: str = ""


@dataclass(frozen=True)
class Shape:
    """The columns under one alias.

    Attributes:
        name: the table's name, or the alias of a subquery; for messages.
        person_key: the name under which text may mention the person key, or None where it may not.
        public: rows are about nobody.
        one_row: at most one row a person, by construction.
        groups: cells one person's rows are expected to touch; a default for G.
        rows: rows one person is expected to add to a cell; a default for R.
    """

    name: str
    columns: tuple[Field, ...]
    person_key: str | None = None
    public: bool = False
    one_row: bool = False
    groups: int = 1
    rows: int = 1

    def column(self, name: str) -> Field | None:
        """The column called ``name``, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Rows:
    """What a relation gives.

    Attributes:
        scope: alias to columns.
        public: no row is about a person.
        one_row: at most one row a person.
        groups: as in ``Shape``.
        rows: as in ``Shape``.
    """

    scope: Mapping[str, Shape]
    public: bool = False
    one_row: bool = False
    groups: int = 1
    rows: int = 1


def shape_of_table(table: Table) -> Shape:
    """Columns of a catalogue table about people."""
    fields = tuple(
        Field(
            column.name,
            column_info(column, table),
            column.role,
            column.name,
            column.fraction_bits,
            column.domain or (),
            column.vocabulary or "",
        )
        for column in table.columns
    )
    return Shape(
        table.name,
        fields,
        table.person_key,
        one_row=table.one_row_per_person,
        groups=1 if table.one_row_per_person else table.max_groups_per_person,
        rows=1 if table.one_row_per_person else table.max_rows_per_group,
    )


def shape_of_public(table: PublicTable) -> Shape:
    """Columns of a public table; its pinned rows are the domain and the bounds of each column."""
    return Shape(
        table.id,
        tuple(
            Field(column.name, _public_info(column.type, table.values(column.name)), Role.DIMENSION)
            for column in table.columns
        ),
        public=True,
    )


def _public_info(kind: ColumnType, values: tuple[int | str | bool | None, ...]) -> Info:
    numbers = [Fraction(str(value)) for value in values] if kind in (ColumnType.INTEGER, ColumnType.NUMBER) else []
    # A value longer than a literal of the model cannot be a key's.
    coded = kind not in (ColumnType.NUMBER, ColumnType.TIMESTAMP) and all(len(str(v)) <= MAX_TEXT for v in values)
    return Info(
        kind,
        min(numbers) if numbers else None,
        max(numbers) if numbers else None,
        integral=bool(numbers) and all(number.denominator == 1 for number in numbers),
        values=tuple(value for value in values if value is not None) or None if coded else None,
        # The same row of a public table may meet any of a person's rows.
        person_only=False,
    )


class Tables:
    """Tables that a query may scan: those of a catalogue about people, and public ones."""

    def __init__(self, catalogue: Catalogue, public: PublicTables) -> None:
        self.catalogue, self.public = catalogue, public
        self._shapes: dict[str, Shape] = {}

    def shape(self, name: str) -> Shape | None:
        """The columns of a table, or None where there is none."""
        if name not in self._shapes:
            table = self.catalogue.table(name)
            if table is not None and table.kind == "person":
                self._shapes[name] = shape_of_table(table)
            elif (found := self.public.get(name)) is not None:
                self._shapes[name] = shape_of_public(found)
            else:
                return None
        return self._shapes[name]

    def open(self, name: str) -> PublicTable | None:
        """The public table of that name, if no table about people has it."""
        shape = self.shape(name)
        return self.public.get(name) if shape is not None and shape.public else None

    def nearest(self, name: str) -> str:
        """A name to suggest instead."""
        names = [table.name for table in self.catalogue.tables if table.kind == "person"]
        return nearest(name, [*names, *self.public.names()]) or names[0]


def rows_of(node: Relation, tables: Tables, report: Report) -> Rows:
    """The columns that expressions above ``node`` may name; everything wrong in it and below is reported.

    Args:
        report: called with ``code, node, **fields``.
    """
    match node:
        case Scan():
            return _scan(node, tables, report)
        case Join():
            return _join(node, tables, report)
        case Filter():
            found = rows_of(node.source, tables, report)
            condition(node.predicate, found.scope, report)
            return found
        case Mark():
            return _mark(node, tables, report)
        case Windows():
            return _windows(node, tables, report)
        case Derived():
            return _derived(node, tables, report)
        case PerPerson():
            return _per_person(node, tables, report)
        case UnionAll():
            return _union_all(node, tables, report)


def condition(node: Expression, scope: Mapping[str, Shape], report: Report) -> None:
    """Report a condition that is not boolean, and everything wrong in it."""
    info = infer(node, scope, report)
    if info.type not in (None, ColumnType.BOOLEAN):
        report(
            "query-type", node, what="a condition", found=info.type, needed="boolean",
            instead="write a comparison such as x > 0",
        )  # fmt: skip


def _scan(node: Scan, tables: Tables, report: Report) -> Rows:
    shape = tables.shape(node.table)
    if shape is None:
        close = tables.nearest(node.table)
        report("query-unknown-table", node, table=node.table, catalogue=tables.catalogue.id, nearest=close)
        return Rows({node.alias: Shape(node.table, ())})
    return _one(node.alias, shape)


def _one(alias: str, shape: Shape) -> Rows:
    return Rows({alias: shape}, shape.public, shape.one_row, shape.groups, shape.rows)


def _join(node: Join, tables: Tables, report: Report) -> Rows:
    left, right = rows_of(node.left, tables, report), rows_of(node.right, tables, report)
    scope = {**left.scope, **right.scope}
    if left.public != right.public:
        # A row of a public table that meets nobody must not show: that nobody is there is not public.
        allowed = ("inner", "right") if left.public else ("inner", "left")
        if node.kind not in allowed:
            report("query-public-first", node, form=f"{node.kind.upper()} JOIN")
    if node.condition is not None:
        condition(node.condition, scope, report)
    outer = {
        "left": set(right.scope),
        "right": set(left.scope),
        "full": {*left.scope, *right.scope},
        "inner": set(),
    }[node.kind]
    # Missing for some rows of a person and there for others, when a condition or another table decides.
    loose = outer if node.condition is not None or node.kind != "left" else set()
    scope = {alias: _loosened(shape) if alias in loose else shape for alias, shape in scope.items()}
    return Rows(
        scope,
        left.public and right.public,
        left.one_row and right.one_row,
        max(left.groups, right.groups),
        left.rows * right.rows,
    )


def _loosened(shape: Shape) -> Shape:
    columns = tuple(replace(field, info=replace(field.info, person_only=False)) for field in shape.columns)
    return replace(shape, columns=columns)


def _mark(node: Mark, tables: Tables, report: Report) -> Rows:
    found, inner = rows_of(node.source, tables, report), rows_of(node.rows, tables, report)
    if found.public and not inner.public:
        report("query-public-first", node, form="EXISTS or IN about people")
    both = {**found.scope, **inner.scope}
    if node.condition is not None:
        condition(node.condition, both, report)
    whole = node.condition is None or infer(node.condition, both, unreported).person_only
    # Whether a person has such a row is a fact of the person, unless the condition asks about the outer row.
    asks = node.condition is not None and any(alias in found.scope for alias in _aliases_in(node.condition))
    mark = Shape(node.alias, (Field(FOUND, replace(BOOLEAN, person_only=whole or not asks), Role.DIMENSION),))
    return replace(found, scope={**found.scope, node.alias: mark})


def _aliases_in(node: Expression) -> set[str]:
    return {part.alias for part in walk(node) if isinstance(part, ColumnRef)}


def _windows(node: Windows, tables: Tables, report: Report) -> Rows:
    found = rows_of(node.source, tables, report)
    if found.public:
        report("query-subquery-crosses-persons", node, form="a window", instead="use windows on rows about people")
    fields = tuple(
        Field(window.name, _window(window, found.scope, report), Role.DIMENSION, fraction_bits=window.fraction_bits)
        for window in node.columns
    )
    return replace(found, scope={**found.scope, node.alias: Shape(node.alias, fields)})


def _window(node: Window, scope: Mapping[str, Shape], report: Report) -> Info:
    arguments = [infer(part, scope, report) for part in node.arguments]
    for part in node.partition:
        infer(part, scope, report)
    orders = [infer(item.expression, scope, report) for item in node.order]
    if node.frame is not None and node.frame.mode == "range" and (node.frame.start or node.frame.end):
        kind = orders[0].type if orders else None
        if kind not in (None, ColumnType.DATE, ColumnType.INTEGER):
            report(
                "query-type", node.order[0].expression, what="the order of a RANGE frame", found=kind,
                needed="date or integer", instead="order by a date: distances are days",
            )  # fmt: skip
    name = node.function
    if name in ("row_number", "rank", "dense_rank", "count", "ntile"):
        count = Info(ColumnType.INTEGER, Fraction(0 if name == "count" else 1), None, integral=True, person_only=False)
        if name == "ntile":
            most = node.arguments[0].value  # type: ignore[union-attr]
            values = tuple(range(1, int(most or 1) + 1))
            return replace(count, hi=Fraction(values[-1]), values=values)
        return count
    value = arguments[0]
    if name in ("sum", "avg"):
        return replace(_fixed(node, value, report, node.arguments[0], average=name == "avg"), person_only=False)
    if len(arguments) == 3:
        value = _with_default(value, arguments[2], node, report)
    return replace(value, person_only=False)


def _with_default(value: Info, default: Info, node: Window, report: Report) -> Info:
    """A value of lag or lead, or its default where there is no such row."""
    what = f"the default of {node.function}"
    try:
        if value.temporal and default.temporal and value.type is not default.type:
            # An engine would turn one into the other in a way of its own.
            raise TypeMismatchError(what, default.type, str(value.type), f"give a {value.type}")
        return union([value, default], what)
    except TypeMismatchError as error:
        _mismatch(error, node.arguments[2], report)
        return value


def _mismatch(error: TypeMismatchError, node: object, report: Report) -> None:
    report("query-type", node, what=error.what, found=error.found or "NULL", needed=error.needed, instead=error.instead)


def _fixed(node: Window | PersonValue, value: Info, report: Report, written: object, *, average: bool) -> Info:
    """A sum (never bounded from above by itself) or average of fixed-point numbers."""
    if value.type is not None and not value.numeric:
        report(
            "query-type", written, what="the argument of sum or avg", found=value.type, needed="integer or number",
            instead="sum a numeric column or expression",
        )  # fmt: skip
    scale = 2**node.fraction_bits
    if average:
        return Info(ColumnType.NUMBER, Fraction(node.lo, scale), Fraction(node.hi, scale))
    lo = Fraction(0) if node.lo >= 0 else None
    hi = Fraction(0) if node.hi <= 0 else None
    return Info(ColumnType.NUMBER, lo, hi, integral=node.fraction_bits == 0)


def _derived(node: Derived, tables: Tables, report: Report) -> Rows:
    found = rows_of(node.source, tables, report)
    fields = tuple(_field(column.name, column.expression, found.scope, report) for column in node.columns)
    shape = Shape(node.alias, fields, None, found.public, found.one_row, found.groups, found.rows)
    return _one(node.alias, shape)


def _field(name: str, node: Expression, scope: Mapping[str, Shape], report: Report) -> Field:
    """A column of a subquery: identifiers may pass, untouched and still identifiers."""
    if isinstance(node, ColumnRef) and node.alias in scope:
        field = scope[node.alias].column(node.column)
        if field is not None and field.role is Role.JOIN_ONLY:
            return replace(field, name=name)
        if field is not None and field.role is not Role.PERSON_KEY and field.role is not Role.FORBIDDEN:
            return replace(field, name=name, origin="")
    return Field(name, infer(node, scope, report), Role.DIMENSION)


def _per_person(node: PerPerson, tables: Tables, report: Report) -> Rows:
    found = rows_of(node.source, tables, report)
    if found.public:
        report("query-only-public", node)
    keys = tuple(_field(key.name, key.expression, found.scope, report) for key in node.keys)
    values = tuple(
        Field(value.name, _person_value(value, found.scope, report), Role.DIMENSION, fraction_bits=value.fraction_bits)
        for value in node.values
    )
    if not keys:
        # One row a person: whatever it says, it says of the person.
        values = tuple(replace(field, info=replace(field.info, person_only=True)) for field in values)
    one = not keys
    groups = 1 if one else found.groups * found.rows
    return _one(node.alias, Shape(node.alias, (*keys, *values), None, False, one, groups, 1))


def _person_value(node: PersonValue, scope: Mapping[str, Shape], report: Report) -> Info:
    if node.filter is not None:
        condition(node.filter, scope, report)
    if node.argument is None:
        return Info(ColumnType.INTEGER, Fraction(0), None, integral=True, person_only=False)
    value = infer(node.argument, scope, report)
    if node.kind in ("count", "count_distinct"):
        return Info(ColumnType.INTEGER, Fraction(0), None, integral=True, person_only=False)
    if node.kind in ("any", "every"):
        condition(node.argument, scope, report)
        return replace(BOOLEAN, person_only=False)
    if node.kind in ("sum", "avg"):
        return replace(_fixed(node, value, report, node.argument, average=node.kind == "avg"), person_only=False)
    return replace(value, person_only=False)


def _union_all(node: UnionAll, tables: Tables, report: Report) -> Rows:
    branches = [rows_of(branch, tables, report) for branch in node.branches]
    shapes = [next(iter(branch.scope.values())) for branch in branches]
    if any(branch.public for branch in branches):
        report("query-only-public", node)
    fields = tuple(_merged(columns, node, report) for columns in zip(*(shape.columns for shape in shapes), strict=True))
    shape = Shape(
        node.alias,
        fields,
        groups=sum(branch.groups for branch in branches),
        rows=sum(branch.rows for branch in branches),
    )
    return _one(node.alias, shape)


def _merged(columns: tuple[Field, ...], node: UnionAll, report: Report) -> Field:
    first = columns[0]
    if any(column.role is Role.JOIN_ONLY for column in columns):
        if len({(column.role, column.origin) for column in columns}) != 1:
            report("query-subquery-columns", node, reason=f"{first.name} is an identifier in one of them only")
        return first
    infos = [column.info for column in columns]
    try:
        if len({info.type for info in infos if info.type is not None}) > 1:
            common_type(infos, first.name)
            # Engines would convert in ways of their own.
            raise TypeMismatchError(first.name, infos[1].type, str(infos[0].type), "")
        info = union(infos, first.name)
    except TypeMismatchError:
        kinds = ", ".join(str(info.type or "NULL") for info in infos)
        report("query-subquery-columns", node, reason=f"{first.name} has the types {kinds}")
        info = NULL
    vocabulary = first.vocabulary if len({column.vocabulary for column in columns}) == 1 else ""
    return replace(first, info=replace(info, person_only=False), role=Role.DIMENSION, origin="", vocabulary=vocabulary)

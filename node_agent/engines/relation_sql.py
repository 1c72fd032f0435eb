"""Relations to SQL trees: each a SELECT that carries the person, the rank and the columns that are needed above it.

Expressions are computed layer by layer, each call once, so that the text grows with the model and not with its
nesting. A row's rank is ``_u`` and then ``_h0``, ``_h1`` …; formats.md says how relations combine it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from node_agent.engines.sql import (
    COUNT,
    DIALECT,
    MODULUS,
    MULTIPLIER,
    ORDER,
    PERSON,
    H,
    U,
    call,
    column_of,
    fill,
    fixed_point,
    inline,
    literal,
    number,
    stored_name,
)
from trustquery.catalogue.schema import ColumnType
from trustquery.model.facts import infer, unreported
from trustquery.model.multiplicity import Cap, join_caps, most_rows
from trustquery.model.nodes import Call, ColumnRef, Expression, Literal, references
from trustquery.model.relations import (
    AGGREGATE_WINDOWS,
    FOUND,
    Derived,
    Filter,
    Frame,
    Join,
    Leaf,
    Mark,
    PerPerson,
    PersonValue,
    Relation,
    Scan,
    UnionAll,
    Window,
    Windows,
    aliases,
    column_names,
    ties,
)
from trustquery.model.scope import Tables, rows_of

__all__ = ["Layers", "Marked", "Selected", "is_alone", "public_name", "rank_columns", "select_relation"]

BELOW, LEFT, RIGHT = "_below", "_l", "_r"


def public_name(table: str) -> str:
    """Name in SQL of a public table."""
    return f"_public/{table}"


def rank_columns(count: int) -> list[str]:
    """Names of the columns that order a person's rows."""
    return [U, *(f"{H}{place}" for place in range(count))]


def _named(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def physical(ref: ColumnRef) -> str:
    """The SQL name of a column of the model."""
    return f"{ref.alias}.{ref.column}"


def _as(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(value, name, quoted=True)


@dataclass(frozen=True)
class Marked:
    """Columns of a scan whose rows give at most one row each (``one_by_one``), which each row is to have.

    Attributes:
        alias: of the scan.
        columns: ``_n``, how many rows the person has there, and ``_r``, which of them this is by rank.
        above: people with no more rows there are left out of the scan, so that nothing is computed for them.
    """

    alias: str
    columns: tuple[str, ...]
    above: int = 0


@dataclass
class Selected:
    """A SELECT with person (unless public), rank and columns.

    Attributes:
        ties: how many ``_h`` columns there are.
        columns: SQL name of each column of the model that it gives.
        marks: which columns of the marked scan it has besides.
    """

    select: exp.Select
    ties: int
    public: bool
    columns: dict[ColumnRef, str]
    marks: tuple[str, ...] = ()

    @property
    def carried(self) -> list[str]:
        """Names of the columns that are not the model's."""
        return [*([] if self.public else [PERSON]), *rank_columns(self.ties), *self.marks]

    def below(self, alias: str) -> exp.Subquery:
        """The SELECT as a source under an alias."""
        return self.select.subquery(exp.to_identifier(alias, quoted=True), copy=False)


class Layers:
    """Expressions over a relation's rows, each distinct call computed once, in a layer above its arguments."""

    def __init__(self, columns: dict[ColumnRef, str]) -> None:
        self._columns = columns
        self._calls: dict[Call, str] = {}
        self._layers: list[list[exp.Expr]] = []

    def add(self, node: Expression) -> exp.Expr:
        """A plain column or literal that holds the expression's value in the topmost layer."""
        return self._add(node)[0]

    def _add(self, node: Expression) -> tuple[exp.Expr, int]:
        if isinstance(node, Literal):
            return literal(node.type, node.value), 0
        if isinstance(node, ColumnRef):
            return _named(self._columns[node]), 0
        known = self._calls.get(node)
        if known is None:
            parts = [self._add(argument) for argument in node.arguments]
            level = max((height for _, height in parts), default=0)
            known = f"_e{len(self._calls)}.{level + 1}"
            self._calls[node] = known
            while len(self._layers) <= level:
                self._layers.append([])
            self._layers[level].append(_as(call(node, [part for part, _ in parts]), known))
        return _named(known), int(known.rsplit(".", 1)[1])

    def over(self, select: exp.Select) -> exp.Select:
        """The topmost layer: all columns of the select, and every call."""
        for layer in self._layers:
            select = exp.select("*", *layer).from_(select.subquery(BELOW, copy=False))
        return select


def select_relation(
    node: Relation, needed: set[ColumnRef], dataset: str, tables: Tables, marked: Marked | None = None
) -> Selected:
    """The SQL of a relation.

    Args:
        needed: columns that are named above it.
        dataset: for the names of prepared tables.
        tables: the catalogue and the public tables that the model pins.
        marked: what each row also has of a scan.
    """
    return _Writer(dataset, tables, marked, alone=is_alone(node)).relation(node, needed)


def is_alone(node: Relation) -> bool:
    """Whether all rows come from one scan, so that their rank is the scan's stored order."""
    while isinstance(node, Filter | Mark | Windows | Derived | PerPerson):
        node = node.source
    return isinstance(node, Scan)


class _Writer:
    def __init__(self, dataset: str, tables: Tables, marked: Marked | None, *, alone: bool) -> None:
        self.dataset, self.tables, self.marked, self.alone = dataset, tables, marked, alone

    def relation(self, node: Relation, needed: set[ColumnRef]) -> Selected:
        needed = {ref for ref in needed if ref.alias in aliases(node)}
        match node:
            case Scan():
                return self._scan(node, needed)
            case Join():
                return self._join(node, needed)
            case Filter():
                return self._filter(node, needed)
            case Mark():
                return self._mark(node, needed)
            case Windows():
                return self._windows(node, needed)
            case Derived():
                return self._derived(node, needed)
            case PerPerson():
                return self._per_person(node, needed)
            case UnionAll():
                return self._union_all(node, needed)

    def _scan(self, node: Scan, needed: set[ColumnRef]) -> Selected:
        public = self.tables.open(node.table)
        columns = {ref: physical(ref) for ref in _in_order(needed)}
        items = [_as(_named(ref.column), name) for ref, name in columns.items()]
        rank = [_as(fill("CAST(:0 AS BIGINT)", _named(U)), U), _as(fill("CAST(:0 AS BIGINT)", _named(H)), f"{H}0")]
        if self.alone and public is None:
            # The same order as that of u and h, from one column that is there already.
            rank = [_as(fill("CAST(:0 AS BIGINT)", _named(ORDER)), U), _as(number(0), f"{H}0")]
        if public is not None:
            source = exp.to_identifier(public_name(node.table), quoted=True)
            return Selected(exp.select(*rank, *items).from_(exp.Table(this=source)), 1, True, columns)
        table = self.tables.catalogue.table(node.table)
        if table is None:
            raise ValueError(f"no table {node.table}")
        cap = 1 if table.one_row_per_person else table.row_cap
        source = exp.to_identifier(stored_name(self.dataset, table.name), quoted=True)
        marks = self.marked.columns if self.marked is not None and node.alias == self.marked.alias else ()
        select = (
            exp.select(_named(PERSON), *rank, *map(_named, marks), *items)
            .from_(exp.Table(this=source))
            .where(exp.LTE(this=_named(ORDER), expression=number(cap)))
        )
        if marks and self.marked is not None and self.marked.above:
            select = select.where(exp.GT(this=_named(COUNT), expression=number(self.marked.above)))
        return Selected(select, 1, False, columns, marks)

    def _join(self, node: Join, needed: set[ColumnRef], caps: Mapping[str, Cap] | None = None) -> Selected:
        caps = caps if caps is not None else join_caps(node, self.tables)
        inside = needed | references([node.condition] if node.condition is not None else [])
        if isinstance(node.left, Join):
            left = self._join(node.left, {ref for ref in inside if ref.alias in aliases(node.left)}, caps)
        else:
            left = self._lowest(node.left, inside, caps)
        right = self._lowest(node.right, inside, caps)
        on = self._condition(left, right, node.condition)
        public = left.public and right.public
        items: list[exp.Expr] = []
        if not public:
            sides = [column_of(name, PERSON) for name, side in ((LEFT, left), (RIGHT, right)) if not side.public]
            both = len(sides) == 2 and node.kind in ("right", "full")
            items.append(_as(fill("COALESCE(:0, :1)", *sides) if both else sides[0], PERSON))
        rank = fill(
            "(COALESCE(:0, 0) * :1 + COALESCE(:2, 0)) % :3",
            column_of(LEFT, U), number(MULTIPLIER), column_of(RIGHT, U), number(MODULUS),
        )  # fmt: skip
        items.append(_as(rank, U))
        for place in range(left.ties + right.ties):
            name, at = (LEFT, place) if place < left.ties else (RIGHT, place - left.ties)
            items.append(_as(fill("COALESCE(:0, 0)", column_of(name, f"{H}{at}")), f"{H}{place}"))
        for mark in left.marks or right.marks:
            found = column_of(LEFT if left.marks else RIGHT, mark)
            # A row that the join keeps without one of the scan's is the person's only one.
            items.append(_as(found if node.kind == "inner" else fill("COALESCE(:0, 1)", found), mark))
        columns = {ref: physical(ref) for ref in _in_order(needed)}
        for ref, name in columns.items():
            items.append(_as(column_of(LEFT if ref in left.columns else RIGHT, name), name))
        kind = {"inner": "INNER", "left": "LEFT", "right": "RIGHT", "full": "FULL"}[node.kind]
        select = exp.select(*items).from_(left.below(LEFT))
        select = select.join(right.below(RIGHT), on=on, join_type=kind, copy=False)
        return Selected(select, left.ties + right.ties, public, columns, left.marks or right.marks)

    def _lowest(self, leaf: Leaf, needed: set[ColumnRef], caps: Mapping[str, Cap]) -> Selected:
        """A joined relation, of each person the lowest-ranked rows that it may keep."""
        found = self.relation(leaf, needed)
        cap = caps.get(leaf.alias)
        if cap is None or cap.rows >= most_rows(leaf, self.tables):
            return found
        ranks = [exp.Ordered(this=_named(name), nulls_first=False) for name in rank_columns(found.ties)]
        groups = [_named(PERSON)]
        if cap.by is not None:
            groups.append(_named(found.columns[ColumnRef(leaf.alias, cap.by)]))
        place = exp.Window(this=exp.RowNumber(), partition_by=groups, order=exp.Order(expressions=ranks))
        names = [_named(name) for name in (*found.carried, *found.columns.values())]
        numbered = exp.select(*(name.copy() for name in names), _as(place, "_at")).from_(found.below(BELOW))
        kept = exp.LTE(this=_named("_at"), expression=number(cap.rows))
        select = exp.select(*names).from_(numbered.subquery(BELOW, copy=False)).where(kept)
        return Selected(select, found.ties, found.public, found.columns, found.marks)

    def _condition(self, left: Selected, right: Selected, condition: Expression | None) -> exp.Expr:
        parts: list[exp.Expr] = []
        if not left.public and not right.public:
            parts.append(exp.EQ(this=column_of(LEFT, PERSON), expression=column_of(RIGHT, PERSON)))
        if condition is not None:
            where = {ref: column_of(LEFT, name) for ref, name in left.columns.items()}
            where |= {ref: column_of(RIGHT, name) for ref, name in right.columns.items()}
            parts.append(exp.Paren(this=inline(condition, where)))
        if not parts:
            return exp.true()
        return parts[0] if len(parts) == 1 else exp.And(this=parts[0], expression=parts[1])

    def _filter(self, node: Filter, needed: set[ColumnRef]) -> Selected:
        below = self.relation(node.source, needed | references([node.predicate]))
        layers = Layers(below.columns)
        passes = layers.add(node.predicate)
        columns = {ref: below.columns[ref] for ref in _in_order(needed)}
        select = (
            exp.select(*map(_named, below.carried), *map(_named, columns.values()))
            .from_(layers.over(below.select).subquery(BELOW, copy=False))
            .where(passes)
        )
        return Selected(select, below.ties, below.public, columns, below.marks)

    def _mark(self, node: Mark, needed: set[ColumnRef]) -> Selected:
        found = ColumnRef(node.alias, FOUND)
        asked = references([node.condition] if node.condition is not None else [])
        left = self.relation(node.source, (needed - {found}) | asked)
        right = _Writer(self.dataset, self.tables, None, alone=is_alone(node.rows)).relation(node.rows, asked)
        inner = exp.select("1").from_(right.below(RIGHT)).where(self._condition(left, right, node.condition))
        columns = {ref: left.columns.get(ref, physical(ref)) for ref in _in_order(needed)}
        items = [column_of(LEFT, name) for name in left.carried]
        items += [column_of(LEFT, name) for ref, name in columns.items() if ref != found]
        mark = [_as(exp.Exists(this=inner), physical(found))] if found in needed else []
        select = exp.select(*items, *mark).from_(left.below(LEFT))
        return Selected(select, left.ties, left.public, columns, left.marks)

    def _derived(self, node: Derived, needed: set[ColumnRef]) -> Selected:
        wanted = {ref.column for ref in needed}
        kept = [column for column in node.columns if column.name in wanted]
        below = self.relation(node.source, references(column.expression for column in kept))
        layers = Layers(below.columns)
        items = [_as(layers.add(column.expression), f"{node.alias}.{column.name}") for column in kept]
        select = exp.select(*map(_named, below.carried), *items).from_(
            layers.over(below.select).subquery(BELOW, copy=False)
        )
        columns = {ref: physical(ref) for ref in _in_order(needed)}
        return Selected(select, below.ties, below.public, columns, below.marks)

    def _per_person(self, node: PerPerson, needed: set[ColumnRef]) -> Selected:
        asked = [key.expression for key in node.keys]
        for value in node.values:
            asked += [part for part in (value.argument, value.filter) if part is not None]
        below = self.relation(node.source, references(asked))
        layers = Layers(below.columns)
        # Keys take part in the grouping whether or not they are named above.
        keys = [(f"{node.alias}.{key.name}", layers.add(key.expression)) for key in node.keys]
        values = [
            (f"{node.alias}.{value.name}", _person_value(value, layers))
            for value in node.values
            if ColumnRef(node.alias, value.name) in needed
        ]
        # The smallest (u, h…) of a group, as one value: structs compare member by member.
        members = [
            exp.PropertyEQ(this=exp.to_identifier(n, quoted=True), expression=_named(n))
            for n in rank_columns(below.ties)
        ]
        lowest = _as(exp.Min(this=exp.Struct(expressions=members)), "_lowest")
        inner = exp.select(
            _named(PERSON), lowest, *(_as(value, name) for name, value in keys), *(_as(v, name) for name, v in values)
        ).from_(layers.over(below.select).subquery(BELOW, copy=False))
        inner = inner.group_by(_named(PERSON), *(value.copy() for _, value in keys))
        columns = {ref: physical(ref) for ref in _in_order(needed)}
        rank = [
            _as(exp.Dot(this=_named("_lowest"), expression=exp.to_identifier(name, quoted=True)), name)
            for name in rank_columns(below.ties)
        ]
        select = exp.select(_named(PERSON), *rank, *map(_named, columns.values()))
        return Selected(select.from_(inner.subquery(BELOW, copy=False)), below.ties, False, columns)

    def _union_all(self, node: UnionAll, needed: set[ColumnRef]) -> Selected:
        wanted = {ref.column for ref in needed}
        longest = max(ties(branch) for branch in node.branches)
        columns = {ref: physical(ref) for ref in _in_order(needed)}
        union: exp.Expr | None = None
        for place, branch in enumerate(node.branches, start=1):
            inside = {ColumnRef(branch.alias, name) for name in column_names(branch) if name in wanted}
            below = self.relation(branch, inside)
            items = [_named(PERSON), _named(U), _as(number(place), f"{H}0")]
            for at in range(longest):
                value = _named(f"{H}{at}") if at < below.ties else number(0)
                items.append(_as(value, f"{H}{at + 1}"))
            items += [_as(_named(f"{branch.alias}.{ref.column}"), name) for ref, name in columns.items()]
            select = exp.select(*items).from_(below.below(BELOW))
            union = select if union is None else exp.Union(this=union, expression=select, distinct=False)
        outer = exp.select("*").from_(exp.Subquery(this=union, alias=exp.TableAlias(this=exp.to_identifier(BELOW))))
        return Selected(outer, longest + 1, False, columns)

    # -- windows -----------------------------------------------------------------------------------------------------

    def _windows(self, node: Windows, needed: set[ColumnRef]) -> Selected:
        kept = [window for window in node.columns if ColumnRef(node.alias, window.name) in needed]
        asked: list[Expression] = []
        for window in kept:
            asked += [*window.arguments, *window.partition, *(item.expression for item in window.order)]
        own = {ColumnRef(node.alias, window.name) for window in node.columns}
        below = self.relation(node.source, (needed - own) | references(asked))
        layers = Layers(below.columns)
        scope = rows_of(node, self.tables, unreported).scope
        items = []
        for window in kept:
            field = scope[node.alias].column(window.name)
            kind = field.info.type if field is not None else None
            by = infer(window.order[0].expression, scope, unreported).type if window.order else None
            items.append(_as(_window(window, layers, below, kind, by), f"{node.alias}.{window.name}"))
        columns = {ref: below.columns.get(ref, physical(ref)) for ref in _in_order(needed)}
        raw = [name for ref, name in columns.items() if ref not in own]
        select = exp.select(*map(_named, [*below.carried, *raw]), *items).from_(
            layers.over(below.select).subquery(BELOW, copy=False)
        )
        return Selected(select, below.ties, below.public, columns, below.marks)


def _in_order(needed: set[ColumnRef]) -> list[ColumnRef]:
    return sorted(needed, key=physical)


def _figure(kind: str, value: exp.Expr, bits: int, lo: int, hi: int) -> tuple[exp.Expr, exp.Expr | None]:
    """The aggregate of a count, sum, avg, min or max; and the count that divides an average."""
    if kind == "count":
        return exp.Count(this=value), None
    if kind in ("min", "max"):
        return (exp.Min if kind == "min" else exp.Max)(this=value), None
    integer = fixed_point(value, bits, lo, hi)
    return exp.Sum(this=exp.cast(integer, "HUGEINT", dialect=DIALECT)), exp.Count(this=value.copy())


def _scaled(kind: str, total: exp.Expr, count: exp.Expr | None, bits: int) -> exp.Expr:
    """A sum or average as a number again."""
    real = fill("CAST(greatest(least(:0, :1), :2) AS DOUBLE)", total, number(2**62), number(-(2**62)))
    if kind == "avg" and count is not None:
        real = fill(":0 / CAST(:1 AS DOUBLE)", real, count)
    return fill("CASE WHEN :0 IS NULL THEN NULL ELSE :1 / CAST(:2 AS DOUBLE) END", total.copy(), real, number(2**bits))


def _person_value(node: PersonValue, layers: Layers) -> exp.Expr:
    where = layers.add(node.filter) if node.filter is not None else None

    def counted(function: exp.Expr) -> exp.Expr:
        return function if where is None else exp.Filter(this=function, expression=exp.Where(this=where.copy()))

    if node.argument is None:
        return counted(exp.Count(this=exp.Star()))
    value = layers.add(node.argument)
    if node.kind == "count_distinct":
        return counted(exp.Count(this=exp.Distinct(expressions=[value])))
    if node.kind in ("any", "every"):
        return counted(exp.Anonymous(this="bool_or" if node.kind == "any" else "bool_and", expressions=[value]))
    total, count = _figure(node.kind, value, node.fraction_bits, node.lo, node.hi)
    if node.kind in ("sum", "avg"):
        return _scaled(node.kind, counted(total), counted(count) if count is not None else None, node.fraction_bits)
    return counted(total)


def _window(node: Window, layers: Layers, below: Selected, kind: ColumnType | None, by: ColumnType | None) -> exp.Expr:
    """A window call. ``kind`` is the type of its value, ``by`` that of its first order key."""
    arguments = [layers.add(part) for part in node.arguments]
    ranged = node.function in ("rank", "dense_rank") or (node.frame is not None and node.frame.mode == "range")
    distance = node.frame is not None and ranged and bool(node.frame.start or node.frame.end)
    order: list[exp.Expr] = []
    for item in node.order:
        key = layers.add(item.expression)
        if distance:
            # As whole numbers that no distance can carry over the end of their type.
            days = fill(":0 - CAST('1970-01-01' AS DATE)", key) if by is ColumnType.DATE else key
            key = exp.cast(days, "HUGEINT", dialect=DIALECT)
        order.append(exp.Ordered(this=key, desc=item.descending, nulls_first=item.nulls_first))
    if not ranged:
        order += [exp.Ordered(this=_named(name), nulls_first=False) for name in rank_columns(below.ties)]

    def over(function: exp.Expr) -> exp.Expr:
        return exp.Window(
            this=function,
            partition_by=[_named(PERSON), *(layers.add(part) for part in node.partition)],
            order=exp.Order(expressions=[item.copy() for item in order]) if order else None,
            spec=_spec(node.frame),
        )

    name = node.function
    if name in AGGREGATE_WINDOWS:
        if not arguments:
            return over(exp.Count(this=exp.Star()))
        total, count = _figure(name, arguments[0], node.fraction_bits, node.lo, node.hi)
        if name in ("sum", "avg"):
            return _scaled(name, over(total), over(count) if count is not None else None, node.fraction_bits)
        return over(total)
    if kind is ColumnType.NUMBER and name in ("lag", "lead"):
        arguments = [
            exp.cast(part, "DOUBLE", dialect=DIALECT) if at != 1 else part for at, part in enumerate(arguments)
        ]
    return over(exp.Anonymous(this=name, expressions=arguments))


def _spec(frame: Frame | None) -> exp.Expr | None:
    if frame is None:
        return None

    def end(value: int | None, side: str) -> dict[str, object]:
        if value is None:
            return {"value": "UNBOUNDED", "side": side}
        if value == 0:
            return {"value": "CURRENT ROW", "side": None}
        return {"value": number(abs(value)), "side": "PRECEDING" if value < 0 else "FOLLOWING"}

    start, last = end(frame.start, "PRECEDING"), end(frame.end, "FOLLOWING")
    return exp.WindowSpec(
        kind=frame.mode.upper(),
        start=start["value"],
        start_side=start["side"],
        end=last["value"],
        end_side=last["side"],
    )

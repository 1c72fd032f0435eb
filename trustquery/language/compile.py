"""SQL text to model: the SELECT list, keys, aggregates, and the public choices that the text leaves open."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from sqlglot import exp

from trustquery.catalogue.schema import Catalogue, ColumnType, Role
from trustquery.codelists import Pin, PublicTables, shipped
from trustquery.errors import Problems, TrustQueryError
from trustquery.language.parse import parse
from trustquery.language.ranges import DateRange, date_ranges, key_values
from trustquery.language.relation import read_relation, with_marks
from trustquery.language.scalar import Reader, Refused
from trustquery.language.subquery import SubqueryReader, bring_ctes
from trustquery.language.types import Info
from trustquery.model.facts import infer
from trustquery.model.nodes import (
    Aggregate,
    AggregateRef,
    Call,
    ColumnRef,
    Expression,
    Key,
    KeyRef,
    Output,
    OutputCall,
    OutputExpression,
)
from trustquery.model.query import MAX_BOUND, MAX_PARTS, Query
from trustquery.model.relations import Relation, scans
from trustquery.model.scope import Tables, rows_of
from trustquery.model.trusts import trust_key
from trustquery.model.unknown import MAX_UNKNOWN_KEYS, UNKNOWN_DELTA_ATTO, plain_column
from trustquery.planning.checker import check
from trustquery.privacy.budget import delta_for, rho_nano_of

__all__ = ["compile_query"]

FRACTION_BITS = 8
"""Fixed-point precision of sums over values that are not whole, where none is declared: 1/256 of the unit."""
MAX_SUM_BOUND = 2**40
_LATER = "leave it out and sort, filter or cut the result afterwards"
_CLAUSES = {
    "having": ("HAVING", _LATER),
    "order": ("ORDER BY", _LATER),
    "limit": ("LIMIT", _LATER),
    "offset": ("OFFSET", _LATER),
    "distinct": ("SELECT DISTINCT", "use GROUP BY: each cell is one row"),
    "qualify": ("QUALIFY", "use a plain aggregate"),
    "windows": ("WINDOW", "use a plain aggregate"),
}
TRUST = "trust"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def compile_query(
    sql: str,
    catalogue: Catalogue,
    *,
    epsilon: Decimal,
    max_groups_per_person: int | None = None,
    max_rows_per_group: int | None = None,
    as_of: datetime.date | None = None,
    public: PublicTables | None = None,
    unknown_keys: bool = False,
    trusts: tuple[str, ...] = (),
) -> Query:
    """Compile one SELECT to the frozen model.

    Args:
        sql: one statement, DuckDB flavour, at most 64 KiB.
        catalogue: the dataset.
        epsilon: privacy loss to spend at most at each trust, at the catalogue's display delta; > 0, ≤ 100.
        max_groups_per_person: contribution bound G, cells; the catalogue's when None.
        max_rows_per_group: contribution bound R, rows a cell; the catalogue's when None.
        public: public tables at hand; those that ship when None.
        unknown_keys: whether one coded key without a public list of values may be found in the data and released by
            threshold, which costs a delta of 1e-9 besides.
        trusts: names of the trusts asked, sorted: the values of the key ``trust``; without any there is no such key.
        as_of: the day that stands for "today"; 1 January 2000 when None, since no function here reads it yet.

    Raises:
        TrustQueryError: ``query-…``; several problems at once, sorted by place.
    """
    tree, source = parse(sql)
    problems = Problems()
    tables = Tables(catalogue, public or shipped())
    compiler = _Compiler(tree, catalogue, Reader(source, problems, tables, SubqueryReader()), problems)
    compiler.unknown_keys, compiler.trusts = unknown_keys, trusts
    try:
        draft = compiler.draft()
    except RecursionError:
        raise TrustQueryError("query-too-deep", "line 1, column 1", limit=40) from None
    except Refused:
        draft = None
    problems.raise_any()
    if draft is None:
        raise TrustQueryError("query-syntax", "line 1, column 1")
    groups, rows = compiler.contribution(draft, max_groups_per_person, max_rows_per_group)
    query = Query(
        catalogue.id,
        catalogue.version,
        catalogue.sha256,
        _pins(draft.relation, tables),
        draft.relation,
        tuple(draft.keys),
        tuple(draft.aggregates),
        tuple(draft.outputs),
        groups,
        rows,
        rho_nano_of(epsilon, delta_for(catalogue.unit.declared_people)),
        (as_of or datetime.date(2000, 1, 1)).isoformat(),
        UNKNOWN_DELTA_ATTO if any(key.kind == "unknown" for key in draft.keys) else 0,
    )
    check(query, catalogue, tables.public, compiler.reader.place)
    return query


@dataclass
class _Draft:
    relation: Relation
    keys: list[Key] = field(default_factory=list)
    key_infos: list[Info] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)

    def aggregate(self, wanted: Aggregate) -> AggregateRef:
        """The place of an aggregate; equal ones are released once."""
        if wanted not in self.aggregates:
            self.aggregates.append(wanted)
        return AggregateRef(self.aggregates.index(wanted))


class _Compiler:
    def __init__(self, tree: exp.Select, catalogue: Catalogue, reader: Reader, problems: Problems) -> None:
        self.tree, self.catalogue, self.reader, self.problems = tree, catalogue, reader, problems
        self.unknown_keys = False
        self.trusts: tuple[str, ...] = ()

    def draft(self) -> _Draft:
        """Everything but the numbers. Problems are noted; ``Refused`` ends what cannot go on."""
        for name, (words, instead) in _CLAUSES.items():
            if self.tree.args.get(name):
                self.reader.refuse(
                    "query-form-unsupported",
                    self.tree.args[name] if isinstance(self.tree.args[name], exp.Expr) else self.tree,
                    form=words,
                    instead=instead,
                )
        self.reader.only(self.tree, "expressions", "from_", "joins", "where", "group", "with_", *_CLAUSES)
        bring_ctes(self.tree, self.reader)
        group = self.tree.args.get("group")
        for what, parts in (("columns", self.tree.expressions), ("keys", group.expressions if group else [])):
            self._few(what, parts, len(parts))
        relation, predicate = read_relation(self.tree, self.reader)
        draft = _Draft(relation)
        ranges = {**self.reader.ranges, **date_ranges(predicate)}
        for written, name in self._group_by:
            self._key(draft, written, name, ranges)
        for place, item in enumerate(self.tree.expressions):
            try:
                self._output(draft, item, place)
            except Refused:
                continue
        self._only_unknown(draft)
        draft.relation = with_marks(draft.relation, self.reader)
        self._few("statistics", self.tree.expressions, len(draft.aggregates))
        if not draft.aggregates and not self.problems:
            key = self.reader.person_key
            raise self.reader.refuse("query-no-aggregate", self.tree, key=key)
        return draft

    def _few(self, what: str, written: list[exp.Expr], count: int) -> None:
        """Refuse more parts than a model may hold."""
        if count > MAX_PARTS:
            raise self.reader.refuse(
                "query-form-unsupported",
                written[min(MAX_PARTS, len(written) - 1)],
                form=f"a query with more than {MAX_PARTS} {what}",
                instead="ask in several queries",
            )

    # -- keys ----------------------------------------------------------------------------------------------------

    @cached_property
    def _group_by(self) -> list[tuple[exp.Expr, str]]:
        """Written key expressions with their names, from ordinals, aliases and expressions."""
        group = self.tree.args.get("group")
        if group is None:
            return []
        self.reader.only(group, "expressions")
        items = [_unalias(item) for item in self.tree.expressions]
        by_alias = {alias: item for item, alias in reversed(items) if alias}
        names = {item: alias for item, alias in reversed(items) if alias}
        found: list[tuple[exp.Expr, str]] = []
        for place, written in enumerate(group.expressions):
            target = written
            if isinstance(written, exp.Literal) and not written.args.get("is_string"):
                number = int(written.this) if str(written.this).isdecimal() else 0
                if not 1 <= number <= len(items):
                    raise self.reader.refuse(
                        "query-literal",
                        written,
                        literal=str(written.this)[:30],
                        instead="GROUP BY the number of a column",
                    )
                target = items[number - 1][0]
            elif isinstance(written, exp.Column) and not written.table:
                target = by_alias.get(written.name.lower(), written)
            found.append((target, names.get(target) or self._default_name(target, f"key_{place + 1}")))
        return found

    def _key(self, draft: _Draft, written: exp.Expr, name: str, ranges: Mapping[ColumnRef, DateRange]) -> None:
        if self._is_trust(written):
            if any(key.kind == "trust" for key in draft.keys):
                self.reader.refuse(
                    "query-form-unsupported", written, form="the key trust twice", instead="group by it once"
                )
                return
            draft.keys.append(self.reader.mark(trust_key(name, self.trusts), written))
            draft.key_infos.append(Info(ColumnType.TEXT, values=self.trusts))
            return
        try:
            expression = self._key_expression(written)
        except Refused:
            return
        before = bool(self.problems)
        info = infer(expression, self.reader.scope, self._report)
        if info.type is None:
            if not before and not self.problems:
                self.reader.refuse("query-key-no-domain", written, expression=_words(written))
            return
        values = key_values(expression, info, ranges)
        if values is None and self.unknown_keys and info.type in (ColumnType.TEXT, ColumnType.INTEGER):
            draft.keys.append(self.reader.mark(Key(name, expression, info.type, (), "unknown"), written))
            draft.key_infos.append(info)
            self._in_vocabulary(written, expression)
            return
        if values is None:
            self._no_domain(written, expression, info)
            return
        if len(values) > 50_000 or info.type in (ColumnType.NUMBER, ColumnType.TIMESTAMP):
            self.reader.refuse("query-key-no-domain", written, expression=_words(written))
            return
        draft.keys.append(self.reader.mark(Key(name, expression, info.type, values), written))
        draft.key_infos.append(info)

    def _is_trust(self, written: exp.Expr) -> bool:
        """Whether this is the trust that answers: the bare name, where no table in FROM has such a column."""
        bare = isinstance(written, exp.Column) and not written.table and isinstance(written.this, exp.Identifier)
        if not (bare and self.trusts and written.name.lower() == TRUST):
            return False
        return all(shape.column(TRUST) is None for shape in self.reader.scope.values())

    def _key_expression(self, written: exp.Expr) -> Expression:
        if isinstance(written, exp.Column) and isinstance(written.this, exp.Identifier):
            reference = self.reader.column(written)
            table = self.reader.shape(reference.alias)
            column = table.column(reference.column)
            if column is not None and column.role in (Role.PERSON_KEY, Role.JOIN_ONLY):
                key = self.reader.person_key
                raise self.reader.refuse("query-identifier-in-output", written, column=_words(written), key=key)
        return self.reader.read(written)

    def _in_vocabulary(self, written: exp.Expr, expression: Expression) -> None:
        """Refuse a key that may not be found in the data; ``planning.checker`` does so again."""
        found = plain_column(expression)
        column = self.reader.scope[found.alias].column(found.column) if found is not None else None
        if column is None or column.role is not Role.DIMENSION or not column.vocabulary:
            self.reader.refuse("query-key-no-vocabulary", written, expression=_words(written))

    def _only_unknown(self, draft: _Draft) -> None:
        """A thresholded release has one key and one count: each refusal says what to do instead."""
        if not any(key.kind == "unknown" for key in draft.keys):
            return
        if len(draft.keys) > 1:
            group = self.tree.args["group"].expressions
            self.reader.refuse(
                "query-unknown-keys", group[-1], what="with one key",
                instead="leave out the other keys, or ask for one of their values at a time in WHERE",
            )  # fmt: skip
        kinds = {aggregate.kind for aggregate in draft.aggregates}
        if len(draft.aggregates) > 1 or not kinds <= {"count", "count_distinct_person"}:
            self.reader.refuse(
                "query-unknown-keys", self.tree, what="with one count",
                instead=f"ask for count(*), count(x) or count(DISTINCT {self.reader.person_key}) alone",
            )  # fmt: skip

    def _no_domain(self, written: exp.Expr, expression: Expression, info: Info) -> None:
        columns = list(written.find_all(exp.Column))
        yearly = isinstance(expression, Call) and expression.function == "year"
        if (info.temporal or yearly) and columns:
            self.reader.refuse("query-key-range-missing", written, column=_words(columns[0]))
        else:
            self.reader.refuse("query-key-no-domain", written, expression=_words(written))

    # -- outputs -------------------------------------------------------------------------------------------------

    def _output(self, draft: _Draft, item: exp.Expr, place: int) -> None:
        written, alias = _unalias(item)
        name = alias or self._default_name(written, f"column_{place + 1}")
        if not _NAME.fullmatch(name) or name in [output.name for output in draft.outputs]:
            name = f"column_{place + 1}"
        draft.outputs.append(Output(name, self._value(draft, written)))

    def _value(self, draft: _Draft, written: exp.Expr) -> OutputExpression:
        aggregate = self._aggregate(draft, written)
        if aggregate is not None:
            return aggregate
        for place, (target, _) in enumerate(self._group_by):
            if target == written and place < len(draft.keys):
                return KeyRef(place)
        if (
            self.problems
            and self.tree.args.get("group") is not None
            and any(target == written for target, _ in self._group_by)
        ):
            raise Refused
        if isinstance(written, exp.Star) or (isinstance(written, exp.Column) and isinstance(written.this, exp.Star)):
            raise self.reader.refuse(
                "query-form-unsupported", written, form="*", instead="name the columns; raw rows are never answered"
            )
        expression = self._key_expression(written)
        for place, known in enumerate(draft.keys):
            if known.expression == expression:  # written in another way, such as with its table
                return KeyRef(place)
        if self.tree.args.get("group") is None and not any(item.find(exp.AggFunc) for item in self.tree.expressions):
            key = self.reader.person_key
            raise self.reader.refuse("query-no-aggregate", written, key=key)
        raise self.reader.refuse("query-not-grouped", written, expression=_words(written))

    def _aggregate(self, draft: _Draft, written: exp.Expr) -> OutputExpression | None:
        where: Expression | None = None
        call = written
        if isinstance(written, exp.Filter):
            self.reader.only(written, "this", "expression")
            call = written.this
            where = self.reader.read(written.expression.this)
        if isinstance(call, exp.Count):
            return draft.aggregate(self._count(call, where))
        if isinstance(call, exp.Sum | exp.Avg):
            self.reader.only(call, "this")
            if isinstance(call.this, exp.Distinct):
                raise self.reader.refuse(
                    "query-form-unsupported", call, form=f"{call.key}(DISTINCT …)", instead=f"use {call.key}(…)"
                )
            argument = self.reader.read(call.this)
            total = draft.aggregate(self._sum(call, argument, where))
            if isinstance(call, exp.Sum):
                return total
            return OutputCall("ratio", (total, draft.aggregate(Aggregate("count", argument, where))))
        return None

    def _count(self, call: exp.Count, where: Expression | None) -> Aggregate:
        self.reader.only(call, "this")
        if call.this is None:
            raise self.reader.refuse(
                "query-arguments",
                call,
                function="count",
                expected="*, DISTINCT person key or a column",
                example="count(*)",
            )
        if isinstance(call.this, exp.Star):
            self.reader.only(call.this)
            return Aggregate("count", None, where)
        if isinstance(call.this, exp.Distinct):
            columns = call.this.expressions
            self.reader.only(call.this, "expressions")
            if len(columns) == 1 and isinstance(columns[0], exp.Column):
                reference = self.reader.column(columns[0])
                column = self.reader.shape(reference.alias).column(reference.column)
                if column is not None and column.role is Role.PERSON_KEY:
                    return Aggregate("count_distinct_person", None, where)
            key = self.reader.person_key
            raise self.reader.refuse(
                "query-form-unsupported",
                call,
                form="count(DISTINCT …) of anything but people",
                instead=f"use count(DISTINCT {key}) or count(*)",
            )
        return Aggregate("count", self.reader.read(call.this), where)

    def _sum(self, call: exp.Expr, argument: Expression, where: Expression | None) -> Aggregate:
        before = bool(self.problems)
        info = infer(argument, self.reader.scope, self._report)
        if info.type is None or not info.numeric:
            if not before and not self.problems:
                self.reader.refuse(
                    "query-type", call, what=f"the argument of {call.key}", found=info.type or "NULL",
                    needed="integer or number", instead="use a numeric column or expression",
                )  # fmt: skip
            raise Refused
        if info.lo is None or info.hi is None:
            raise self.reader.refuse(
                "query-bounds-missing", call.this, expression=_words(call.this), function=call.key.lower()
            )
        bits = 0 if info.integral else self._fraction_bits(argument)
        lo, hi = (math.floor(end * 2**bits + Fraction(1, 2)) for end in (info.lo, info.hi))
        if max(abs(lo), abs(hi)) > MAX_SUM_BOUND:
            raise self.reader.refuse("query-bounds-invalid", call.this, lo=_short(info.lo), hi=_short(info.hi))
        return Aggregate("sum", argument, where, bits, lo, hi)

    def _fraction_bits(self, argument: Expression) -> int:
        """The precision that the catalogue declares for a measure, clamped or not; else the default."""
        while isinstance(argument, Call) and argument.function == "clamp":
            argument = argument.arguments[0]
        if isinstance(argument, ColumnRef):
            column = self.reader.scope[argument.alias].column(argument.column)
            if column is not None and column.fraction_bits:
                return column.fraction_bits
        return FRACTION_BITS

    # -- contribution bounds ---------------------------------------------------------------------------------------

    def contribution(self, draft: _Draft, groups: int | None, rows: int | None) -> tuple[int, int]:
        """G and R: as asked, else the catalogue's, tightened where keys or tables depend on the person alone."""
        for name, number in (("max_groups_per_person", groups), ("max_rows_per_group", rows)):
            if number is not None and not 1 <= number <= MAX_BOUND:
                raise TrustQueryError("query-contribution-bound", name, name=name, limit=MAX_BOUND)
        rows_read = rows_of(draft.relation, self.reader.tables, _silent)
        unknown = any(key.kind == "unknown" for key in draft.keys)
        cells = MAX_UNKNOWN_KEYS if unknown else math.prod(len(key.values) + 2 for key in draft.keys)
        fixed = all(infer(key.expression, rows_read.scope, _silent).person_only for key in draft.keys)
        default_rows, default_groups = rows_read.rows, rows_read.groups
        if fixed or rows_read.one_row:
            # All rows of a person fall in one cell, so the cell may hold what would else be spread over many.
            default_rows, default_groups = default_rows * default_groups, 1
        chosen_groups = min(groups or default_groups, cells)
        return chosen_groups, min(rows or default_rows, MAX_BOUND)

    def _report(self, code: str, node: object, **fields: object) -> None:
        self.problems.add(code, self.reader.place(node), **fields)

    def _default_name(self, written: exp.Expr, otherwise: str) -> str:
        name = written.name.lower() if isinstance(written, exp.Column) else ""
        if isinstance(written, exp.Filter):
            return self._default_name(written.this, otherwise)
        if isinstance(written, exp.Count | exp.Sum | exp.Avg):
            name = written.key.lower()
        return name if _NAME.fullmatch(name) else otherwise


def _silent(*_: object, **__: object) -> None:
    """For facts of what has been checked elsewhere."""


def _pins(relation: Relation, tables: Tables) -> tuple[Pin, ...]:
    """The public tables that a relation reads."""
    names = {scan.table for scan in scans(relation)}
    found = {name: table.pin for name in names if (table := tables.open(name)) is not None}
    return tuple(found[name] for name in sorted(found))


def _unalias(item: exp.Expr) -> tuple[exp.Expr, str]:
    if isinstance(item, exp.Alias):
        return item.this, item.alias.lower()
    return item, ""


def _words(tree: exp.Expr) -> str:
    text = tree.sql("duckdb")
    return text if len(text) <= 80 else text[:77] + "…"


def _short(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):g}"

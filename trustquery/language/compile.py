"""SQL text to model: the SELECT list, keys, aggregates, and the public choices that the text leaves open."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from sqlglot import exp

from trustquery.catalogue.schema import Catalogue, ColumnType, Role
from trustquery.codelists import Pin, PublicTables, shipped
from trustquery.errors import Problems, TrustQueryError
from trustquery.language.aggregates import AggregateReader, Tidy, default_name, has_aggregate
from trustquery.language.measures import words_of
from trustquery.language.outputs import OutputReader, read_tail
from trustquery.language.parameters import Parameters, bind
from trustquery.language.parse import parse
from trustquery.language.post import read_stages, split_release
from trustquery.language.ranges import DateRange, date_ranges, key_values
from trustquery.language.relation import read_relation, with_marks
from trustquery.language.scalar import Reader, Refused
from trustquery.language.subquery import SubqueryReader
from trustquery.language.types import Info
from trustquery.model.facts import infer, unreported
from trustquery.model.nodes import (
    Aggregate,
    AggregateRef,
    Call,
    ColumnRef,
    Expression,
    FieldRef,
    Key,
    KeyRef,
    Output,
    OutputExpression,
)
from trustquery.model.post import (
    NO_TAIL,
    Field,
    Post,
    Tail,
    fields_of_release,
    post_pins,
    release_refs,
    walks_bins,
)
from trustquery.model.query import MAX_PARTS, Query
from trustquery.model.relations import Relation, scans
from trustquery.model.scope import Tables, rows_of
from trustquery.model.terms import MAX_BOUND, Bound, Terms
from trustquery.model.trusts import trust_key
from trustquery.model.unknown import MAX_UNKNOWN_KEYS, UNKNOWN_DELTA_ATTO, plain_column
from trustquery.planning.checker import check
from trustquery.privacy.budget import delta_for, rho_nano_of

__all__ = ["compile_query"]

_CLAUSES = {
    "distinct": ("SELECT DISTINCT", "use GROUP BY: each cell is one row"),
    "qualify": ("QUALIFY", "use a plain aggregate"),
    "windows": ("WINDOW", "use a plain aggregate"),
}
TRUST = "trust"
_TAIL = ("having", "order", "limit", "offset", "with_")
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
    parameters: Parameters | None = None,
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
        parameters: a value for each ``$name`` of the text; a list for ``IN ($name)``.
        unknown_keys: whether one coded key without a public list of values may be found in the data and released by
            threshold, which costs a delta of 1e-9 besides.
        trusts: names of the trusts asked, sorted: the values of the key ``trust``; without any there is no such key.
        as_of: the day that stands for "today"; 1 January 2000 when None, since no function here reads it yet.
        public: public tables that may be joined; those that ship when None.

    Raises:
        TrustQueryError: ``query-…``; several problems at once, sorted by place.
    """
    tree, source = parse(sql)
    bind(tree, source, parameters or {})
    problems = Problems()
    tables = Tables(catalogue, public if public is not None else shipped())
    reader = Reader(source, problems, tables, SubqueryReader())
    post = Post()
    try:
        release, outer = split_release(tree, catalogue, reader)
        _read_all(tree, reader)
        compiler = _Compiler(release, catalogue, reader, problems)
        compiler.unknown_keys, compiler.trusts = unknown_keys, trusts
        draft = compiler.draft()
        if not problems:
            stages = read_stages(outer, draft.fields(), tables.public, reader)
            post = Post(draft.tail, stages)
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
        _pins(draft.relation, post, tables),
        draft.relation,
        tuple(draft.keys),
        tuple(draft.aggregates),
        tuple(draft.outputs),
        _equal_terms(draft.aggregates, groups, rows, rho_nano_of(epsilon, delta_for(catalogue.unit.declared_people))),
        (as_of or datetime.date(2000, 1, 1)).isoformat(),
        delta_atto=UNKNOWN_DELTA_ATTO if any(key.kind == "unknown" for key in draft.keys) else 0,
        post=post,
    )
    check(query, catalogue, tables.public, compiler.reader.place)
    return query


@dataclass
class _Draft:
    relation: Relation
    keys: list[Key] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    tail: Tail = NO_TAIL

    def refs(self, node: KeyRef | AggregateRef | FieldRef) -> Field:
        """What references to keys and aggregates mean, with those that were added last."""
        return release_refs(tuple(self.keys), tuple(self.aggregates))(node)

    def fields(self) -> tuple[Field, ...]:
        """The columns that an outer SELECT sees."""
        return fields_of_release(tuple(self.keys), tuple(self.aggregates), tuple(self.outputs))

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
        self._aliases: dict[str, OutputExpression] = {}

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
        self.reader.only(self.tree, "expressions", "from_", "joins", "where", "group", *_CLAUSES, *_TAIL)
        group = self.tree.args.get("group")
        for what, parts in (("columns", self.tree.expressions), ("keys", group.expressions if group else [])):
            self._few(what, parts, len(parts))
        relation, predicate = read_relation(self.tree, self.reader)
        draft = _Draft(relation)
        self.aggregates = AggregateReader(self.reader, draft.aggregate, self._report)
        ranges = {**self.reader.ranges, **date_ranges(predicate)}
        for written, name in self._group_by:
            self._key(draft, written, name, ranges)
        for place, item in enumerate(self.tree.expressions):
            try:
                self._output(draft, item, place)
            except Refused:
                continue
        if not self.problems:
            draft.tail = self._tail(draft)
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
        self.reader.only(group, "expressions", "all")
        items = [_unalias(item) for item in self.tree.expressions]
        if group.args.get("all"):
            return self._group_by_all(items)
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

    def _group_by_all(self, items: list[tuple[exp.Expr, str]]) -> list[tuple[exp.Expr, str]]:
        """GROUP BY ALL: every output that is no aggregate, and is not computed from one by its alias."""
        after = {alias for item, alias in items if alias and has_aggregate(item)}
        found: list[tuple[exp.Expr, str]] = []
        for place, (item, alias) in enumerate(items):
            if has_aggregate(item) or isinstance(item, exp.Literal | exp.Boolean | exp.Null):
                continue
            if any(not column.table and column.name.lower() in after for column in item.find_all(exp.Column)):
                if alias:
                    after.add(alias)
                continue
            found.append((item, alias or self._default_name(item, f"key_{place + 1}")))
        return found

    def _key(self, draft: _Draft, written: exp.Expr, name: str, ranges: Mapping[ColumnRef, DateRange]) -> None:
        if self._is_trust(written):
            if any(key.kind == "trust" for key in draft.keys):
                self.reader.refuse(
                    "query-form-unsupported", written, form="the key trust twice", instead="group by it once"
                )
                return
            draft.keys.append(self.reader.mark(trust_key(name, self.trusts), written))
            return
        try:
            expression = self._key_expression(written)
        except Refused:
            return
        before = bool(self.problems)
        info = infer(expression, self.reader.scope, self._report)
        if info.type is None:
            if not before and not self.problems:
                self.reader.refuse("query-key-no-domain", written, expression=words_of(written))
            return
        values = key_values(expression, info, ranges)
        if values is None and self.unknown_keys and info.type in (ColumnType.TEXT, ColumnType.INTEGER):
            draft.keys.append(self.reader.mark(Key(name, expression, info.type, (), "unknown"), written))
            self._in_vocabulary(written, expression)
            return
        if values is None:
            self._no_domain(written, expression, info)
            return
        if len(values) > 50_000 or info.type in (ColumnType.NUMBER, ColumnType.TIMESTAMP):
            self.reader.refuse("query-key-no-domain", written, expression=words_of(written))
            return
        draft.keys.append(self.reader.mark(Key(name, expression, info.type, values), written))

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
                raise self.reader.refuse("query-identifier-in-output", written, column=words_of(written), key=key)
        return self.reader.read(written)

    def _in_vocabulary(self, written: exp.Expr, expression: Expression) -> None:
        """Refuse a key that may not be found in the data; ``planning.checker`` does so again."""
        found = plain_column(expression)
        column = self.reader.scope[found.alias].column(found.column) if found is not None else None
        if column is None or column.role is not Role.DIMENSION or not column.vocabulary:
            self.reader.refuse("query-key-no-vocabulary", written, expression=words_of(written))

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
            self.reader.refuse("query-key-range-missing", written, column=words_of(columns[0]))
        else:
            self.reader.refuse("query-key-no-domain", written, expression=words_of(written))

    # -- outputs -------------------------------------------------------------------------------------------------

    def _output(self, draft: _Draft, item: exp.Expr, place: int) -> None:
        written, alias = _unalias(item)
        name = alias or self._default_name(written, f"column_{place + 1}")
        taken = [output.name for output in draft.outputs]
        tidy = self.aggregates.tidy(written)
        if tidy is not None:
            self._tidy(draft, written, name, tidy)
            return
        if not _NAME.fullmatch(name) or name in taken:
            name = f"column_{place + 1}"
        expression = self._value(draft, written)
        draft.outputs.append(Output(name, expression))
        if alias:
            self._aliases.setdefault(alias, expression)

    def _tidy(self, draft: _Draft, written: exp.Expr, name: str, tidy: Tidy) -> None:
        """The columns of a histogram or survival table; there is one a query, because its bins are the rows."""
        taken = {output.name for output in draft.outputs}
        if any(walks_bins(output.expression) for output in draft.outputs):
            raise self.reader.refuse(
                "query-form-unsupported",
                written,
                form="more than one histogram or survival table",
                instead="ask in several queries; median and quantile_cont may stand beside one",
            )
        for suffix, expression in tidy.columns:
            column = f"{name}{suffix}"
            if not _NAME.fullmatch(column) or column in taken:
                raise self.reader.refuse(
                    "query-form-unsupported", written, form=f"the name {column[:63]} for two columns",
                    instead="give each column a short name of its own with AS",
                )  # fmt: skip
            draft.outputs.append(Output(column, self.reader.mark(expression, written)))
            self._aliases.setdefault(column, expression)

    def _value(self, draft: _Draft, written: exp.Expr) -> OutputExpression:
        if self._stands_alone(draft, written):
            return self._key_value(draft, written)
        return OutputReader(self.reader, lambda tree: self._leaf(draft, tree)).column(written, draft.refs)

    def _stands_alone(self, draft: _Draft, written: exp.Expr) -> bool:
        """Whether an output can be nothing but a key: no aggregate, key or alias stands inside it."""
        if has_aggregate(written):
            return False
        targets = [target for target, _ in self._group_by]
        if written in targets or isinstance(written, exp.Column):
            return not (isinstance(written, exp.Column) and self._alias(written) is not None)
        inside = [node for node in written.walk() if node is not written]
        return not any(node in targets or (isinstance(node, exp.Column) and self._alias(node)) for node in inside)

    def _alias(self, tree: exp.Column) -> OutputExpression | None:
        """An earlier output of that name; a column of the tables comes first, as in DuckDB."""
        name = tree.name.lower()
        if tree.table or any(table.column(name) is not None for table in self.reader.scope.values()):
            return None
        return self._aliases.get(name)

    def _leaf(self, draft: _Draft, tree: exp.Expr) -> OutputExpression | None:
        """An aggregate, key or alias inside an expression."""
        aggregate = self.aggregates.read(tree)
        if aggregate is not None:
            return aggregate
        if isinstance(tree, exp.Column):
            alias = self._alias(tree)
            return alias if alias is not None else self._key_value(draft, tree)
        if isinstance(tree, exp.Literal | exp.Boolean | exp.Null) or has_aggregate(tree):
            return None
        for place, (target, _) in enumerate(self._group_by):
            if target == tree and place < len(draft.keys):
                return KeyRef(place)
        return None

    def _key_value(self, draft: _Draft, written: exp.Expr) -> OutputExpression:
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
            if known.kind != "trust" and known.expression == expression:  # written in another way
                return KeyRef(place)
        if self.tree.args.get("group") is None and not any(has_aggregate(item) for item in self.tree.expressions):
            key = self.reader.person_key
            raise self.reader.refuse("query-no-aggregate", written, key=key)
        raise self.reader.refuse("query-not-grouped", written, expression=words_of(written))

    def _tail(self, draft: _Draft) -> Tail:
        """HAVING, ORDER BY, LIMIT and OFFSET, which run on the merged, noised table."""

        def by_name(tree: exp.Expr) -> OutputExpression | None:
            if isinstance(tree, exp.Column) and not tree.table:
                for output in draft.outputs:
                    if output.name == tree.name.lower():
                        return output.expression
            return self._leaf(draft, tree)

        having = OutputReader(self.reader, lambda tree: self._leaf(draft, tree))
        return read_tail(self.tree, draft.outputs, draft.refs, having, OutputReader(self.reader, by_name))

    # -- contribution bounds ---------------------------------------------------------------------------------------

    def contribution(self, draft: _Draft, groups: int | None, rows: int | None) -> tuple[int, int]:
        """G and R: as asked, else the catalogue's, tightened where keys or tables depend on the person alone."""
        for name, number in (("max_groups_per_person", groups), ("max_rows_per_group", rows)):
            if number is not None and not 1 <= number <= MAX_BOUND:
                raise TrustQueryError("query-contribution-bound", name, name=name, limit=MAX_BOUND)
        rows_read = rows_of(draft.relation, self.reader.tables, unreported)
        unknown = any(key.kind == "unknown" for key in draft.keys)
        cells = MAX_UNKNOWN_KEYS if unknown else math.prod(len(key.values) + 2 for key in draft.keys)
        # A person's rows at one trust all have that trust's name.
        fixed = all(
            key.kind == "trust" or infer(key.expression, rows_read.scope, unreported).person_only for key in draft.keys
        )
        default_rows, default_groups = rows_read.rows, rows_read.groups
        if fixed or rows_read.one_row:
            # All rows of a person fall in one cell, so the cell may hold what would else be spread over many.
            default_rows, default_groups = default_rows * default_groups, 1
        chosen_groups = min(groups or default_groups, cells)
        return chosen_groups, min(rows or default_rows, MAX_BOUND)

    def _report(self, code: str, node: object, **fields: object) -> None:
        self.problems.add(code, self.reader.place(node), **fields)

    def _default_name(self, written: exp.Expr, otherwise: str) -> str:
        name = written.name.lower() if isinstance(written, exp.Column) else default_name(written)
        return name if _NAME.fullmatch(name) else otherwise


def _read_all(tree: exp.Select, reader: Reader) -> None:
    """Refuse a part of WITH that nothing reads: what is not read is not checked, and would be dropped in silence."""
    named = {table.name.lower() for table in tree.find_all(exp.Table)}
    for name, part in reader.ctes.items():
        if name not in named:
            raise reader.refuse(
                "query-form-unsupported", part, form=f"{name}, which nothing reads,", instead="leave it out of WITH"
            )


def _equal_terms(aggregates: list[Aggregate], groups: int, rows: int, rho_nano: int) -> tuple[Terms, ...]:
    """One bound for all statistics and an equal share of the budget for each: where ``trustquery.forecast`` starts."""
    share = rho_nano // len(aggregates)
    if share < 1:
        raise TrustQueryError("query-epsilon-too-small")
    return tuple(
        Terms(Bound("rows", groups, 1 if aggregate.kind == "count_distinct_person" else rows), share)
        for aggregate in aggregates
    )


def _pins(relation: Relation, post: Post, tables: Tables) -> tuple[Pin, ...]:
    """The public tables that a relation reads, and those that are joined after release."""
    names = {scan.table for scan in scans(relation)}
    found = {name: table.pin for name in names if (table := tables.open(name)) is not None}
    found |= {pin.id: pin for pin in post_pins(post)}
    return tuple(found[name] for name in sorted(found))


def _unalias(item: exp.Expr) -> tuple[exp.Expr, str]:
    if isinstance(item, exp.Alias):
        return item.this, item.alias.lower()
    return item, ""

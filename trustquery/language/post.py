"""WITH, and outer SELECTs over a release: which SELECT is the release, and what the ones around it do.

The innermost SELECT with aggregates that does not group by the person key is the release, the one step across persons.
Every SELECT around it reads the merged, noised table and public tables: post-processing. Person-level parts of WITH are
left to the reader of relations, which finds them in ``reader.ctes``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from trustquery.catalogue.schema import Catalogue
from trustquery.codelists import PublicTable, PublicTables
from trustquery.errors import nearest
from trustquery.language.aggregates import default_name, has_aggregate
from trustquery.language.measures import words_of
from trustquery.language.outputs import OutputReader, read_tail
from trustquery.language.relation import conjuncts
from trustquery.language.scalar import Reader, Refused
from trustquery.language.subquery import bring_ctes
from trustquery.model.nodes import AggregateRef, FieldRef, KeyRef, Output, OutputCall, OutputExpression, walk_output
from trustquery.model.post import (
    MAX_JOINS,
    MAX_PARTS,
    MAX_STAGES,
    Field,
    PublicJoin,
    Refs,
    Stage,
    StageAggregate,
    describe,
    describe_aggregate,
    describe_column,
    fields_of_stage,
    group_refs,
    joined_fields,
    public_field,
    stage_refs,
)

__all__ = ["read_stages", "split_release"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FUNCTIONS: dict[type[exp.Expr], str] = {exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max"}
_CLAUSES = {
    "distinct": ("SELECT DISTINCT over a release", "use GROUP BY"),
    "qualify": ("QUALIFY over a release", "use HAVING or WHERE"),
    "windows": ("WINDOW over a release", "use GROUP BY"),
}


def split_release(tree: exp.Select, catalogue: Catalogue, reader: Reader) -> tuple[exp.Select, list[exp.Select]]:
    """The SELECT that is the release, and those around it, innermost first. Fills ``reader.ctes``.

    Raises:
        Refused: with the problem noted.
    """
    keys = {table.person_key for table in catalogue.tables if table.kind == "person" and table.person_key}
    outer: list[exp.Select] = []
    release = tree
    bring_ctes(release, reader)
    while (inner := _below(release, reader)) is not None and _releases(inner, reader.ctes, keys):
        outer.insert(0, release)
        if len(outer) > MAX_STAGES:
            raise reader.refuse(
                "query-form-unsupported", tree, form=f"more than {MAX_STAGES} SELECTs around a release",
                instead="nest fewer",
            )  # fmt: skip
        release = inner
        bring_ctes(release, reader)
    return release, outer


def _below(select: exp.Select, reader: Reader) -> exp.Select | None:
    """The SELECT that stands in FROM, in brackets or by a name of WITH."""
    source = select.args.get("from_")
    return _select_of(source.this, reader.ctes) if source is not None else None


def _select_of(tree: exp.Expr, ctes: Mapping[str, exp.Expr]) -> exp.Select | None:
    if isinstance(tree, exp.Subquery):
        return tree.this if isinstance(tree.this, exp.Select) else None
    if isinstance(tree, exp.Table) and isinstance(tree.this, exp.Identifier) and not tree.args.get("db"):
        found = ctes.get(tree.name.lower())
        return found if isinstance(found, exp.Select) else None
    return None


def _releases(select: exp.Select, ctes: Mapping[str, exp.Expr], keys: set[str], depth: int = 0) -> bool:
    """Whether rows of this SELECT are of many people: it is a release, or stands around one."""
    if depth > MAX_STAGES + 1:
        return False
    having = select.args.get("having")
    aggregates = any(has_aggregate(item) for item in select.expressions) or (having and has_aggregate(having))
    inner = None
    source = select.args.get("from_")
    if source is not None:
        named = dict(ctes)
        for item in select.args["with_"].expressions if select.args.get("with_") else []:
            named.setdefault(item.alias.lower(), item.this)
        # A part of WITH cannot read itself.
        others = {name: part for name, part in named.items() if part is not select}
        inner = _select_of(source.this, others)
        if inner is not None and _releases(inner, others, keys, depth + 1):
            return True
    return bool(aggregates) and not _by_person(select, keys)


def _by_person(select: exp.Select, keys: set[str]) -> bool:
    """Whether the rows of a SELECT with GROUP BY are one person's each."""
    group = select.args.get("group")
    if group is None:
        return False
    items = [item.this if isinstance(item, exp.Alias) else item for item in select.expressions]
    aliases = {item.alias.lower(): item.this for item in select.expressions if isinstance(item, exp.Alias)}
    written = items if group.args.get("all") else list(group.expressions)
    for part in written:
        if isinstance(part, exp.Literal) and str(part.this).isdecimal() and 1 <= int(part.this) <= len(items):
            part = items[int(part.this) - 1]
        if isinstance(part, exp.Column) and not part.table and part.name.lower() in aliases:
            part = aliases[part.name.lower()]
        if isinstance(part, exp.Column) and part.name.lower() in keys:
            return True
    return False


def read_stages(
    outer: list[exp.Select], fields: tuple[Field, ...], public: PublicTables, reader: Reader
) -> tuple[Stage, ...]:
    """The outer SELECTs as stages.

    Args:
        fields: the release's columns.

    Raises:
        Refused: with problems noted.
    """
    stages: list[Stage] = []
    for select in outer:
        compiler = _StageCompiler(select, fields, public, reader)
        stage = compiler.stage()
        with compiler.plain.typed(select):
            fields = fields_of_stage(stage, fields)
        stages.append(stage)
    return tuple(stages)


class _StageCompiler:
    def __init__(self, tree: exp.Select, fields: tuple[Field, ...], public: PublicTables, reader: Reader) -> None:
        self.tree, self.fields, self.public, self.reader = tree, fields, public, reader
        self.scope: dict[str, list[tuple[str, int]]] = {}
        self.plain = OutputReader(reader, self._field)
        self.keys: list[tuple[exp.Expr, OutputExpression]] = []
        self.aggregates: list[StageAggregate] = []
        self.outputs: list[Output] = []
        self.aliases: dict[str, OutputExpression] = {}
        self.grouped = False

    def stage(self) -> Stage:
        """The whole SELECT."""
        for name, (form, instead) in _CLAUSES.items():
            if self.tree.args.get(name):
                raise self.reader.refuse("query-form-unsupported", self.tree, form=form, instead=instead)
        self.reader.only(
            self.tree, "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "with_"
        )
        self._source()
        joins = [self._join(join) for join in self.tree.args.get("joins") or []]
        if len(joins) > MAX_JOINS or len(self.tree.expressions) > MAX_PARTS:
            raise self.reader.refuse(
                "query-form-unsupported", self.tree, form="so many joins or columns over a release", instead="use fewer"
            )
        refs = stage_refs(self.fields)
        where = self.tree.args.get("where")
        condition = None if where is None else self.plain.condition(where.this, refs)
        having = self.tree.args.get("having")
        self.grouped = (
            self.tree.args.get("group") is not None
            or having is not None
            or any(has_aggregate(item) for item in self.tree.expressions)
        )
        self._group_by(refs)
        reader = OutputReader(self.reader, self._grouped if self.grouped else self._field_or_alias)
        for place, item in enumerate(self.tree.expressions):
            self._output(reader, item, place)

        def named(tree: exp.Expr) -> OutputExpression | None:
            if isinstance(tree, exp.Column) and not tree.table:
                for output in self.outputs:
                    if output.name == tree.name.lower():
                        return output.expression
            return reader.leaf(tree)

        tail = read_tail(self.tree, self.outputs, self._refs, reader, OutputReader(self.reader, named))
        return Stage(
            tuple(joins),
            condition,
            tuple(key for _, key in self.keys),
            tuple(self.aggregates),
            tuple(self.outputs),
            tail,
        )

    def _refs(self, node: KeyRef | AggregateRef | FieldRef) -> Field:
        before = stage_refs(self.fields)
        if not self.grouped:
            return before(node)
        keys = tuple(describe(key, before) for _, key in self.keys)
        return group_refs(keys, tuple(describe_aggregate(found, before) for found in self.aggregates))(node)

    # -- rows --------------------------------------------------------------------------------------------------------

    def _source(self) -> None:
        tree = self.tree.args["from_"].this
        self.reader.only(tree, "this", "alias")
        if isinstance(tree.args.get("alias"), exp.TableAlias):
            self.reader.only(tree.args["alias"], "this")
        name = (tree.alias or (tree.name if isinstance(tree, exp.Table) else "")).lower()
        self.scope[name] = [(field.name, place) for place, field in enumerate(self.fields)]

    def _join(self, tree: exp.Join) -> PublicJoin:
        reader = self.reader
        reader.only(tree, "this", "on", "using", "side", "kind")
        side, kind = str(tree.args.get("side") or ""), str(tree.args.get("kind") or "")
        if side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER"):
            raise reader.refuse(
                "query-form-unsupported", tree, form=f"{side} {kind} JOIN".strip().replace("  ", " "),
                instead="use JOIN or LEFT JOIN with a public table",
            )  # fmt: skip
        table = self._public(tree.this)
        alias = (tree.this.alias or tree.this.name).lower()
        if alias in self.scope:
            raise reader.refuse(
                "query-form-unsupported", tree, form=f"the name {alias} twice in FROM",
                instead="give each table an alias of its own",
            )  # fmt: skip
        first = len(self.fields)
        columns = tuple((column.name, column.type) for column in table.columns)
        own = {first + place: column.name for place, column in enumerate(table.columns)}
        before = self.fields
        on: list[tuple[OutputExpression, str]] = []
        rest: list[OutputExpression] = []
        if tree.args.get("using"):
            for item in tree.args["using"]:
                name = item.name.lower()
                if table.column(name) is None:
                    raise self._unknown(item, name, [column.name for column in table.columns], table.id)
                on.append((self._field_named(item, name, ""), name))
        self.fields = (*before, *(public_field(name, kind) for name, kind in columns))
        self.scope[alias] = [(name, place) for place, name in own.items()]
        for part in conjuncts(tree.args.get("on")):
            node = self.plain.condition(part, stage_refs(self.fields))
            pair = self._equality(node, own, first)
            if pair is not None:
                on.append(pair)
            else:
                rest.append(node)
        if not on:
            raise reader.refuse(
                "query-form-unsupported", tree, form="a join that does not say which keys are equal",
                instead=f"write JOIN … ON {alias}.{table.columns[0].name} = a key of the release",
            )  # fmt: skip
        condition = None if not rest else rest[0] if len(rest) == 1 else _all_of(rest)
        found = PublicJoin(table.pin, "left" if side == "LEFT" else "inner", columns, tuple(on), condition)
        with self.plain.typed(tree):
            joined_fields(before, found)
        return found

    def _public(self, tree: exp.Expr) -> PublicTable:
        reader = self.reader
        if not isinstance(tree, exp.Table) or not isinstance(tree.this, exp.Identifier):
            raise reader.refuse(
                "query-form-unsupported", tree, form="a join of a release with a subquery",
                instead="join public tables; a query has one release",
            )  # fmt: skip
        reader.only(tree, "this", "alias")
        if isinstance(tree.args.get("alias"), exp.TableAlias):
            reader.only(tree.args["alias"], "this")
        name = tree.name.lower()
        if name in reader.ctes:
            raise reader.refuse(
                "query-form-unsupported", tree, form="a join of a release with another part of WITH",
                instead="join public tables; a query has one release",
            )  # fmt: skip
        found = self.public.get(name)
        if found is None:
            close = nearest(name, self.public.names()) or "none at hand"
            raise reader.refuse("query-input-unknown", tree, table=name, nearest=close)
        return found

    def _equality(self, node: OutputExpression, own: dict[int, str], first: int) -> tuple[OutputExpression, str] | None:
        """A pair (value of the rows before, column of the new table), where the condition equates them."""
        if getattr(node, "function", "") != "eq":
            return None
        left, right = node.arguments  # type: ignore[union-attr]
        for column, value in ((left, right), (right, left)):
            if isinstance(column, FieldRef) and column.field in own:
                fields = [part.field for part in _fields(value)]
                if fields and all(place < first for place in fields):
                    return value, own[column.field]
        return None

    # -- columns -----------------------------------------------------------------------------------------------------

    def _unknown(self, tree: exp.Expr, name: str, known: list[str], where: str) -> Refused:
        return self.reader.refuse(
            "query-unknown-column", tree, column=name[:63], table=where or "the release",
            nearest=nearest(name, known) or "one of its columns",
        )  # fmt: skip

    def _field_named(self, tree: exp.Expr, name: str, qualifier: str) -> FieldRef:
        if qualifier and qualifier not in self.scope:
            raise self.reader.refuse(
                "query-unknown-table", tree, table=qualifier[:63], catalogue="the query",
                nearest=nearest(qualifier, self.scope) or next(iter(self.scope)) or "the release",
            )  # fmt: skip
        sources = {qualifier: self.scope[qualifier]} if qualifier else self.scope
        found = [(alias, place) for alias, columns in sources.items() for known, place in columns if known == name]
        if not found:
            known = [known for columns in sources.values() for known, _ in columns]
            raise self._unknown(tree, name, known, qualifier)
        if len(found) > 1:
            raise self.reader.refuse("query-ambiguous-column", tree, column=name, example=f"{found[0][0]}.{name}")
        return FieldRef(found[0][1])

    def _field(self, tree: exp.Expr) -> OutputExpression | None:
        """A column of the rows, before grouping."""
        if not isinstance(tree, exp.Column) or not isinstance(tree.this, exp.Identifier):
            return None
        self.reader.only(tree, "this", "table")
        return self._field_named(tree, tree.name.lower(), tree.table.lower())

    def _field_or_alias(self, tree: exp.Expr) -> OutputExpression | None:
        alias = self._alias(tree)
        return alias if alias is not None else self._field(tree)

    def _alias(self, tree: exp.Expr) -> OutputExpression | None:
        """An earlier output of that name; a column of the rows comes first."""
        if not isinstance(tree, exp.Column) or tree.table:
            return None
        name = tree.name.lower()
        if any(known == name for columns in self.scope.values() for known, _ in columns):
            return None
        return self.aliases.get(name)

    def _grouped(self, tree: exp.Expr) -> OutputExpression | None:
        """A key or aggregate of the groups."""
        for place, (written, _) in enumerate(self.keys):
            if written == tree:
                return KeyRef(place)
        aggregate = self._aggregate(tree)
        if aggregate is not None:
            if aggregate not in self.aggregates:
                self.aggregates.append(aggregate)
            return AggregateRef(self.aggregates.index(aggregate))
        if isinstance(tree, exp.Column):
            alias = self._alias(tree)
            if alias is not None:
                return alias
            found = self._field(tree)
            for place, (_, key) in enumerate(self.keys):
                if key == found:
                    return KeyRef(place)
            raise self.reader.refuse("query-not-grouped", tree, expression=words_of(tree))
        return None

    def _aggregate(self, written: exp.Expr) -> StageAggregate | None:
        where: OutputExpression | None = None
        call = written
        refs = stage_refs(self.fields)
        if isinstance(written, exp.Filter):
            self.reader.only(written, "this", "expression")
            call = written.this
            where = self.plain.condition(written.expression.this, refs)
        if isinstance(call, exp.Count):
            self.reader.only(call, "this")
            if isinstance(call.this, exp.Star):
                return StageAggregate("count", None, where)
            if call.this is None or isinstance(call.this, exp.Distinct):
                raise self.reader.refuse(
                    "query-form-unsupported", call, form="this count over a release", instead="use count(*) or count(n)"
                )
            return StageAggregate("count", self.plain.column(call.this, refs), where)
        name = _FUNCTIONS.get(type(call))
        if name is None:
            if isinstance(call, exp.AggFunc) and not isinstance(call, exp.Func | exp.Window):
                return None
            if isinstance(call, exp.AggFunc):
                raise self.reader.refuse(
                    "query-form-unsupported", call, form=f"{default_name(call) or call.key} over a release",
                    instead="use sum, avg, min, max or count of released figures",
                )  # fmt: skip
            return None
        self.reader.only(call, "this")
        if isinstance(call.this, exp.Distinct):
            raise self.reader.refuse(
                "query-form-unsupported", call, form=f"{name}(DISTINCT …)", instead=f"use {name}(…)"
            )
        found = StageAggregate(name, self.plain.read(call.this), where)  # type: ignore[arg-type]
        with self.plain.typed(call):
            describe_aggregate(found, refs)
        return found

    def _group_by(self, refs: Refs) -> None:
        group = self.tree.args.get("group")
        if group is None:
            return
        self.reader.only(group, "expressions", "all")
        items = [item.this if isinstance(item, exp.Alias) else item for item in self.tree.expressions]
        aliases = {item.alias.lower(): item.this for item in self.tree.expressions if isinstance(item, exp.Alias)}
        written = [item for item in items if not has_aggregate(item)] if group.args.get("all") else group.expressions
        for part in written:
            target = part
            if isinstance(part, exp.Literal) and not part.args.get("is_string"):
                number = int(part.this) if str(part.this).isdecimal() and len(str(part.this)) < 5 else 0
                if not 1 <= number <= len(items):
                    raise self.reader.refuse(
                        "query-literal", part, literal=str(part.this)[:30], instead="GROUP BY the number of a column"
                    )
                target = items[number - 1]
            elif isinstance(part, exp.Column) and not part.table and part.name.lower() in aliases:
                known = [name for columns in self.scope.values() for name, _ in columns]
                target = part if part.name.lower() in known else aliases[part.name.lower()]
            key = self.plain.column(target, refs)
            with self.plain.typed(target):
                found = describe_column(key, refs)
            if found.noised:
                raise self.reader.refuse(
                    "query-type", part, what="a key", found="a noised figure", needed="a key of the release",
                    instead="group by keys; filter figures with WHERE or HAVING",
                )  # fmt: skip
            self.keys.append((target, key))

    def _output(self, reader: OutputReader, item: exp.Expr, place: int) -> None:
        written, alias = (item.this, item.alias.lower()) if isinstance(item, exp.Alias) else (item, "")
        star = written.this if isinstance(written, exp.Column) else written
        if isinstance(star, exp.Star):
            self.reader.only(star)
            if self.grouped:
                raise self.reader.refuse(
                    "query-form-unsupported", written, form="* beside GROUP BY", instead="name the columns"
                )
            of = written.table.lower() if isinstance(written, exp.Column) else ""
            for name, columns in self.scope.items():
                if not of or of == name:
                    for column, number in columns:
                        self._add(column, FieldRef(number))
            return
        expression = reader.column(written, self._refs)
        own = written.name.lower() if isinstance(written, exp.Column) else default_name(written)
        name = alias or own
        self._add(name if _NAME.fullmatch(name) else f"column_{place + 1}", expression)
        if alias:
            self.aliases.setdefault(alias, expression)

    def _add(self, name: str, expression: OutputExpression) -> None:
        taken = {output.name for output in self.outputs}
        if name in taken:
            name = f"column_{len(self.outputs) + 1}"
        self.outputs.append(Output(name, expression))


def _all_of(parts: list[OutputExpression]) -> OutputExpression:
    return OutputCall("and", tuple(parts))


def _fields(node: OutputExpression) -> list[FieldRef]:
    return [part for part in walk_output(node) if isinstance(part, FieldRef)]

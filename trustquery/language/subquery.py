"""Subqueries about single people: SELECT, GROUP BY the person key, DISTINCT, windows, UNION ALL, EXISTS and IN.

Each becomes a relation in which every row still belongs to one person. What would mix people is refused where it
stands, with the nearest form that does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from trustquery.catalogue.schema import Role
from trustquery.language.measures import fixed_point
from trustquery.language.ranges import date_ranges
from trustquery.language.relation import conjuncts, is_key_equality, read_from, read_relation, with_marks
from trustquery.language.scalar import Reader, Refused
from trustquery.language.types import NULL
from trustquery.language.windows import read_window
from trustquery.model.facts import unreported
from trustquery.model.nodes import Call, ColumnRef, Expression, Literal, walk
from trustquery.model.relations import (
    MAX_COLUMNS,
    Derived,
    Filter,
    Leaf,
    Named,
    PerPerson,
    PersonValue,
    Relation,
    UnionAll,
    Window,
    Windows,
    aliases,
)
from trustquery.model.scope import Field, Shape, rows_of

__all__ = ["SubqueryReader"]

MAX_NESTING = 12
_PERSON_KINDS: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.LogicalOr: "any",
    exp.LogicalAnd: "every",
}
_NO = {
    "limit": ("LIMIT", "use row_number() OVER (PARTITION BY {key} …) and QUALIFY or WHERE on it"),
    "offset": ("OFFSET", "use row_number() OVER (PARTITION BY {key} …) and QUALIFY or WHERE on it"),
    "order": ("ORDER BY", "order inside a window, or the last SELECT"),
}


@dataclass(frozen=True)
class _Body:
    """A subquery that has been read: its relation without an alias, the person key's written name, and identifiers."""

    leaf: Derived | PerPerson
    person_key: str | None
    place: int
    """Where in the SELECT list the person key stands, -1 when it does not."""


class SubqueryReader:
    """Reads every subquery of one text."""

    def __init__(self) -> None:
        self._depth = 0
        self._open: list[str] = []

    # -- where a subquery may stand --------------------------------------------------------------------------------

    def read(self, tree: exp.Expr, label: str, written: exp.Expr, reader: Reader) -> Leaf:
        """A subquery in FROM, brought into scope under its label.

        Raises:
            Refused: with problems noted.
        """
        alias = reader.fresh(label)
        leaf, person_key = self._rows(tree, alias, reader)
        shape = self._shape(leaf, alias, person_key, reader)
        reader.add(label, shape, written, alias)
        return reader.mark(leaf, written)

    def read_cte(self, name: str, label: str, written: exp.Expr, reader: Reader) -> Leaf:
        """A WITH query where FROM names it.

        Raises:
            Refused: with problems noted.
        """
        if name in self._open:
            raise reader.refuse(
                "query-form-unsupported", written, form="a query that reads itself", instead="write each step once"
            )
        self._open.append(name)
        try:
            return self.read(reader.ctes[name], label, written, reader)
        finally:
            self._open.pop()

    def exists(self, tree: exp.Exists, reader: Reader) -> Expression:
        """EXISTS (SELECT …): a mark of the rows that belong to the same person, or are public.

        Raises:
            Refused: with problems noted.
        """
        reader.only(tree, "this")
        inner = _unwrap(tree.this)
        if not isinstance(inner, exp.Select):
            raise reader.refuse("query-form-unsupported", tree, form="this EXISTS", instead="write EXISTS (SELECT 1 …)")
        outside = set(reader.visible())
        with reader.level(correlated=True):
            self._plain(inner, reader, "expressions", "from_", "joins", "where")
            relation: Relation = read_from(inner, reader)
            inside = set(aliases(relation))
            rows, condition, keyed = self._split(inner.args.get("where"), relation, outside, inside, reader)
            public = all(reader.scope[alias].public for alias in inside)
            if not public and not keyed:
                other = next(iter(reader.scope))
                example = f"{reader.text_of(other)}.{reader.person_key} = outer.{reader.person_key}"
                raise reader.refuse(
                    "query-subquery-crosses-persons",
                    inner,
                    form="EXISTS without the person key",
                    instead=f"add WHERE {example}",
                )
        return reader.mark(reader.ask("exists", rows, condition), tree)

    def is_in(self, tree: exp.In, reader: Reader) -> Expression:
        """X IN (SELECT …): of the person key, or of a public column.

        Raises:
            Refused: with problems noted.
        """
        reader.only(tree, "this", "query")
        inner = _unwrap(tree.args["query"])
        subject: Expression | None = None
        if not (isinstance(tree.this, exp.Column) and self._is_person_key(tree.this, reader)):
            subject = reader.read(tree.this)
        with reader.level():
            alias = reader.fresh("listed")
            leaf, person_key = self._rows(inner, alias, reader)
            shape = self._shape(leaf, alias, person_key, reader)
        columns = [column for column in shape.columns if column.role is not Role.PERSON_KEY]
        if subject is None:
            if shape.public or person_key is None or columns:
                raise reader.refuse(
                    "query-subquery-crosses-persons",
                    inner,
                    form="IN without the person key",
                    instead=f"let the subquery select {reader.person_key} and nothing else",
                )
            return reader.mark(reader.ask("exists", leaf, None), tree)
        if not shape.public:
            raise reader.refuse(
                "query-subquery-crosses-persons",
                inner,
                form="IN (SELECT …) of another column than the person key",
                instead="use EXISTS (SELECT 1 … WHERE the person keys are equal AND …)",
            )
        if len(columns) != 1:
            raise reader.refuse(
                "query-arguments",
                inner,
                function="IN",
                expected="a SELECT of one column",
                example="x IN (SELECT code …)",
            )
        same = reader.mark(Call("eq", (subject, ColumnRef(alias, columns[0].name))), tree)
        found = reader.ask("exists", leaf, same)
        # As SQL has it: whether nothing is in a list is not known.
        return Call("case", (Call("is_null", (subject,)), Literal(None, None), found))

    def _is_person_key(self, tree: exp.Column, reader: Reader) -> bool:
        reference = reader.column(tree)
        column = reader.shape(reference.alias).column(reference.column)
        return column is not None and column.role is Role.PERSON_KEY

    def _split(
        self, where: exp.Expr | None, relation: Relation, outside: set[str], inside: set[str], reader: Reader
    ) -> tuple[Relation, Expression | None, bool]:
        """WHERE of a correlated subquery: what filters its rows, what ties them to the outer row, and if by person."""
        own: list[Expression] = []
        ties: list[Expression] = []
        keyed = False
        for part in conjuncts(where.this) if where is not None else ():
            if is_key_equality(part, reader, outside, inside):
                keyed = True
                continue
            try:
                node = reader.read(part)
            except Refused:
                # Noted; the other parts may have more to say.
                continue
            (ties if _names(node) & outside else own).append(node)
        marked = with_marks(relation, reader)
        if reader.problems:
            raise Refused
        rows = Filter(marked, _all(own)) if own else marked
        return rows, _all(ties) if ties else None, keyed

    # -- bodies ------------------------------------------------------------------------------------------------------

    def _rows(self, tree: exp.Expr, alias: str, reader: Reader) -> tuple[Derived | PerPerson | UnionAll, str | None]:
        tree = _unwrap(tree)
        self._depth += 1
        try:
            if self._depth > MAX_NESTING:
                raise reader.refuse("query-too-deep", tree, limit=MAX_NESTING)
            if isinstance(tree, exp.Union) and type(tree) is exp.Union:
                return self._union(tree, alias, reader)
            if isinstance(tree, exp.Select):
                body = self._select(tree, alias, None, reader)
                return body.leaf, body.person_key
        finally:
            self._depth -= 1
        raise reader.refuse(
            "query-form-unsupported", tree, form=tree.key.upper()[:30], instead="write a SELECT or UNION ALL of SELECTs"
        )

    def _union(self, tree: exp.Union, alias: str, reader: Reader) -> tuple[UnionAll, str | None]:
        branches: list[exp.Expr] = []
        stack: list[exp.Expr] = [tree]
        while stack:
            node = _unwrap(stack.pop())
            if type(node) is exp.Union:
                reader.only(node, "this", "expression", "distinct", "with_")
                bring_ctes(node, reader)
                if node.args.get("distinct"):
                    raise reader.refuse(
                        "query-subquery-crosses-persons", node, form="UNION", instead="write UNION ALL, then DISTINCT"
                    )
                stack += [node.expression, node.this]
            else:
                branches.append(node)
        names: list[str] | None = None
        bodies: list[_Body] = []
        for branch in branches:
            if not isinstance(branch, exp.Select):
                raise reader.refuse(
                    "query-form-unsupported", branch, form=branch.key.upper()[:30], instead="use UNION ALL of SELECTs"
                )
            body = self._select(branch, reader.fresh(alias), names, reader)
            bodies.append(body)
            names = names or [column.name for column in _columns(body.leaf)]
        first = bodies[0]
        for branch, body in zip(branches, bodies, strict=True):
            if body.place != first.place or len(_columns(body.leaf)) != len(_columns(first.leaf)):
                raise reader.refuse("query-subquery-columns", branch, reason="they select different columns")
        union = UnionAll(alias, tuple(body.leaf for body in bodies))
        return reader.mark(union, tree), first.person_key

    def _select(self, tree: exp.Select, alias: str, names: Sequence[str] | None, reader: Reader) -> _Body:
        """One SELECT of a subquery. ``names`` overrides those of its columns (branches of UNION ALL)."""
        self._plain(
            tree, reader, "expressions", "from_", "joins", "where", "group", "having", "qualify", "distinct", "with_",
            "windows",
        )  # fmt: skip
        bring_ctes(tree, reader)
        with reader.level():
            relation, predicate = read_relation(tree, reader)
            ranges = date_ranges(predicate)
            ranges = {**reader.ranges, **ranges}
            public = all(shape.public for shape in reader.scope.values() if shape.columns)
            outputs = _Outputs(tree, reader)
            grouped = tree.args.get("group") is not None or outputs.has_aggregates
            if grouped:
                relation = self._group(tree, outputs, relation, public, reader)
            elif tree.args.get("having"):
                raise reader.refuse(
                    "query-form-unsupported", tree.args["having"], form="HAVING without GROUP BY", instead="use WHERE"
                )
            relation = self._windows(outputs, relation, reader)
            columns, person_key, place = outputs.read(names)
            relation = with_marks(relation, reader)
            if outputs.qualify is not None:
                relation = Filter(relation, reader.read(outputs.qualify))
        leaf: Derived | PerPerson
        if tree.args.get("distinct"):
            leaf = self._distinct(tree, alias, relation, columns, person_key, public, reader)
        else:
            leaf = Derived(alias, relation, tuple(columns))
        for column in columns:
            if isinstance(column.expression, ColumnRef) and column.expression in ranges:
                reader.ranges[ColumnRef(alias, column.name)] = ranges[column.expression]
        return _Body(reader.mark(leaf, tree), person_key, place)

    def _distinct(
        self,
        tree: exp.Select,
        alias: str,
        relation: Relation,
        columns: list[Named],
        person_key: str | None,
        public: bool,
        reader: Reader,
    ) -> PerPerson:
        if tree.args["distinct"].args.get("on"):
            raise reader.refuse(
                "query-form-unsupported",
                tree,
                form="DISTINCT ON",
                instead=f"use row_number() OVER (PARTITION BY {reader.person_key} …) and QUALIFY",
            )
        if public or person_key is None:
            raise reader.refuse(
                "query-subquery-crosses-persons",
                tree,
                form="DISTINCT",
                instead=f"let it select {reader.person_key} as well",
            )
        return PerPerson(alias, relation, tuple(columns), ())

    def _plain(self, tree: exp.Expr, reader: Reader, *names: str) -> None:
        for name, (form, instead) in _NO.items():
            if tree.args.get(name) and name not in names:
                written = tree.args[name]
                raise reader.refuse(
                    "query-subquery-crosses-persons",
                    written if isinstance(written, exp.Expr) else tree,
                    form=f"{form} in a subquery",
                    instead=instead.format(key=reader.person_key),
                )
        reader.only(tree, *names)

    # -- GROUP BY the person key ---------------------------------------------------------------------------------------

    def _group(self, tree: exp.Select, outputs: _Outputs, relation: Relation, public: bool, reader: Reader) -> Relation:
        group = tree.args.get("group")
        written = outputs.group_by(group)
        keys: list[Named] = []
        targets: list[tuple[exp.Expr, str]] = []
        on_person = False
        for place, target in enumerate(written):
            if isinstance(target, exp.Column) and self._is_person_key(target, reader):
                on_person = True
                targets.append((target, ""))
                continue
            keys.append(Named(f"k{place}", outputs.identifier_or_read(target)))
            targets.append((target, f"k{place}"))
        if not on_person or public:
            raise reader.refuse(
                "query-subquery-crosses-persons",
                group or tree,
                form="an aggregate over several people in a subquery",
                instead=f"add {reader.person_key} to GROUP BY; aggregate across people in the last SELECT",
            )
        values: list[PersonValue] = []
        found: list[tuple[exp.Expr, str]] = []
        for call in outputs.aggregates():
            name = next((known for other, known in found if other == call), None)
            if name is None:
                name = f"v{len(values)}"
                values.append(self._value(call, name, reader))
                found.append((call, name))
        alias = reader.fresh("group")
        per_person = PerPerson(alias, with_marks(relation, reader), tuple(keys), tuple(values))
        reader.computed(alias, self._shape(per_person, alias, None, reader), instead=True)
        outputs.after_grouping(alias, targets, found)
        reader.mark(per_person, tree)
        having = outputs.having
        if having is None:
            return per_person
        return Filter(per_person, reader.read(having))

    def _value(self, written: exp.Expr, name: str, reader: Reader) -> PersonValue:
        where: Expression | None = None
        call = written
        if isinstance(written, exp.Filter):
            reader.only(written, "this", "expression")
            call = written.this
            where = reader.read(written.expression.this)
        kind = _PERSON_KINDS.get(type(call))
        if kind is None:
            raise reader.refuse(
                "query-form-unsupported",
                call,
                form=f"{call.key}() per person",
                instead="use count, sum, avg, min, max, bool_or or bool_and per person, or a window",
            )
        reader.only(call, "this")
        inner = call.this
        if kind == "count" and isinstance(inner, exp.Star):
            reader.only(inner)
            return reader.mark(PersonValue(name, "count", None, where), written)
        if kind == "count" and isinstance(inner, exp.Distinct):
            reader.only(inner, "expressions")
            if len(inner.expressions) != 1:
                raise reader.refuse(
                    "query-arguments",
                    call,
                    function="count(DISTINCT …)",
                    expected="one column",
                    example="count(DISTINCT icd10_3)",
                )
            return reader.mark(PersonValue(name, "count_distinct", reader.read(inner.expressions[0]), where), written)
        if isinstance(inner, exp.Distinct) or inner is None:
            raise reader.refuse(
                "query-form-unsupported", call, form=f"{call.key}(DISTINCT …)", instead=f"use {call.key}(…)"
            )
        argument = reader.read(inner)
        if kind in ("sum", "avg"):
            bits, lo, hi = fixed_point(reader, call, call.key, argument)
            return reader.mark(PersonValue(name, kind, argument, where, bits, lo, hi), written)
        return reader.mark(PersonValue(name, kind, argument, where), written)

    # -- windows -------------------------------------------------------------------------------------------------------

    def _windows(self, outputs: _Outputs, relation: Relation, reader: Reader) -> Relation:
        calls = outputs.windows()
        if not calls:
            return relation
        alias = reader.fresh("w")
        columns: list[Window] = []
        found: list[tuple[exp.Expr, str]] = []
        for call in calls:
            if any(other == call for other, _ in found):
                continue
            name = f"w{len(columns)}"
            columns.append(read_window(call, name, outputs.tree, outputs.person_columns, reader))
            found.append((call, name))
        windows = Windows(with_marks(relation, reader), alias, tuple(columns))
        shape = rows_of(windows, reader.tables, unreported).scope[alias]
        reader.computed(alias, shape)
        outputs.after_windows(alias, found)
        return windows

    # -- columns -------------------------------------------------------------------------------------------------------

    def _shape(self, leaf: Leaf, alias: str, person_key: str | None, reader: Reader) -> Shape:
        """The columns that the text sees: those of the model, and the person key where it was selected."""
        shape = rows_of(leaf, reader.tables, unreported).scope[alias]
        if person_key is None:
            return shape
        columns = (*shape.columns, Field(person_key, NULL, Role.PERSON_KEY, person_key))
        return replace(shape, columns=columns, person_key=person_key)


class _Outputs:
    """The SELECT list, HAVING and QUALIFY of one subquery, rewritten step by step onto what was computed before."""

    def __init__(self, tree: exp.Select, reader: Reader) -> None:
        self.tree = tree
        self.reader = reader
        self.items = [self._item(item) for item in self._expand(tree.expressions)]
        having, qualify = tree.args.get("having"), tree.args.get("qualify")
        self.having: exp.Expr | None = self._by_alias(having.this) if having is not None else None
        self.qualify: exp.Expr | None = self._by_alias(qualify.this) if qualify is not None else None
        self.person_columns: list[exp.Expr] = []
        """After grouping: how the person key was written."""
        self._grouped = False

    def _expand(self, items: Iterable[exp.Expr]) -> list[exp.Expr]:
        """The items with ``*`` and ``t.*`` written out, leaving what may not be read."""
        found: list[exp.Expr] = []
        for item in items:
            star = item if isinstance(item, exp.Star) else item.this if isinstance(item, exp.Column) else None
            if not isinstance(star, exp.Star):
                found.append(item)
                continue
            self.reader.only(star)
            of = item.table.lower() if isinstance(item, exp.Column) else ""
            found += self._all_columns(item, of)
        if len(found) > MAX_COLUMNS:
            raise self.reader.refuse(
                "query-form-unsupported",
                self.tree,
                form=f"a subquery of more than {MAX_COLUMNS} columns",
                instead="select those that are needed",
            )
        return found

    def _all_columns(self, item: exp.Expr, of: str) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        seen: set[str] = set()
        for alias, shape in self.reader.scope.items():
            text = self.reader.text_of(alias)
            if of and text != of:
                continue
            for column in shape.columns:
                if column.role is Role.FORBIDDEN or column.name in seen:
                    continue
                seen.add(column.name)
                written = exp.column(column.name, table=text)
                for part in written.walk():
                    part.meta.update(next((n.meta for n in item.walk() if "start" in n.meta), {}))
                found.append(written)
        return found

    def _item(self, item: exp.Expr) -> tuple[exp.Expr, str]:
        if isinstance(item, exp.Alias):
            return item.this.copy(), str(item.alias).lower()
        name = item.name.lower() if isinstance(item, exp.Column) else ""
        return item.copy(), name

    def _by_alias(self, tree: exp.Expr) -> exp.Expr:
        """A condition with the names of the SELECT list written out, where no column has the name."""
        columns = {column.name for shape in self.reader.scope.values() for column in shape.columns}
        named = {name: item for item, name in reversed(self.items) if name and name not in columns}

        def swap(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and not node.table and node.name.lower() in named:
                return named[node.name.lower()].copy()
            return node

        return tree.transform(swap)

    def _trees(self) -> list[exp.Expr]:
        return [*(tree for tree, _ in self.items), *(t for t in (self.having, self.qualify) if t is not None)]

    @property
    def has_aggregates(self) -> bool:
        """Whether there is an aggregate that is no window."""
        return bool(self.aggregates())

    def aggregates(self) -> list[exp.Expr]:
        """Aggregate calls with their FILTER, outermost first, without window functions."""
        found: list[exp.Expr] = []
        for tree in self._trees():
            found += _topmost(tree, _is_aggregate)
        return found

    def windows(self) -> list[exp.Expr]:
        """Window calls in the SELECT list and QUALIFY."""
        found: list[exp.Expr] = []
        for tree in [*(tree for tree, _ in self.items), *([self.qualify] if self.qualify is not None else [])]:
            found += _topmost(tree, lambda node: isinstance(node, exp.Window))
        return found

    def group_by(self, group: exp.Expr | None) -> list[exp.Expr]:
        """The written keys, ordinals and aliases resolved; with ALL, every item that aggregates nothing."""
        if group is None:
            return []
        self.reader.only(group, "expressions", "all")
        if group.args.get("all"):
            return [tree for tree, _ in self.items if not _topmost(tree, _is_aggregate)]
        found: list[exp.Expr] = []
        by_name = {name: tree for tree, name in reversed(self.items) if name}
        for written in group.expressions:
            target = written
            if isinstance(written, exp.Literal) and not written.args.get("is_string"):
                number = int(written.this) if str(written.this).isdecimal() else 0
                if not 1 <= number <= len(self.items):
                    raise self.reader.refuse(
                        "query-literal",
                        written,
                        literal=str(written.this)[:30],
                        instead="GROUP BY the number of a column",
                    )
                target = self.items[number - 1][0]
            elif isinstance(written, exp.Column) and not written.table:
                known = any(shape.column(written.name.lower()) for shape in self.reader.scope.values())
                target = written if known else by_name.get(written.name.lower(), written)
            found.append(target)
        return found

    def identifier_or_read(self, written: exp.Expr) -> Expression:
        """An expression; or an identifier of the person's own, untouched."""
        if isinstance(written, exp.Column):
            return self.reader.column(written)
        return self.reader.read(written)

    def after_grouping(self, alias: str, keys: list[tuple[exp.Expr, str]], values: list[tuple[exp.Expr, str]]) -> None:
        """From here on keys and aggregates are columns of the grouped relation."""
        self._grouped = True
        self.person_columns = [tree for tree, name in keys if not name]
        known = [(tree, exp.column(name, table=alias)) for tree, name in (*values, *keys) if name]
        self._replace(known)

    def after_windows(self, alias: str, found: list[tuple[exp.Expr, str]]) -> None:
        """From here on window calls are columns."""
        self._replace([(tree, exp.column(name, table=alias)) for tree, name in found])

    def _replace(self, known: list[tuple[exp.Expr, exp.Column]]) -> None:
        def swap(node: exp.Expr) -> exp.Expr:
            for tree, column in known:
                if node == tree:
                    return _at(column.copy(), node)
            return node

        self.items = [(tree.transform(swap), name) for tree, name in self.items]
        self.having = self.having.transform(swap) if self.having is not None else None
        self.qualify = self.qualify.transform(swap) if self.qualify is not None else None

    def read(self, names: Sequence[str] | None) -> tuple[list[Named], str | None, int]:
        """Columns, the name of the person key and its place in the list."""
        columns: list[Named] = []
        person_key, person_place = None, -1
        taken: set[str] = set()
        for place, (tree, written) in enumerate(self.items):
            name = written or f"column_{place + 1}"
            if self._is_person(tree):
                if person_key is None:
                    person_key, person_place = name, place
                continue
            if names is not None and len(columns) < len(names):
                name = names[len(columns)]
            if name in taken or not _is_plain(name):
                name = f"column_{place + 1}"
            taken.add(name)
            columns.append(Named(name, self.identifier_or_read(tree)))
        return columns, person_key, person_place

    def _is_person(self, tree: exp.Expr) -> bool:
        if not isinstance(tree, exp.Column):
            return False
        if self._grouped:
            return any(
                tree == written or (tree.name.lower() == written.name.lower() and not tree.table)
                for written in self.person_columns
            )
        reference = self.reader.column(tree)
        column = self.reader.shape(reference.alias).column(reference.column)
        return column is not None and column.role is Role.PERSON_KEY


def bring_ctes(tree: exp.Expr, reader: Reader) -> None:
    """Make the WITH queries of a statement known by name; they are read where FROM names them.

    Raises:
        Refused: recursion, or a form that is not supported.
    """
    written = tree.args.get("with_")
    if written is None:
        return
    if written.args.get("recursive"):
        raise reader.refuse(
            "query-form-unsupported", written, form="WITH RECURSIVE", instead="write each step as a query of its own"
        )
    reader.only(written, "expressions")
    for cte in written.expressions:
        reader.only(cte, "this", "alias", "materialized")
        reader.only(cte.args["alias"], "this")
        name = str(cte.alias).lower()
        if not isinstance(_unwrap(cte.this), exp.Select | exp.Union):
            raise reader.refuse(
                "query-form-unsupported",
                cte.this,
                form=f"{cte.this.key.upper()[:30]} in WITH",
                instead="write a SELECT",
            )
        if name in reader.ctes or reader.tables.shape(name) is not None:
            raise reader.refuse(
                "query-form-unsupported", cte, form=f"the name {name} twice", instead="give the query another name"
            )
        reader.ctes[name] = cte.this


def _unwrap(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Subquery | exp.Paren) and not tree.alias and not tree.args.get("with_"):
        tree = tree.this
    return tree


def _columns(leaf: Derived | PerPerson) -> tuple[Named | PersonValue, ...]:
    return leaf.columns if isinstance(leaf, Derived) else (*leaf.keys, *leaf.values)


def _names(node: Expression) -> set[str]:
    return {part.alias for part in walk(node) if isinstance(part, ColumnRef)}


def _all(parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else Call("and", tuple(parts))


def _is_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Filter):
        return isinstance(node.this, exp.AggFunc) and not isinstance(node.parent, exp.Window)
    return isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window)


def _topmost(tree: exp.Expr, wanted: object) -> list[exp.Expr]:
    """The outermost nodes that are wanted, left to right; nothing inside subqueries."""
    found: list[exp.Expr] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if wanted(node):  # type: ignore[operator]
            found.append(node)
        elif not isinstance(node, exp.Select):
            stack += reversed(list(node.iter_expressions()))
    return found


def _at(column: exp.Column, tree: exp.Expr) -> exp.Column:
    """The column with the place of the tree that it stands for."""
    start = next((node.meta for node in tree.walk() if "start" in node.meta), None)
    if start is not None:
        column.this.meta.update(start)
    return column


def _is_plain(name: str) -> bool:
    return name.isascii() and name.replace("_", "a").isalnum() and name[0].isalpha() and len(name) <= 63

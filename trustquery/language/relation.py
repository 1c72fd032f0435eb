"""FROM, JOIN and WHERE to a relation: rows about people meet on the person key, or are refused."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from trustquery.catalogue.schema import Role
from trustquery.language.scalar import Reader
from trustquery.model.nodes import Call, ColumnRef, Expression
from trustquery.model.relations import MAX_SCANS, Filter, Join, Leaf, Mark, Relation, Scan, aliases

__all__ = ["conjuncts", "read_from", "read_relation", "with_marks"]


def read_relation(select: exp.Select, reader: Reader) -> tuple[Relation, Expression | None]:
    """The relation that the SELECT reads, and its WHERE predicate.

    Fills ``reader.scope`` with the aliases. Marks that EXISTS and IN (SELECT …) need in WHERE are below the filter.

    Raises:
        Refused: with problems noted.
    """
    relation: Relation = read_from(select, reader)
    where = select.args.get("where")
    if where is None:
        return relation, None
    predicate = reader.read(where.this)
    return Filter(with_marks(relation, reader), predicate), predicate


def with_marks(relation: Relation, reader: Reader) -> Relation:
    """The relation with the marks that expressions read since have asked for."""
    for mark in reader.take_marks():
        relation = Mark(relation, mark.alias, mark.rows, mark.condition)
    return relation


def read_from(select: exp.Select, reader: Reader) -> Leaf | Join:
    """FROM and its joins.

    Raises:
        Refused: with problems noted.
    """
    source = select.args.get("from_")
    if source is None:
        raise reader.refuse(
            "query-form-unsupported", select, form="SELECT without FROM", instead="read a table of the catalogue"
        )
    relation: Leaf | Join = _leaf(source.this, reader)
    joins = select.args.get("joins") or []
    if len(joins) >= MAX_SCANS:
        raise reader.refuse(
            "query-form-unsupported",
            joins[MAX_SCANS - 1],
            form=f"a query over more than {MAX_SCANS} tables",
            instead="join fewer",
        )
    optional: set[str] = set()
    for join in joins:
        relation = _join(join, relation, optional, reader)
    return relation


def _leaf(tree: exp.Expr, reader: Reader) -> Leaf:
    if isinstance(tree, exp.Subquery):
        reader.only(tree, "this", "alias")
        alias = _alias(tree, reader)
        return reader.subqueries.read(tree.this, alias or "subquery", tree, reader)
    if not isinstance(tree, exp.Table) or not isinstance(tree.this, exp.Identifier):
        raise reader.refuse(
            "query-form-unsupported",
            tree,
            form="this source of rows",
            instead="name a table of the catalogue: files and functions are not read",
        )
    reader.only(tree, "this", "alias")
    name = tree.name.lower()
    label = _alias(tree, reader) or name
    if name in reader.ctes:
        return reader.subqueries.read_cte(name, label, tree, reader)
    shape = reader.tables.shape(name)
    if shape is None:
        raise reader.refuse(
            "query-unknown-table",
            tree,
            table=name,
            catalogue=reader.tables.catalogue.id,
            nearest=reader.tables.nearest(name),
        )
    return reader.mark(Scan(reader.add(label, shape, tree), name), tree)


def _alias(tree: exp.Expr, reader: Reader) -> str:
    alias = tree.args.get("alias")
    if alias is not None:
        reader.only(alias, "this")
    return str(tree.alias).lower()


def _join(tree: exp.Join, left: Leaf | Join, optional: set[str], reader: Reader) -> Join:
    """One JOIN. ``optional`` holds the aliases whose rows may be missing."""
    reader.only(tree, "this", "on", "using", "side", "kind", "method")
    side, kind = str(tree.args.get("side") or ""), str(tree.args.get("kind") or "")
    method = str(tree.args.get("method") or "")
    allowed = kind in ("", "INNER", "CROSS") if not side else kind in ("", "OUTER")
    if method or not allowed or side not in ("", "LEFT", "RIGHT", "FULL"):
        form = f"{method} {side} {kind} JOIN".strip()
        instead = "use EXISTS or NOT EXISTS" if kind in ("SEMI", "ANTI") else "use JOIN or LEFT JOIN on the person key"
        raise reader.refuse("query-form-unsupported", tree, form=" ".join(form.split()), instead=instead)
    before = aliases(left)
    right = _leaf(tree.this, reader)
    public = all(reader.scope[alias].public for alias in before), reader.scope[right.alias].public
    on_person = not any(public)
    if tree.args.get("using"):
        condition = _using(tree, reader, before, right.alias, on_person=on_person)
    else:
        condition = _condition(tree, reader, before, optional, right.alias, on_person=on_person)
    if on_person is False and condition is None and kind != "CROSS":
        raise reader.refuse(
            "query-form-unsupported", tree, form="a join to a public table without ON", instead="say ON which rows meet"
        )
    if reader.take_marks():
        raise reader.refuse(
            "query-form-unsupported", tree, form="a subquery in ON", instead="put EXISTS or IN into WHERE"
        )
    if side in ("LEFT", "FULL"):
        optional.add(right.alias)
    if side in ("RIGHT", "FULL"):
        optional.update(before)
    name = {"": "inner", "LEFT": "left", "RIGHT": "right", "FULL": "full"}[side]
    return reader.mark(Join(left, right, name, condition), tree)  # type: ignore[arg-type]


def _using(
    tree: exp.Join, reader: Reader, before: tuple[str, ...], alias: str, *, on_person: bool
) -> Expression | None:
    names = [item.name.lower() for item in tree.args["using"]]
    keys = {reader.scope[name].person_key for name in (*before, alias) if not reader.scope[name].public}
    if on_person:
        if names != [reader.scope[alias].person_key] or len(keys) != 1:
            raise _not_on_person(tree, reader, before, alias)
        return None
    pairs: list[Expression] = []
    for name in names:
        holders = [other for other in before if reader.scope[other].column(name) is not None]
        if len(holders) != 1 or reader.scope[alias].column(name) is None:
            raise reader.refuse(
                "query-ambiguous-column", tree, column=name, example=f"ON {before[0]}.x = {alias}.{name}"
            )
        sides = [ColumnRef(holders[0], name), ColumnRef(alias, name)]
        pairs.append(reader.mark(Call("eq", tuple(sides)), tree))
    return pairs[0] if len(pairs) == 1 else reader.mark(Call("and", tuple(pairs)), tree)


def _condition(
    tree: exp.Join, reader: Reader, before: tuple[str, ...], optional: set[str], alias: str, *, on_person: bool
) -> Expression | None:
    on = tree.args.get("on")
    if on is None:
        if on_person:
            raise _not_on_person(tree, reader, before, alias)
        return None
    rest: list[exp.Expr] = []
    found = not on_person
    for part in conjuncts(on):
        if on_person and is_key_equality(part, reader, set(before) - optional, {alias}):
            found = True
        else:
            rest.append(part)
    if not found:
        raise _not_on_person(on, reader, before, alias)
    conditions = [reader.read(part) for part in rest]
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else reader.mark(Call("and", tuple(conditions)), on)


def conjuncts(tree: exp.Expr | None) -> Iterator[exp.Expr]:
    """The parts of a top-level AND, in order; none of nothing."""
    stack = [tree] if tree is not None else []
    while stack:
        node = stack.pop()
        if isinstance(node, exp.And):
            stack += [node.expression, node.this]
        elif isinstance(node, exp.Paren):
            stack.append(node.this)
        else:
            yield node


def is_key_equality(part: exp.Expr, reader: Reader, left: set[str], right: set[str]) -> bool:
    """Whether this conjunct equates the person key of one of ``left`` with that of one of ``right``."""
    if not isinstance(part, exp.EQ):
        return False
    if not isinstance(part.this, exp.Column) or not isinstance(part.expression, exp.Column):
        return False
    if not (part.this.table and part.expression.table):
        return False
    sides = [reader.column(part.this), reader.column(part.expression)]
    for side in sides:
        column = reader.shape(side.alias).column(side.column)
        if column is None or column.role is not Role.PERSON_KEY:
            return False
    first, second = (side.alias for side in sides)
    return (first in left and second in right) or (first in right and second in left)


def _not_on_person(tree: exp.Expr, reader: Reader, before: tuple[str, ...], alias: str) -> Exception:
    other = next((name for name in before if reader.scope[name].person_key), before[0])
    if not reader.scope[alias].person_key or not reader.scope[other].person_key:
        hidden = alias if not reader.scope[alias].person_key else other
        example = f"… after selecting {reader.person_key} in the subquery {reader.text_of(hidden)}"
    else:
        first = f"{reader.text_of(other)}.{reader.scope[other].person_key}"
        example = f"{first} = {reader.text_of(alias)}.{reader.scope[alias].person_key}"
    return reader.refuse("query-join-not-on-person", tree, example=example)

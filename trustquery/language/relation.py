"""FROM, JOIN and WHERE to a relation: every join is on the person key, or refused."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from trustquery.catalogue.schema import Catalogue, Role, Table
from trustquery.errors import nearest
from trustquery.language.scalar import Reader
from trustquery.model.nodes import MAX_SCANS, Call, ColumnRef, Expression, Filter, Join, Relation, Scan

__all__ = ["read_relation"]


def read_relation(select: exp.Select, catalogue: Catalogue, reader: Reader) -> tuple[Relation, Expression | None]:
    """The relation that the SELECT reads, and its WHERE predicate.

    Fills ``reader.scope`` with the aliases.

    Raises:
        Refused: with problems noted.
    """
    source = select.args.get("from_")
    if source is None:
        raise reader.refuse(
            "query-form-unsupported", select, form="SELECT without FROM", instead="read a table of the catalogue"
        )
    relation: Scan | Join = _scan(source.this, catalogue, reader)
    optional: set[str] = set()
    joins = select.args.get("joins") or []
    if len(joins) >= MAX_SCANS:
        raise reader.refuse(
            "query-form-unsupported",
            joins[MAX_SCANS - 1],
            form=f"a query over more than {MAX_SCANS} tables",
            instead="join fewer",
        )
    for join in joins:
        relation = _join(join, relation, optional, catalogue, reader)
    where = select.args.get("where")
    if where is None:
        return relation, None
    predicate = reader.read(where.this)
    return Filter(relation, predicate), predicate


def _scan(tree: exp.Expr, catalogue: Catalogue, reader: Reader) -> Scan:
    if not isinstance(tree, exp.Table) or not isinstance(tree.this, exp.Identifier):
        raise reader.refuse(
            "query-form-unsupported",
            tree,
            form="this source of rows",
            instead="name a table of the catalogue: files, functions and subqueries are not read",
        )
    reader.only(tree, "this", "alias")
    alias = tree.args.get("alias")
    if alias is not None:
        reader.only(alias, "this")
    name = tree.name.lower()
    table = catalogue.table(name)
    if table is None or table.kind != "person":
        names = [found.name for found in catalogue.tables if found.kind == "person"]
        raise reader.refuse(
            "query-unknown-table", tree, table=name, catalogue=catalogue.id, nearest=nearest(name, names) or names[0]
        )
    label = (tree.alias or tree.name).lower()
    if label in reader.scope:
        raise reader.refuse(
            "query-form-unsupported",
            tree,
            form=f"the name {label} twice in FROM",
            instead="give each table an alias of its own",
        )
    reader.scope[label] = table
    return reader.mark(Scan(label, name), tree)


def _join(tree: exp.Join, left: Scan | Join, optional: set[str], catalogue: Catalogue, reader: Reader) -> Join:
    """One JOIN. ``optional`` holds the aliases whose rows may be missing (right sides of LEFT joins)."""
    reader.only(tree, "this", "on", "using", "side", "kind", "method")
    side, kind = str(tree.args.get("side") or ""), str(tree.args.get("kind") or "")
    side = f"{tree.args.get('method') or ''} {side}".strip()
    if side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER") or (kind == "OUTER" and side != "LEFT"):
        raise reader.refuse(
            "query-form-unsupported", tree, form=f"{side} {kind} JOIN".strip().replace("  ", " "),
            instead="use JOIN or LEFT JOIN on the person key",
        )  # fmt: skip
    before = dict(reader.scope)
    scan = _scan(tree.this, catalogue, reader)
    table = reader.scope[scan.alias]
    if tree.args.get("using"):
        names = [item.name.lower() for item in tree.args["using"]]
        held = all(before[alias].person_key == table.person_key for alias in before)
        if names != [table.person_key] or not held:
            raise _not_on_person(tree, reader, before, scan.alias, table)
        condition = None
    else:
        condition = _condition(tree, reader, before, optional, scan, table)
    if side == "LEFT":
        optional.add(scan.alias)
    return Join(left, scan, "left" if side == "LEFT" else "inner", condition)


def _condition(
    tree: exp.Join, reader: Reader, before: dict[str, Table], optional: set[str], scan: Scan, table: Table
) -> Expression | None:
    on = tree.args.get("on")
    if on is None:
        raise _not_on_person(tree, reader, before, scan.alias, table)
    rest: list[exp.Expr] = []
    found = False
    for part in _conjuncts(on):
        if _is_key_equality(part, reader, before, optional, scan):
            found = True
        else:
            rest.append(part)
    if not found:
        raise _not_on_person(on, reader, before, scan.alias, table)
    conditions = [reader.read(part) for part in rest]
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else reader.mark(Call("and", tuple(conditions)), on)


def _conjuncts(tree: exp.Expr) -> Iterator[exp.Expr]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, exp.And):
            stack += [node.expression, node.this]
        elif isinstance(node, exp.Paren):
            stack.append(node.this)
        else:
            yield node


def _is_key_equality(part: exp.Expr, reader: Reader, before: dict[str, Table], optional: set[str], scan: Scan) -> bool:
    """Whether this conjunct equates the new table's person key with that of a table that is always there."""
    if not isinstance(part, exp.EQ):
        return False
    if not isinstance(part.this, exp.Column) or not isinstance(part.expression, exp.Column):
        return False
    if not (part.this.table and part.expression.table):
        return False
    sides: list[ColumnRef] = [reader.column(part.this), reader.column(part.expression)]
    keys = []
    for side in sides:
        column = reader.scope[side.alias].column(side.column)
        keys.append(column is not None and column.role is Role.PERSON_KEY)
    aliases = {side.alias for side in sides}
    others = aliases - {scan.alias}
    return all(keys) and scan.alias in aliases and len(others) == 1 and others <= set(before) - optional


def _not_on_person(tree: exp.Expr, reader: Reader, before: dict[str, Table], alias: str, table: Table) -> Exception:
    other = next(iter(before))
    example = f"{other}.{before[other].person_key} = {alias}.{table.person_key}"
    return reader.refuse("query-join-not-on-person", tree, example=example)

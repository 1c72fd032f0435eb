"""How many rows one person can have, at most; and the caps that keep joins from multiplying them without end.

If one person's joined rows could become so many that an engine fails, then failing would say that the person is there:
one exact bit. So each joined relation keeps a person's lowest-ranked rows only, few enough for the product to stay
within ``MAX_JOINED`` (privacy-rules.md section 2: no one person can make a query slow). All of it follows from the
model, the catalogue and pinned public rows, never from data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from trustquery.catalogue.schema import Role
from trustquery.model.facts import unreported
from trustquery.model.nodes import Call, ColumnRef, Expression, conjuncts, references, walk
from trustquery.model.relations import (
    Derived,
    Filter,
    Join,
    Leaf,
    Mark,
    PerPerson,
    Relation,
    Scan,
    UnionAll,
    Windows,
    column_names,
    leaves,
)
from trustquery.model.scope import Tables, rows_of

__all__ = [
    "MAX_JOINED",
    "MAX_TIED",
    "Cap",
    "all_or_none",
    "join_caps",
    "most_rows",
    "one_by_one",
    "public_factor",
    "same_for_all_rows",
]

MAX_JOINED = 1_000_000
"""Joined rows of one person, at most."""
MAX_TIED = 31
"""Rows of one person that share an identifier, such as the diagnoses of one spell, in a join on that identifier."""


@dataclass(frozen=True)
class Cap:
    """The rows of one person that a joined relation keeps, lowest rank first.

    Attributes:
        rows: how many.
        by: the identifier's column, where so many are kept for each of its values.
    """

    rows: int
    by: str | None = None


def most_rows(node: Relation, tables: Tables) -> int:
    """Rows of one person that the relation can have; of a public relation, all its rows."""
    if isinstance(node, Scan):
        public = tables.open(node.table)
        if public is not None:
            return len(public.rows)
        table = tables.catalogue.table(node.table)
        return 1 if table is None or table.one_row_per_person else table.row_cap
    if isinstance(node, Join):
        caps = join_caps(node, tables)
        return math.prod(cap.rows for cap in caps.values()) * public_factor(node, tables)
    if isinstance(node, UnionAll):
        return sum(most_rows(branch, tables) for branch in node.branches)
    if isinstance(node, PerPerson) and not node.keys:
        return 1
    return most_rows(node.source, tables)


def one_by_one(node: Relation, tables: Tables) -> str | None:
    """The scan whose rows give at most one row of the relation each, by its alias; None where there is no such scan.

    Of a person with n rows there, the relation has n rows at most, or one where n is 0: no step adds rows, and every
    other joined relation has one row a person, or is public and gives each row one.
    """
    if isinstance(node, Scan):
        return None if tables.open(node.table) is not None else node.alias
    if isinstance(node, Filter | Mark | Windows | Derived):
        return one_by_one(node.source, tables)
    if not isinstance(node, Join) or public_factor(node, tables) > 1:
        return None
    many = [leaf for leaf in leaves(node) if not _is_public(leaf, tables) and most_rows(leaf, tables) > 1]
    about = [leaf for leaf in leaves(node) if not _is_public(leaf, tables)]
    found = many or about[:1]
    # A row that an outer join keeps on its right side stands beside those on its left.
    current: Join | Leaf = node
    while isinstance(current, Join):
        if current.kind not in ("inner", "left"):
            return None
        current = current.left
    return one_by_one(found[0], tables) if len(found) == 1 else None


def same_for_all_rows(node: Relation, tables: Tables) -> set[ColumnRef]:
    """Columns that have one value in all rows of a person."""
    if isinstance(node, PerPerson):
        names = () if node.keys else column_names(node)
        return {ColumnRef(node.alias, name) for name in names}
    if isinstance(node, Scan):
        public = tables.open(node.table)
        if public is not None or most_rows(node, tables) > 1:
            return set()
        table = tables.catalogue.table(node.table)
        return {ColumnRef(node.alias, column.name) for column in table.columns} if table is not None else set()
    if isinstance(node, Filter | Mark | Windows):
        return same_for_all_rows(node.source, tables)
    if isinstance(node, Derived):
        below = same_for_all_rows(node.source, tables)
        return {
            ColumnRef(node.alias, column.name) for column in node.columns if references([column.expression]) <= below
        }
    if isinstance(node, UnionAll) or node.kind not in ("inner", "left"):
        return set()
    found = same_for_all_rows(node.left, tables)
    asked = references([node.condition] if node.condition is not None else [])
    if _is_public(node.right, tables):
        # What is looked up by columns that are the same in all rows is the same in all rows.
        own = {ref for ref in asked if ref.alias == node.right.alias}
        if _meets(node.right, node.condition, tables) == 1 and asked - own <= found:
            found |= _public_columns(node.right, tables)
    elif node.kind == "inner" or node.condition is None:
        # Beside a left join's condition, a person's rows may have the other side's values or none.
        found |= same_for_all_rows(node.right, tables)
    return found


def all_or_none(node: Relation, tables: Tables) -> bool:
    """Whether every step keeps all rows of a person or none, beside caps by rank; False where that is not sure."""
    if isinstance(node, Scan):
        return True
    if isinstance(node, Derived | Mark | Windows):
        return all_or_none(node.source, tables)
    if isinstance(node, Filter):
        steady = same_for_all_rows(node.source, tables)
        return all_or_none(node.source, tables) and references([node.predicate]) <= steady
    if not isinstance(node, Join) or node.kind not in ("inner", "left"):
        return False
    steady = same_for_all_rows(node.left, tables) | same_for_all_rows(node.right, tables)
    if _is_public(node.right, tables):
        steady |= _public_columns(node.right, tables)
    asked = references([node.condition] if node.condition is not None else [])
    return all_or_none(node.left, tables) and all_or_none(node.right, tables) and asked <= steady


def _public_columns(leaf: Leaf, tables: Tables) -> set[ColumnRef]:
    table = tables.open(leaf.table) if isinstance(leaf, Scan) else None
    return {ColumnRef(leaf.alias, column.name) for column in table.columns} if table is not None else set()


def join_caps(node: Join, tables: Tables) -> Mapping[str, Cap]:
    """What each joined relation about people keeps, by alias.

    A relation that is tied to another by an identifier gives few rows for each of the other's. The rest share what is
    left; relations that can have few rows leave their share to the others.
    """
    left, found = max(MAX_JOINED // public_factor(node, tables), 1), dict[str, Cap]()
    bounds: dict[str, int] = {}
    ties = _ties(node, tables)
    for leaf in leaves(node):
        if not _is_public(leaf, tables):
            bounds[leaf.alias] = most_rows(leaf, tables)
    for alias, column in ties.items():
        rows = min(bounds[alias], MAX_TIED, left)
        found[alias] = Cap(rows, column)
        left = max(left // rows, 1)
    shared = sorted((alias for alias in bounds if alias not in found), key=lambda name: (bounds[name], name))
    for place, alias in enumerate(shared):
        rows = min(bounds[alias], _root(left, len(shared) - place))
        found[alias] = Cap(rows)
        left = max(left // rows, 1)
    return found


def _ties(node: Join, tables: Tables) -> dict[str, str]:
    """Aliases on the right of inner and left joins that are tied by an identifier, with its column."""
    found: dict[str, str] = {}
    scope = rows_of(node, tables, unreported).scope
    current: Join | Leaf = node
    while isinstance(current, Join):
        alias = current.right.alias
        if current.kind in ("inner", "left") and not _is_public(current.right, tables):
            for part in _equalities(current.condition):
                columns = [side for side in part.arguments if isinstance(side, ColumnRef)]
                own = [side for side in columns if side.alias == alias]
                fields = [scope[side.alias].column(side.column) for side in columns if side.alias in scope]
                tied = (
                    len(own) == 1
                    and len(fields) == 2
                    and all(f is not None and f.role is Role.JOIN_ONLY for f in fields)
                )
                if tied:
                    found[alias] = own[0].column
        current = current.left
    return dict(sorted(found.items()))


def public_factor(node: Join, tables: Tables) -> int:
    """Rows of public relations that one row about a person can meet."""
    factor = 1
    current: Join | Leaf = node
    condition: Expression | None = None
    while isinstance(current, Join):
        factor *= _meets(current.right, current.condition, tables)
        condition, current = current.condition, current.left
    return factor * _meets(current, condition, tables)


def _meets(leaf: Leaf, condition: Expression | None, tables: Tables) -> int:
    """Rows of a public leaf that one other row can meet; 1 for a relation about people."""
    if not _is_public(leaf, tables):
        return 1
    most = most_rows(leaf, tables)
    table = tables.open(leaf.table) if isinstance(leaf, Scan) else None
    if table is None:
        return most
    for part in _equalities(condition):
        for column, other in (part.arguments, reversed(part.arguments)):
            named = isinstance(column, ColumnRef) and column.alias == leaf.alias
            if named and not any(isinstance(n, ColumnRef) and n.alias == leaf.alias for n in walk(other)):
                place = [c.name for c in table.columns].index(column.column)  # type: ignore[union-attr]
                # Pinned rows are known: of a column without repeats one row meets at most one.
                repeats = Counter(row[place] for row in table.rows if row[place] is not None)
                most = min(most, max(repeats.values(), default=0) or 1)
    return most


def _equalities(condition: Expression | None) -> list[Call]:
    """Equalities that every joined row must meet, the last one first."""
    return [part for part in reversed(conjuncts(condition)) if isinstance(part, Call) and part.function == "eq"]


def _is_public(node: Relation, tables: Tables) -> bool:
    """Whether no scan below is about people; the checker has seen that the relation is sound."""
    stack: list[Relation] = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, Scan):
            if tables.open(found.table) is None:
                return False
        elif isinstance(found, Join):
            stack += [found.left, found.right]
        elif isinstance(found, UnionAll):
            stack += found.branches
        else:
            stack.append(found.source)
    return True


def _root(number: int, degree: int) -> int:
    """The largest whole number whose power is at most ``number``, at least 1."""
    found = max(int(number ** (1 / degree)), 1)
    while (found + 1) ** degree <= number:
        found += 1
    while found > 1 and found**degree > number:
        found -= 1
    return found

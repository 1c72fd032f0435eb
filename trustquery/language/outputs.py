"""Tree of an expression over released figures to the model: the SELECT list, HAVING, ORDER BY, and outer SELECTs.

By allow-list, as for scalar expressions; what a column or an aggregate means is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlglot import exp

from trustquery.catalogue.schema import ColumnType
from trustquery.language.scalar import Reader, Refused
from trustquery.model.nodes import (
    MAX_DEPTH,
    MAX_ROUND_DIGITS,
    Literal,
    Output,
    OutputCall,
    OutputExpression,
    output_depth,
)
from trustquery.model.post import Field, Order, OutputTypeError, Refs, Tail, describe, describe_column, need_condition

__all__ = ["OUTPUT_FORMS", "OutputReader", "read_tail"]

Leaf = Callable[[exp.Expr], OutputExpression | None]
"""What a column, aggregate or key means here; None where it is none of them. Raises ``Refused``."""

OUTPUT_FORMS = "+ - * /, round, abs, sqrt, coalesce, nullif, clamp, greatest, least, CASE and comparisons"
_BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "sub",
    exp.Mul: "mul",
    exp.Div: "div",
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.And: "and",
    exp.Or: "or",
}
_UNARY: dict[type[exp.Expr], str] = {exp.Neg: "neg", exp.Abs: "abs", exp.Sqrt: "sqrt", exp.Not: "not"}


class OutputReader:
    """Reads expressions over figures.

    Args:
        reader: for problems, places and literals.
        leaf: see ``Leaf``; asked first at every node.
    """

    def __init__(self, reader: Reader, leaf: Leaf) -> None:
        self.reader, self.leaf = reader, leaf

    def read(self, tree: exp.Expr) -> OutputExpression:
        """One expression.

        Raises:
            Refused: with the problem noted.
        """
        node = self._inner(tree)
        if output_depth(node) > MAX_DEPTH:
            raise self.reader.refuse("query-too-deep", tree, limit=MAX_DEPTH)
        return node

    def _inner(self, tree: exp.Expr) -> OutputExpression:
        found = self.leaf(tree)
        node = found if found is not None else self._read(tree)
        return self.reader.mark(node, tree)

    def _all(self, name: str, *trees: exp.Expr) -> OutputCall:
        return OutputCall(name, tuple(self._inner(tree) for tree in trees))

    def _read(self, tree: exp.Expr) -> OutputExpression:
        only = self.reader.only
        if isinstance(tree, exp.Paren):
            return self._inner(tree.this)
        if type(tree) in _BINARY:
            only(tree, "this", "expression")
            return self._all(_BINARY[type(tree)], tree.this, tree.expression)
        if isinstance(tree, exp.Neg) and isinstance(tree.this, exp.Literal) and not tree.this.args.get("is_string"):
            return self._literal(tree)
        if type(tree) in _UNARY:
            only(tree, "this")
            return self._all(_UNARY[type(tree)], tree.this)
        dated = isinstance(tree, exp.Cast) and isinstance(tree.this, exp.Literal)
        if dated or isinstance(tree, exp.Literal | exp.Boolean | exp.Null):
            return self._literal(tree)
        if isinstance(tree, exp.Round):
            only(tree, "this", "decimals")
            return self._round(tree)
        if isinstance(tree, exp.Coalesce):
            only(tree, "this", "expressions")
            return self._variadic(tree, "coalesce", [tree.this, *tree.expressions])
        if isinstance(tree, exp.Greatest | exp.Least):
            only(tree, "this", "expressions", "ignore_nulls")
            return self._variadic(tree, tree.key.lower(), [tree.this, *tree.expressions])
        if isinstance(tree, exp.Nullif):
            only(tree, "this", "expression")
            return self._all("nullif", tree.this, tree.expression)
        if isinstance(tree, exp.Anonymous) and tree.name.lower() == "clamp":
            if len(tree.expressions) != 3:
                raise self.reader.refuse(
                    "query-arguments", tree, function="clamp", expected="a value and two bounds",
                    example="clamp(n, 0, 100)",
                )  # fmt: skip
            return self._all("clamp", *tree.expressions)
        if isinstance(tree, exp.Between):
            only(tree, "this", "low", "high")
            value = self._inner(tree.this)
            low = OutputCall("ge", (value, self._inner(tree.args["low"])))
            return OutputCall("and", (low, OutputCall("le", (value, self._inner(tree.args["high"])))))
        if isinstance(tree, exp.Is) and isinstance(tree.expression, exp.Null):
            only(tree, "this", "expression")
            return self._all("is_null", tree.this)
        if isinstance(tree, exp.In):
            only(tree, "this", "expressions")
            listed = [self._inner(item) for item in tree.expressions]
            if not listed or not all(isinstance(item, Literal) and item.type is not None for item in listed):
                raise self.reader.refuse(
                    "query-literal", tree, literal="a list", instead="IN takes literals that are not NULL"
                )
            return OutputCall("in", (self._inner(tree.this), *listed))
        if isinstance(tree, exp.Case | exp.If):
            return self._case(tree)
        return self._otherwise(tree)

    def _otherwise(self, tree: exp.Expr) -> OutputExpression:
        """Refuse with the reason that the scalar reader has, where it could not read this either."""
        if not isinstance(tree, exp.Expr) or self.reader.is_foreign(tree):
            self.reader.read(tree)
        raise self.reader.refuse(
            "query-form-unsupported",
            tree,
            form=f"{tree.key.upper()[:60]} over released figures",
            instead=f"use {OUTPUT_FORMS}",
        )

    def _literal(self, tree: exp.Expr) -> OutputExpression:
        found = self.reader.read(tree)
        if isinstance(found, Literal):
            return found
        raise self.reader.refuse(
            "query-form-unsupported", tree, form="CAST over released figures", instead=f"use {OUTPUT_FORMS}"
        )

    def _variadic(self, tree: exp.Expr, name: str, parts: list[exp.Expr]) -> OutputExpression:
        if len(parts) < 2:
            raise self.reader.refuse(
                "query-arguments", tree, function=name, expected="two or more values", example=f"{name}(a, b)"
            )
        return self._all(name, *parts)

    def _round(self, tree: exp.Round) -> OutputExpression:
        digits = Literal(ColumnType.INTEGER, 0)
        if tree.args.get("decimals") is not None:
            found = self._inner(tree.args["decimals"])
            whole = isinstance(found, Literal) and found.type is ColumnType.INTEGER
            if not whole or not isinstance(found, Literal) or abs(int(found.value or 0)) > MAX_ROUND_DIGITS:
                raise self.reader.refuse(
                    "query-literal", tree.args["decimals"], literal="the number of digits", instead="write round(x, 2)"
                )
            digits = found
        return OutputCall("round", (self._inner(tree.this), digits))

    def _case(self, tree: exp.Case | exp.If) -> OutputExpression:
        if isinstance(tree, exp.If):
            self.reader.only(tree, "this", "true", "false")
            branches, subject, default = [tree], None, tree.args.get("false")
        else:
            self.reader.only(tree, "this", "ifs", "default")
            branches, subject, default = tree.args["ifs"], tree.args.get("this"), tree.args.get("default")
        parts: list[OutputExpression] = []
        for branch in branches:
            condition = self._inner(branch.this)
            if subject is not None:
                condition = OutputCall("eq", (self._inner(subject), condition))
            parts += [condition, self._inner(branch.args["true"])]
        parts.append(Literal(None, None) if default is None else self._inner(default))
        return OutputCall("case", tuple(parts))

    # -- types -----------------------------------------------------------------------------------------------------

    @contextmanager
    def typed(self, tree: exp.Expr) -> Iterator[None]:
        """Report an expression that means nothing, at its place or else at ``tree``.

        Raises:
            Refused: with the problem noted.
        """
        try:
            yield
        except OutputTypeError as error:
            place = self.reader.place(error.node)
            fields = {"what": error.what, "found": error.found, "needed": error.needed}
            instead = "compare, add or divide figures, and group by keys"
            if error.found == "histogram":
                instead = "write histogram(…) as a column of its own"
            if place == (0, 0):
                raise self.reader.refuse("query-type", tree, **fields, instead=instead) from None
            self.reader.problems.add("query-type", place, **fields, instead=instead)
            raise Refused from None

    def column(self, tree: exp.Expr, refs: Refs) -> OutputExpression:
        """An expression that may be a column."""
        node = self.read(tree)
        with self.typed(tree):
            describe_column(node, refs)
        return node

    def condition(self, tree: exp.Expr, refs: Refs) -> OutputExpression:
        """A condition."""
        node = self.read(tree)
        with self.typed(tree):
            need_condition(node, refs)
        return node

    def facts(self, node: OutputExpression, tree: exp.Expr, refs: Refs) -> Field:
        """Facts about an expression that was read at ``tree``."""
        with self.typed(tree):
            return describe(node, refs)


def _count(tree: exp.Expr | None, reader: Reader, words: str) -> int | None:
    if tree is None:
        return None
    value = tree.args.get("expression")
    text = str(value.this) if isinstance(value, exp.Literal) and not value.args.get("is_string") else ""
    reader.only(tree, "expression")
    if not text.isdecimal() or len(text) > 9:
        raise reader.refuse(
            "query-literal", value if isinstance(value, exp.Expr) else tree, literal=words,
            instead=f"write {words} with a whole number",
        )  # fmt: skip
    return int(text)


def read_tail(select: exp.Select, outputs: list[Output], refs: Refs, having: OutputReader, order: OutputReader) -> Tail:
    """HAVING, ORDER BY, LIMIT and OFFSET of one SELECT.

    Args:
        outputs: the SELECT list, for numbers in ORDER BY.
        having: reads HAVING.
        order: reads ORDER BY, where names of outputs come first.

    Raises:
        Refused: with problems noted.
    """
    reader = having.reader
    clause = select.args.get("having")
    condition = None if clause is None else having.condition(clause.this, refs)
    keys: list[Order] = []
    ordering = select.args.get("order")
    if ordering is not None:
        reader.only(ordering, "expressions")
        for item in ordering.expressions:
            keys += _order(item, outputs, refs, order)
    limit = _count(select.args.get("limit"), reader, "LIMIT")
    return Tail(condition, tuple(keys), limit, _count(select.args.get("offset"), reader, "OFFSET") or 0)


def _order(item: exp.Expr, outputs: list[Output], refs: Refs, order: OutputReader) -> list[Order]:
    reader = order.reader
    written, descending, first = item, False, False
    if isinstance(item, exp.Ordered):
        reader.only(item, "this", "desc", "nulls_first")
        written, descending = item.this, bool(item.args.get("desc"))
        first = bool(item.args.get("nulls_first"))
    if isinstance(written, exp.Var) and written.name.upper() == "ALL":
        return [Order(output.expression, descending, first) for output in outputs]
    if isinstance(written, exp.Literal) and not written.args.get("is_string"):
        text = str(written.this)
        number = int(text) if text.isdecimal() and len(text) < 5 else 0
        if not 1 <= number <= len(outputs):
            raise reader.refuse(
                "query-literal", written, literal=text[:30], instead="ORDER BY the number of a column, or its name"
            )
        return [Order(outputs[number - 1].expression, descending, first)]
    return [Order(order.column(written, refs), descending, first)]

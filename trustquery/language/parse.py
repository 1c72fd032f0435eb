"""Text to one SELECT tree, with the place of every node; everything else is refused here.

sqlglot reads the text; this module holds it to one statement of bounded size. What the tree may hold is decided
in ``resolve``: by allow-list, because sqlglot itself tolerates far more than we answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import islice
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from trustquery.errors import Problems, TrustQueryError

__all__ = ["MAX_BYTES", "Source", "parse"]

MAX_BYTES = 64 * 1024
MAX_TOKENS = 10_000
MAX_DEPTH = 40
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_OPENING = {TokenType.L_PAREN, TokenType.CASE, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.END, TokenType.R_BRACKET, TokenType.R_BRACE}
_STATEMENTS = {"SELECT", "WITH", "FROM"}


class _Reading(DuckDB):
    """DuckDB's SQL without ``$tag$text$tag$``: there is one way to write text, and ``$name`` is a parameter."""

    class Tokenizer(DuckDB.Tokenizer):
        HEREDOC_STRINGS: ClassVar[list[str | tuple[str, str]]] = []


class Source:
    """The query text, where its lines start, and its parameters: name and character offset of each ``$name``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parameters: list[tuple[str, int]] = []
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        """1-based line and column of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def of(self, node: exp.Expr) -> tuple[int, int]:
        """Where a tree node begins: the first character of anything below it that has a place."""
        starts = [found.meta["start"] for found in node.walk() if "start" in found.meta]
        if starts:
            return self.at(min(starts))
        # Keywords and placeholders carry no place: take that of the nearest thing around them that does.
        around = node.parent
        for _ in range(3):
            if around is None:
                break
            near = (found.meta["start"] for found in islice(around.walk(bfs=False), 50) if "start" in found.meta)
            if (start := next(near, None)) is not None:
                return self.at(start)
            around = around.parent
        return (1, 1)


def parse(text: str) -> tuple[exp.Select, Source]:
    """Read one SELECT statement.

    Args:
        text: at most 64 KiB of UTF-8.

    Raises:
        TrustQueryError: ``query-empty``, ``query-too-long``, ``query-too-deep``, ``query-syntax``,
            ``query-text-after-statement``, ``query-statement-unsupported``, ``query-name-illegal``.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise TrustQueryError("query-too-long", limit=MAX_BYTES)
    source = Source(text)
    tokens = _tokens(text, source)
    _check_tokens(tokens, source)
    tokens = _with_parameters(tokens, source)
    try:
        trees = _Reading().parser().parse(tokens, text)
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        line, column = int(found.get("line") or 1), int(found.get("col") or 1)
        raise TrustQueryError("query-syntax", f"line {line}, column {column}") from None
    except RecursionError:
        raise TrustQueryError("query-too-deep", "line 1, column 1", limit=MAX_DEPTH) from None
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise TrustQueryError("query-syntax", "line 1, column 1") from None
    # A comment after the semicolon is a tree of its own.
    trees = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Select):
        statement = tree.key.upper() if tree is not None else tokens[0].text.upper()
        raise TrustQueryError("query-statement-unsupported", "line 1, column 1", statement=statement[:30])
    return tree, source


def _tokens(text: str, source: Source) -> list[Token]:
    if "\0" in text:
        line, column = source.at(text.index("\0"))
        raise TrustQueryError("query-syntax", f"line {line}, column {column}")
    try:
        tokens = _Reading().tokenize(text)
    except (TokenError, ValueError, IndexError):
        raise TrustQueryError("query-syntax", "line 1, column 1") from None
    if not tokens or all(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise TrustQueryError("query-empty")
    if len(tokens) > MAX_TOKENS:
        raise TrustQueryError("query-too-long", limit=MAX_BYTES)
    return tokens


def _with_parameters(tokens: list[Token], source: Source) -> list[Token]:
    """``$`` and the name after it as one name, which nothing else in a text can be: ``bind`` finds it in the tree.

    Raises:
        TrustQueryError: ``query-form-unsupported``: another way to write a parameter.
    """
    found: list[Token] = []
    problems = Problems()
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        joined = after is not None and after.start == token.end + 1
        name = after.text.lower() if joined and after is not None else ""
        if token.token_type is TokenType.PARAMETER and token.text == "$":
            if after is not None and after.token_type is TokenType.VAR and _PARAMETER.fullmatch(name):
                source.parameters.append((name, token.start))
                found.append(
                    Token(TokenType.VAR, f"${name}", token.line, token.col, token.start, after.end, after.comments)
                )
            else:
                _other_parameter(problems, source.at(token.start), "$ here")
        elif token.token_type is TokenType.PLACEHOLDER:
            _other_parameter(problems, source.at(token.start), "?")
        elif token.token_type is TokenType.COLON and re.fullmatch(r"[a-z0-9_]+", name):
            _other_parameter(problems, source.at(token.start), f":{name[:30]}")
        elif not (found and before is not None and before.text == "$" and found[-1].end == token.end):
            found.append(token)
    problems.raise_any()
    return found


def _other_parameter(problems: Problems, at: tuple[int, int], form: str) -> None:
    instead = "write $name for a value and give it with --param name=VALUE"
    problems.add("query-form-unsupported", at, form=form, instead=instead)


def _check_tokens(tokens: list[Token], source: Source) -> None:
    problems = Problems()
    depth = 0
    for place, token in enumerate(tokens):
        line, column = source.at(token.start)
        if token.token_type is TokenType.SEMICOLON:
            if place + 1 < len(tokens):
                line, column = source.at(tokens[place + 1].start)
                raise TrustQueryError("query-text-after-statement", f"line {line}, column {column}")
        elif token.token_type in _OPENING:
            depth += 1
        elif token.token_type in _CLOSING:
            depth -= 1
        elif (token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) and not _NAME.fullmatch(token.text)) or (
            not token.text.isascii() and token.token_type is not TokenType.STRING
        ):
            problems.add("query-name-illegal", (line, column))
        if depth > MAX_DEPTH:
            raise TrustQueryError("query-too-deep", f"line {line}, column {column}", limit=MAX_DEPTH)
    problems.raise_any()
    first = tokens[0].text.upper()
    if first not in _STATEMENTS and tokens[0].token_type is not TokenType.L_PAREN:
        line, column = source.at(tokens[0].start)
        raise TrustQueryError("query-statement-unsupported", f"line {line}, column {column}", statement=first[:30])

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
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from trustquery.errors import Problems, TrustQueryError

__all__ = ["MAX_BYTES", "Source", "parse"]

MAX_BYTES = 64 * 1024
MAX_TOKENS = 10_000
MAX_WORDS = 3_500
"""Tokens that are neither literals nor commas: a long list of codes is cheap to read, other long text is not."""
_WORDS = f"{MAX_TOKENS} words and signs ({MAX_WORDS} without literals and commas)"
SPARE_NODES, NODES_PER_TOKEN = 100, 2
"""Parts that the parser may build for a text, for each token; an honest text needs about one."""
MAX_DEPTH = 24
"""Brackets open at once. The parser calls itself some 25 times for each, and Python allows 1,000 calls in all.

Subscripts of subscripts, x[1][1], are counted alike: the parser takes square time over them."""
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
"""As in a model: names with _ first are the engine's own."""
_ROUGHLY = re.compile(r"--[^\n]*|/\*(?:.*?\*/|.*)|'[^']*'|\"[^\"]*\"|[\w.]+|[<>=!:|]+|\S", re.DOTALL)
_OPENING = {TokenType.L_PAREN, TokenType.CASE, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.END, TokenType.R_BRACKET, TokenType.R_BRACE}
_CHEAP = {TokenType.COMMA, TokenType.NUMBER, TokenType.STRING}
_SET_OPERATORS = {TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT}
_STATEMENTS = {"SELECT", "WITH", "FROM"}
_WORDS_OF: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Placeholder: ("?", "$", ":"),
    exp.Parameter: ("$", "@"),
    exp.Boolean: ("true", "false"),
    exp.TableSample: ("sample", "tablesample"),
}
"""Words of nodes that are not their own names."""
_CONFUSED = (ValueError, TypeError, AttributeError, KeyError, IndexError)
"""What the parser raises over some texts besides its own errors."""


class _Reading(DuckDB):
    """DuckDB's SQL without ``$tag$text$tag$``: there is one way to write text, and ``$name`` is a parameter."""

    class Tokenizer(DuckDB.Tokenizer):
        HEREDOC_STRINGS: ClassVar[list[str | tuple[str, str]]] = []


class Source:
    """The query text, where its lines start, its tokens once it is cut into them, and its parameters.

    Attributes:
        parameters: name and character offset of each ``$name``.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self.parameters: list[tuple[str, int]] = []
        self._begins: dict[int, tuple[exp.Expr, int | None]] = {}
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        """1-based line and column of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def of(self, node: exp.Expr) -> tuple[int, int]:
        """Where a tree node begins: the first character of anything below it that has a place."""
        if (begin := self._begin(node)) is not None:
            return self.at(begin)
        # Keywords and placeholders carry no place: take that of the nearest thing around them that does,
        around, start = node.parent, 0
        for _ in range(3):
            if around is None:
                break
            near = (found.meta["start"] for found in islice(around.walk(bfs=False), 50) if "start" in found.meta)
            if (found := next(near, None)) is not None:
                start = found
                break
            around = around.parent
        # and the first word from there on that may be theirs.
        words = {word for below in node.walk() for word in _WORDS_OF.get(type(below), (below.key,))}
        mine = (token for token in self.tokens if token.start >= start)
        return self.at(next((token.start for token in mine if token.text.lower().replace("_", "") in words), start))

    def _begin(self, node: exp.Expr) -> int | None:
        """The smallest offset in or below a node. Remembered: else every level of a chain would walk all below it."""
        begin: int | None = None
        for found in node.walk(prune=lambda below: id(below) in self._begins):
            known = self._begins.get(id(found))
            start = known[1] if known else found.meta.get("start")
            if start is not None and (begin is None or start < begin):
                begin = start
        self._begins[id(node)] = (node, begin)  # with the node, so that its id cannot be given to another
        return begin


def parse(text: str) -> tuple[exp.Select, Source]:
    """Read one SELECT statement.

    Args:
        text: at most 64 KiB of UTF-8.

    Raises:
        TrustQueryError: ``query-empty``, ``query-too-long``, ``query-too-deep``, ``query-syntax``,
            ``query-text-after-statement``, ``query-statement-unsupported``, ``query-form-unsupported``,
            ``query-name-illegal``; always with a place.
    """
    source = Source(text)
    _check_length(text, source)
    tokens = source.tokens = _tokens(text, source)
    _check_tokens(tokens, source)
    tokens = _with_parameters(tokens, source)
    # Parts that are tried and dropped again count too. Without this, `a JOIN b JOIN c JOIN …` with no ON takes time
    # that doubles with every JOIN.
    parser = _dialect().parser(max_nodes=SPARE_NODES + NODES_PER_TOKEN * len(tokens))
    try:
        trees = parser.parse(tokens, text)
    except ParseError as error:
        place = _place(_at_error(error, tokens), source)
        if "Maximum number" in str(error):
            raise TrustQueryError("query-too-deep", place, limit=MAX_DEPTH) from None
        raise TrustQueryError("query-syntax", place) from None
    except RecursionError:
        raise TrustQueryError("query-too-deep", _place(_reached(parser), source), limit=MAX_DEPTH) from None
    except _CONFUSED:
        raise TrustQueryError("query-syntax", _place(_reached(parser), source)) from None
    # A comment after the semicolon is a tree of its own.
    trees = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        raise _not_one_select(tokens, source)
    for table in trees[0].find_all(exp.Table):
        # The parser takes 'person' in FROM for the name person; DuckDB reads a file.
        start = table.this.meta.get("start", 0) if isinstance(table.this, exp.Identifier) else 0
        if text[start] == "'":
            raise TrustQueryError(
                "query-form-unsupported",
                _place(start, source),
                form="a text in the place of a table",
                instead="name a table of the catalogue: files and addresses are not read",
            )
    return trees[0], source


def _dialect() -> DuckDB:
    """DuckDB's, but subscripts stay as written: the parser would simplify each, at a thousand times the cost."""
    dialect = _Reading()
    dialect.INDEX_OFFSET = 0
    return dialect


def _place(start: int, source: Source) -> str:
    line, column = source.at(start)
    return f"line {line}, column {column}"


def _check_length(text: str, source: Source) -> None:
    """Refuse what is too long before the parser sees it."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise TrustQueryError("query-too-long", _place(min(len(text), MAX_BYTES), source), limit=f"{MAX_BYTES} bytes")
    if "\0" in text:
        raise TrustQueryError("query-syntax", _place(text.index("\0"), source))
    # Counting roughly is ten times as fast as cutting the text into tokens. The limit is for GROUP BY and its like,
    # which are two words here and one token there.
    words = 0
    for place, match in enumerate(_ROUGHLY.finditer(text)):
        words += match[0][0] not in "',0123456789"
        if place >= MAX_TOKENS or words > 2 * MAX_WORDS:
            raise TrustQueryError("query-too-long", _place(match.start(), source), limit=_WORDS)


def _tokens(text: str, source: Source) -> list[Token]:
    try:
        tokens = _Reading().tokenize(text)
    except (TokenError, ValueError, IndexError) as error:
        raise TrustQueryError("query-syntax", _place(_unreadable(error, text), source)) from None
    if not tokens or all(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise TrustQueryError("query-empty", "line 1, column 1")
    if len(tokens) > MAX_TOKENS:
        raise TrustQueryError("query-too-long", _place(tokens[MAX_TOKENS].start, source), limit=_WORDS)
    return tokens


def _unreadable(error: Exception, text: str) -> int:
    """Where the token begins that cannot be read: an open comment or quotation mark, or a number with wrong digits."""
    if found := re.search(r" from \d+:(\d+)$", str(error.__cause__)):
        return min(int(found[1]), len(text))
    open_ = [match.start() for match in _ROUGHLY.finditer(text) if match[0].startswith("/*") or match[0] in "'\""]
    return open_[-1] if open_ else 0


def _at_error(error: ParseError, tokens: list[Token]) -> int:
    """Where the token begins at which the parser gave up: it reports the line and column of the token's end."""
    found = error.errors[0] if error.errors else {}
    end = (found.get("line"), found.get("col"))
    return next((token.start for token in tokens if (token.line, token.col) == end), 0)


def _reached(parser: Parser) -> int:
    """The token that a parser which broke off was at."""
    token = getattr(parser, "_curr", None) or getattr(parser, "_prev", None)
    return int(token.start) if token else 0


def _not_one_select(tokens: list[Token], source: Source) -> TrustQueryError:
    """The refusal of a tree that is no SELECT: UNION and its like, or SELECT in parentheses."""
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth == 0 and token.token_type in _SET_OPERATORS:
            return TrustQueryError(
                "query-form-unsupported",
                _place(token.start, source),
                form=f"{token.text.upper()} of whole answers",
                instead="put UNION ALL inside a subquery of one person's rows, and aggregate once outside it",
            )
    return TrustQueryError(
        "query-form-unsupported",
        _place(tokens[0].start, source),
        form="this statement",
        instead="write one SELECT, without parentheses around it",
    )


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
    depth = words = subscripts = 0
    for place, token in enumerate(tokens):
        kind = token.token_type
        words += kind not in _CHEAP
        if kind is TokenType.SEMICOLON:
            if place + 1 < len(tokens):
                raise TrustQueryError("query-text-after-statement", _place(tokens[place + 1].start, source))
        elif kind in _OPENING:
            depth += 1
            subscripts += kind is TokenType.L_BRACKET and tokens[place - 1].token_type is TokenType.R_BRACKET
        elif kind in _CLOSING:
            depth -= 1
        elif (kind in (TokenType.VAR, TokenType.IDENTIFIER) and not _NAME.fullmatch(token.text)) or (
            not token.text.isascii() and kind is not TokenType.STRING
        ):
            problems.add("query-name-illegal", source.at(token.start))
        if depth > MAX_DEPTH or subscripts > MAX_DEPTH:
            raise TrustQueryError("query-too-deep", _place(token.start, source), limit=MAX_DEPTH)
        if words > MAX_WORDS:
            raise TrustQueryError("query-too-long", _place(token.start, source), limit=_WORDS)
    problems.raise_any()
    first = tokens[0]
    quoted = first.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
    if quoted or (first.text.upper() not in _STATEMENTS and first.token_type is not TokenType.L_PAREN):
        raise TrustQueryError(
            "query-statement-unsupported",
            _place(first.start, source),
            statement="a text" if quoted else first.text.upper()[:30],
        )

"""Check the house rules that an import linter cannot say: who may print, read the environment, draw randomness.

Names are followed through a file's imports, so `from os import environ as e` is `os.environ`. A rule may be waived on
one line with its reason beside it: `# rules: allow sql - the names come from the catalogue, quoted by sqlglot`. Waivers
are counted in the output, so that they stay few.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("trustquery", "coordinator", "node_agent", "witness", "demo", "audits", "benchmarks", "tools", "tests")
GENERATED = "trustquery/v1/*"
# trustquery without its two outer layers: the part that is given bytes and `now` and returns bytes.
OUTER = ("trustquery/client/*", "trustquery/cli/*", "trustquery/synthetic/*")


@dataclass(frozen=True)
class Rule:
    """Names that may be used only in some places.

    Attributes:
        id: what a waiver names.
        names: dotted names; a name covers everything below it.
        message: what is wrong and what to do instead.
        where: patterns of paths the rule covers.
        but: patterns of paths where these names are welcome.
    """

    id: str
    names: tuple[str, ...]
    message: str
    where: tuple[str, ...] = ("*",)
    but: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        """Tell whether the rule holds in the file at `path` (relative, forward slashes)."""
        return any(fnmatch(path, p) for p in self.where) and not any(fnmatch(path, p) for p in self.but)


RULES = (
    Rule(
        "print",
        ("print", "rich.print", "rich.console.Console", "sys.stdout", "sys.stderr", "typer.echo", "click.echo"),
        "only cli/, demo/, benchmarks/, tools/ and the audits' commands write to the terminal: return a value, or log",
        but=(
            *("*/cli/*", "demo/*", "benchmarks/*", "tools/*", "tests/*"),
            *("audits/__main__.py", "audits/google_accountant.py", "coordinator/web/verify_log.py"),
        ),
    ),
    Rule(
        "environment",
        ("os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"),
        "only config.py reads the environment: take the value as an argument",
        but=("*/config.py", "tools/*", "tests/*"),
    ),
    Rule(
        "secrets",
        ("secrets", "os.urandom", "os.getrandom", "random.SystemRandom", "uuid.uuid1", "uuid.uuid4"),
        "secret bytes come from trustquery.identity: call it",
        but=("trustquery/identity/*", "trustquery/client/*", "tests/*"),
    ),
    Rule(
        "random",
        ("random", "numpy.random"),
        "seeded randomness is for made-up data only (trustquery/synthetic, audits/): take draws as an argument",
        # In audits, the files that make data and plans: those that draw or plant noise are not among them.
        but=("trustquery/synthetic/*", "tests/*", "audits/population.py", "audits/releases.py"),
    ),
    Rule(
        "clock",
        (
            *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep")),
            *(f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")),
        ),
        "the core has no clock: take `now` as an argument",
        where=("trustquery/*", "node_agent/gate/*"),
        but=OUTER,
    ),
    Rule(
        "network",
        (
            *("http.client", "urllib.request", "requests", "aiohttp", "socketserver", "smtplib", "ftplib"),
            *("asyncio.open_connection", "asyncio.start_server"),
        ),
        "the core opens no connection: take bytes and return bytes",
        where=("trustquery/*",),
        but=OUTER,
    ),
    Rule(
        "unsafe",
        (
            *("pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml"),
            *("eval", "exec", "compile", "__import__"),
            *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
        ),
        "this runs code or builds any object from data: use JSON, TOML, tomllib or a list of arguments",
        but=("tests/*",),
    ),
)
BUILTINS = {"print", "eval", "exec", "compile", "__import__"}
SHELL = "shell=True hands text to a shell: pass a list of arguments"
SQL = "SQL put together from text: bind the values, and build statements with sqlglot expressions"
TODO = "a TODO needs an issue number: TODO(#12)"
SYNTAX = "does not parse"
IDS = {rule.id for rule in RULES} | {"shell", "sql", "todo"}

# Where a piece of a statement came from elsewhere, `\0` stands for it. Clauses, not verbs alone: messages to analysts
# speak of SELECT and GROUP BY, and are no statements.
STATEMENT = re.compile(
    r"\s*(select\s+(\0|.*\bfrom\b)|insert\s+(or\s+\w+\s+)?into\b|update\s+\S+\s+set\b|delete\s+from\b|with\s+\S+\s+as\s*\("
    r"|(create|drop|alter)\s+(or\s+replace\s+)?(temp(orary)?\s+)?(table|view|index|schema|trigger|macro)\b"
    r"|merge\s+into\b|truncate\s+table\b|attach\s+['\"\0]|pragma\s+[\w\0]+|copy\s+.*\b(to|from)\b)",
    re.IGNORECASE | re.DOTALL,
)
EXECUTES = {"execute", "executemany", "executescript", "sql", "exec_driver_sql"}
WAIVER = re.compile(r"#\s*rules:\s*allow\s+(\w+)\s+-\s+\S")


@dataclass(frozen=True, order=True)
class Problem:
    """One breach: where, which rule, what to do."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


def dotted(node: ast.expr, aliases: dict[str, str]) -> str | None:
    """Return the full dotted name of an expression such as `np.random.rand`, or None if it is not a plain name."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id if node.id in BUILTINS else None)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, aliases)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def imported(tree: ast.Module) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Return what each local name stands for, and every imported dotted name with its line."""
    aliases: dict[str, str] = {}
    seen: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                seen.append((node.lineno, name.name))
                root = name.name.partition(".")[0]
                aliases[name.asname or root] = name.name if name.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                seen.append((node.lineno, f"{node.module}.{name.name}"))
                aliases[name.asname or name.name] = f"{node.module}.{name.name}"
    return aliases, seen


def built_text(node: ast.AST) -> str | None:
    """Return the text that an expression builds, `\\0` for each inserted part; None if nothing is inserted."""
    parts = "".join(_pieces(node))
    return parts if "\0" in parts and parts.strip("\0") else None


def _pieces(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            for value in values:
                yield from _pieces(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _pieces(left)
            yield from _pieces(right)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            yield re.sub(r"%(\(\w+\))?[a-z]", "\0", text)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            yield re.sub(r"\{[^{}]*\}", "\0", text)
        case _:
            yield "\0"


def _names(path: str, tree: ast.Module) -> Iterator[Problem]:
    aliases, used = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, aliases)
            if name is not None:
                used.append((node.lineno, name))
    for rule in RULES:
        if rule.covers(path):
            for line, name in used:
                if any(name == banned or name.startswith(f"{banned}.") for banned in rule.names):
                    yield Problem(path, line, rule.id, f"{name}: {rule.message}")


def _calls(path: str, tree: ast.Module) -> Iterator[Problem]:
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="shell", value=ast.Constant(value=False)):
                pass
            case ast.keyword(arg="shell", value=value):
                yield Problem(path, value.lineno, "shell", SHELL)
            case ast.Call(func=ast.Attribute(attr=method), args=[text, *_]) if method in EXECUTES and built_text(text):
                yield Problem(path, text.lineno, "sql", SQL)
            case ast.JoinedStr() | ast.BinOp() | ast.Call():
                if STATEMENT.match(built_text(node) or ""):
                    yield Problem(path, node.lineno, "sql", SQL)


def check_source(path: str, source: str) -> tuple[list[Problem], int]:
    """Check one file.

    Args:
        path: relative to the repository, forward slashes: rules depend on it.
        source: the file's text.

    Returns:
        The problems, sorted, one a line and rule; and how many were waived.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [Problem(path, error.lineno or 1, "syntax", SYNTAX)], 0
    problems = set(_names(path, tree))
    if not path.startswith("tests/"):
        problems |= set(_calls(path, tree))
    waived: set[tuple[int, str]] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if re.search(r"\bTODO\b(?!\(#\d+\))", token.string):
                problems.add(Problem(path, token.start[0], "todo", TODO))
            if (match := WAIVER.search(token.string)) and match[1] in IDS:
                waived.add((token.start[0], match[1]))
    first = {(p.line, p.rule): p for p in sorted(problems, reverse=True)}
    kept = [problem for key, problem in first.items() if key not in waived]
    return sorted(kept), len(first) - len(kept)


def main(root: Path = ROOT) -> int:
    """Check every Python file of the project; returns the exit code (3: problems found)."""
    problems: list[Problem] = []
    files = waived = 0
    for path in sorted(file for folder in FOLDERS for file in (root / folder).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not fnmatch(name, GENERATED):
            found, passed = check_source(name, path.read_text(encoding="utf-8"))
            problems += found
            files, waived = files + 1, waived + passed
    for problem in problems:
        print(problem)
    print(f"rules: {files} files, {len(problems)} problems, {waived} waived", file=sys.stderr)
    return 3 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Reference pages of what may be asked: errors, functions, catalogues, questions, disclosure profiles."""

import importlib
import re
from pathlib import Path

from tools.docs_markdown import code, doc, fence, fields, join, paragraphs, sentence, table

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = {
    "query": "The text of a query, and asking it",
    "project": "Projects",
    "policy": "A trust's policy",
    "budget": "Privacy budgets",
    "optout": "Lists of opt-outs",
    "data": "Sources and prepared data",
    "node": "Nodes and their link",
    "config": "Configuration",
    "auth": "People, keys and signed documents",
    "ledger": "The budget ledger",
    "witness": "Witnesses of the logs",
    "log": "The public log",
    "usage": "Using a command",
    "expectation": "Expectations",
    "internal": "Faults",
}


def disclosure_profiles() -> str:
    """Every disclosure profile, and why a figure is Suppressed."""
    from trustquery.outputs import criteria
    from trustquery.outputs.profiles import NOT_PROTECTION, PROFILES, REASONS

    rows = [
        [f"`{profile.name}`", profile.minimum_released_count or "none", profile.rounding if profile.rounding > 1 else
         "not rounded", profile.words]
        for profile in PROFILES.values()
    ]  # fmt: skip
    parts = [
        f"""
        How noised counts are shown. {NOT_PROTECTION} The list is closed, and an unknown name is refused. The minimum
        released count is itself shown; every smaller noised count, zero and negative ones too, is Suppressed. Counts
        that are shown are then rounded, halves upwards.
        """,
        table(["Profile", "Minimum released count", "Rounded to the nearest", "What it is"], rows),
        """
        A project's permit names one. Where a trust asks for a stricter one in its signed answer, the largest minimum
        and the coarsest rounding of all are used together.
        """,
        "## Why a figure is Suppressed",
        """
        *Suppressed* is a value with a reason, never 0 and never an empty cell. Its intervals are suppressed with it. In
        JSON such a cell has `suppressed` and `reason` and no value; CSV says `Suppressed`; Arrow and pandas, whose
        columns hold numbers, have no number there, and the reason in a column of its own.
        """,
        table(["Reason", "In words"], [[f"`{code}`", words] for code, words in REASONS.items()]),
        "## The record of a release",
        f"""
        {doc(criteria)} `tq query result QUERY --format json` shows it with its hash, and so does what is published.
        [JSON Schema](../../trustquery/outputs/schema/criteria.schema.json).
        """,
        fields(criteria.Criteria),
    ]
    return join(*parts)


def errors() -> str:
    """Every error code, a section each."""
    from trustquery.errors import CATALOGUE, Exit

    parts = [
        """
        Every refusal has a code, a reason and a fix. Codes are stable and never reused. Text that leaves a node is
        made from the query's text, names of the schema, parameters and rule ids, and never from data. An error may
        carry no other field than those in braces below.
        """,
        "## Exit codes",
        "Every command leaves with one of these. When several problems are reported, the first one decides.",
        table(["Exit", "Meaning"], [[int(item), item.name.lower().replace("_", " ")] for item in Exit]),
    ]
    for family, title in FAMILIES.items():
        entries = [entry for entry in CATALOGUE.values() if entry.code.startswith(f"{family}-")]
        if entries:
            parts.append(f"## {title}")
        for entry in entries:
            again = "yes" if entry.retry else "no"
            facts = [
                f"- **Fix:** {entry.hint}",
                f"- **For:** {entry.audience}. **Worth asking again unchanged:** {again}",
                f"- **Exit** {int(entry.exit)} · **HTTP** {entry.http} · **gRPC** {entry.grpc}",
            ]
            parts += [f"### {entry.code}", sentence(entry.text), "\n".join(facts)]
    unknown = {entry.code.split("-", 1)[0] for entry in CATALOGUE.values()} - FAMILIES.keys()
    if unknown:
        raise SystemExit(f"docs: give the error families {sorted(unknown)} a title in tools/docs_questions.py")
    return join(*parts)


def functions() -> str:
    """The one table of scalar functions, with the vectors that hold every engine to it."""
    from trustquery.language.functions import FUNCTIONS

    rows = []
    sections = []
    for row in FUNCTIONS.values():
        fewest, most = row.arity
        count = str(fewest) if fewest == most else f"{fewest} or more" if most is None else f"{fewest} to {most}"
        literals = "all after the first" if row.literals == "rest" else ", ".join(str(int(p) + 1) for p in row.literals)
        rows.append([code(row.name), code(row.example), count, row.meaning, literals])
        facts = [
            f"- **Written as:** {code(row.example)}",
            f"- **Result:** {row.meaning}",
            f"- **On odd values:** {row.totality}",
            f"- **Bounds:** {row.bounds}",
            f"- **In DuckDB,** of {code(row.vectors[0].call)}: {code(_in_duckdb(row.vectors[0].call))}",
        ]
        vectors = [[code(v.call), code(v.arguments or " "), code(v.result or "NULL")] for v in row.vectors]
        sections += [f"### {row.name}", "\n".join(facts), table(["Call", "Arguments", "Result"], vectors)]
    module = importlib.import_module("trustquery.language.functions")
    written = importlib.import_module("trustquery.language.vectors")
    return join(
        paragraphs(doc(module).partition("\n\n")[2]),
        f"There are {len(FUNCTIONS)}. Any other function is refused with "
        "[`query-unknown-function`](errors.md#query-unknown-function).",
        table(["Function", "Written as", "Arguments", "Result", "Must be literals"], rows),
        "## One by one",
        paragraphs(doc(written).partition("\n\n")[2]),
        "The columns are " + ", ".join(f"{code(name)} ({kind})" for name, kind in written.COLUMNS.items()) + ".",
        *sections,
    )


def _in_duckdb(call: str) -> str:
    """The SQL that a call over the vectors' columns becomes."""
    from decimal import Decimal

    from node_agent.engines.sql import DIALECT, inline
    from trustquery.catalogue import parse
    from trustquery.language import compile_query
    from trustquery.language.vectors import COLUMNS

    columns = "\n".join(
        f'{{ name = "{name}", type = "{kind}", role = "dimension", description = "-" }},'
        for name, kind in COLUMNS.items()
    )
    made = parse(
        'format = "trustquery-catalogue/1"\nid = "manual"\nversion = 1\ntitle = "-"\ndescription = "-"\n'
        '[unit]\ndescription = "-"\ndeclared_people = 10\nmax_trusts = 1\n'
        '[[tables]]\nname = "row"\ntitle = "-"\ndescription = "-"\ndeclared_rows = 10\ncolumns = [\n'
        f'{{ name = "person", type = "integer", role = "person-key", description = "-" }},\n{columns}\n]',
        name="manual",
    )
    text = " ".join(("SELECT", f"count({call})", "FROM row r"))
    (aggregate,) = compile_query(text, made, epsilon=Decimal(1)).aggregates
    if aggregate.argument is None:
        raise SystemExit(f"docs: {call} is no call")
    return re.sub(r'"?r"?\."(\w+)"', r"\1", inline(aggregate.argument).sql(DIALECT))


def catalogue(name: str) -> str:
    """One shipped catalogue."""
    from trustquery.catalogue import load
    from trustquery.catalogue.render import render_catalogue

    return render_catalogue(load(name))


def questions() -> str:
    """The matrix of questions and catalogues."""
    from trustquery.catalogue.questions import render_questions

    return render_questions()


def questions_in_sql() -> str:
    """The questions as the specification tests ask them."""
    from tools.question_specs import read_specs, read_tables
    from trustquery.codelists import shipped

    made = {table.id: table for table in read_tables()}
    parts = [
        """
        Each question that analysts ask, as SQL over the shipped catalogues' own tables: no view was made for any. These
        are the specification tests' own files (`tests/spec/questions`). For each, the tests compile the text, send the
        model through its bytes, evaluate it with the plain Python evaluator and with DuckDB, require the same exact
        vector, and compare the table read from it, cell by cell, with an oracle: other SQL, written independently,
        that plain DuckDB runs over the raw files.
        """,
        """
        The bounds are those of the tests. They are wider than any person of the made-up data, so that nothing is cut
        and the table is the plain answer: at most G cells a person, and at most R rows in each. For a release choose
        smaller ones, because noise grows with R × √G
        ([contribution bounds](query-language.md#contribution-bounds)).
        """,
        "Which catalogue holds the facts for which question is in [questions and catalogues](questions.md).",
    ]
    for spec in read_specs():
        parts += [f"## {spec.number}. {sentence(spec.title).removesuffix('.')}"]
        if spec.unanswered:
            parts += [f"**Not answered yet.** {spec.unanswered}"]
        parts += [text for text in (spec.sentence, spec.notes) if text]
        for asked in spec.asked.values():
            bounds = f"G = {asked.max_groups_per_person}, R = {asked.max_rows_per_group}"
            facts = [f"Bounds: {bounds}."]
            if asked.public:
                facts.append(f"Public tables: {', '.join(code(name) for name in asked.public)}.")
            if asked.sparse:
                facts.append(f"Most cells are empty in the tests' data: {asked.sparse}.")
            if asked.tolerance:
                allowed = [f"{code(name)} to within {value:g}" for name, value in asked.tolerance.items()]
                facts.append(f"Compared with the oracle: {', '.join(allowed)}.")
            parts += [f"On `{asked.catalogue}`. {' '.join(facts)}", fence(asked.sql, "sql")]
        for name, why in spec.omitted.items():
            parts.append(f"Not shown on `{name}`, which holds the facts: {why}.")
    rows = [[code(name), item.title, item.source] for name, item in made.items()]
    rows.append([code("lsoa_2011"), "The 6,000 small areas of the made-up data", "made up for the specifications"])
    used = {name for spec in read_specs() for asked in spec.asked.values() for name in asked.public}
    rows += [[code(table.id), table.title, f"ships; {table.source}"] for table in shipped() if table.id in used]
    parts += ["## Public tables used", table(["Table", "What it is", "Where it comes from"], rows)]
    return join(*parts)

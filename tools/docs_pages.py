"""The bodies of the generated reference pages: each is made from the table, model or docstring that the code uses."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tools.docs_markdown import (
    above,
    attributes,
    code,
    codes_raised,
    doc,
    fence,
    fields,
    join,
    markdown,
    paragraphs,
    sentence,
    table,
)

if TYPE_CHECKING:
    from trustquery.projects import life

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = {
    "tq": ("trustquery.cli.main", "analysts, governance, root holders"),
    "tq-node": ("node_agent.cli.main", "trust IT, governance"),
    "tq-coordinator": ("coordinator.cli.main", "federation operators"),
    "tq-witness": ("witness.cli.main", "whoever runs a witness"),
}
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
POLICY_SAMPLE = "policies/examples/standard-acute-trust.toml"
POLICY_CLOSED = "policies/baseline/closed.toml"
HIDDEN = ("--help", "--install-completion", "--show-completion")


# --- errors, functions, catalogues


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
        raise SystemExit(f"docs: give the error families {sorted(unknown)} a title in tools/docs_pages.py")
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


# --- commands


def leaves(command: Any, name: str) -> Iterable[tuple[str, Any]]:
    """Full name and command of every leaf below a Typer command, in the order in which they were added."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, child in below.items():
        yield from leaves(child, f"{name} {word}")


def _options(command: Any, context: Any) -> list[list[str]]:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and not any(option in HIDDEN for option in parameter.opts):
            rows.append([code(" ".join(record[0].split())), " ".join(record[1].split())])
    return rows


def _help(command: Any) -> list[str]:
    parts = []
    for block in inspect.cleandoc(command.help or "").split("\f")[0].replace("``", "`").split("\n\n"):
        words = " ".join(block.split())
        if words.startswith("Example:"):
            parts.append(fence(words.removeprefix("Example:").strip(), "sh"))
        else:
            parts.append(words)
    return parts


def commands(module: str, program: str) -> str:
    """Every command of one program."""
    import typer.main

    root: Any = typer.main.get_command(importlib.import_module(module).app)
    context_type = root.context_class
    parts = [*_help(root), "stdout is data, stderr is for people. See [exit codes](errors.md#exit-codes)."]
    shared = _options(root, context_type(root, info_name=program))
    if shared:
        parts += [
            f"These come before the command: `{program} OPTION … COMMAND …`.",
            table(["Option", "Meaning"], shared),
        ]
    found = list(leaves(root, program))
    parts += ["## Commands", "\n".join(f"- [`{name}`](#{name.replace(' ', '-')})" for name, _ in found)]
    for name, command in found:
        context = context_type(command, info_name=name)
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        parts += [f"## {name}", fence(usage), *_help(command)]
        rows = _options(command, context)
        if rows:
            parts.append(table(["Argument or option", "Meaning"], rows))
    return join(*parts)


# --- configuration, policy, signed documents


def _sections(*models: tuple[str, Any]) -> list[str]:
    parts = []
    for title, model in models:
        parts += [f"### {title}", markdown(doc(model)), fields(model)]
    return parts


def configuration() -> str:
    """Both settings files: the annotated samples, and every key with its limits."""
    from coordinator import config as operator
    from node_agent import config as node

    return join(
        """
        Settings are TOML. An unknown key is an error that names the nearest known one. No setting can weaken
        privacy: what a trust answers is decided by its signed [policy](policy.md). Secrets are never written in
        these files.
        """,
        "## The node: node.toml",
        "`tq-node config init` writes this file below the node's home, and `tq-node config check` reads it.",
        fence((ROOT / "node_agent/node.sample.toml").read_text(encoding="utf-8"), "toml"),
        *_sections(
            ("`[node]`", node.TrustConfig),
            ("`[coordinator]`", node.LinkConfig),
            ("`[proxy]`", node.ProxyConfig),
            ("`[answer]`", node.AnswerConfig),
            ("`[engine]`", node.EngineConfig),
            ("`[[source]]`", node.SourceConfig),
        ),
        "### The node's home",
        paragraphs(doc(node.Home)),
        paragraphs(doc(node.default_home)),
        "## The coordinator: coordinator.toml",
        "`tq-coordinator init` writes this file, and `tq-coordinator config check` reads it. Every key is needed; the "
        "table `[websocket]` may be left out.",
        fence(operator.sample_text(), "toml"),
        *_sections(
            ("`[api]`, `[nodes]` and `[websocket]`", operator.Endpoint),
            ("`[database]`", operator.Database),
            ("`[queries]`", operator.Queries),
            ("`[sessions]`", operator.Sessions),
        ),
        "### The coordinator's home",
        paragraphs(doc(operator.find_home)),
        "## A witness: witness.toml",
        "`tq-witness run --sample` prints this file, and `tq-witness run --check` reads it.",
        fence((ROOT / "witness/witness.sample.toml").read_text(encoding="utf-8"), "toml"),
    )


def preflight() -> str:
    """Every check of `tq-node preflight`, with every outcome and its fix."""
    from node_agent.preflight import CHECKS, Outcome
    from node_agent.preflight.results import ANYWHERE

    def outcomes(found: tuple[Outcome, ...]) -> str:
        return table(["Result", "Found", "Fix"], [(one.kind, one.text, one.fix) for one in found])

    parts = [
        """
        `tq-node preflight` looks at this machine and its network; before enrolment give it the code. It changes
        nothing, opens no session and reads no row, and nothing that it shows depends on the data. Each check has a
        time limit. A check that cannot look is *skipped*, with the reason, and never counts as passed. The exit status
        is 3 when anything failed, else 0. [Join from behind a proxy](../how-to/join-from-behind-a-proxy.md) tells what
        to do in order.
        """,
    ]
    for check in CHECKS:
        parts += [f"## {check.name}", f"{check.asks} At most {check.seconds:g} seconds.", outcomes(check.outcomes)]
    return join(*parts, "## What any check may say", outcomes(ANYWHERE))


def _parts_of_a_policy() -> list[tuple[str, Any]]:
    """Each part of the schema, under the place where it first stands; new parts come by themselves."""
    from trustquery.policy.meaning import every_field, part_of
    from trustquery.policy.schema import Policy

    found: dict[Any, str] = {}
    for place, model, name in every_field(Policy):
        part = part_of(model.model_fields[name].annotation)
        if part is not None:
            found.setdefault(part, place)
    return [(code(place), part) for part, place in found.items()]


def policy() -> str:
    """The annotated sample policy, every key, and the rules."""
    from trustquery.policy import RULES, schema

    rules = (
        [n, code(rule.id), doc(rule.check), ", ".join(code(key) for key in rule.keys) or "-"]
        for n, rule in enumerate(RULES, 1)
    )
    return join(
        paragraphs(doc(schema)),
        f"""
        A policy is TOML that governance writes and two of its people sign. Without a signed policy in force the node
        answers nothing. Deny wins, and a rule that cannot be evaluated refuses. Start from
        [a policy that answers nothing]({above(POLICY_CLOSED)}). There is a
        [JSON Schema]({above("policies/schema/policy.schema.json")}).
        """,
        "## An annotated policy",
        f"From [{POLICY_SAMPLE}]({above(POLICY_SAMPLE)}).",
        fence((ROOT / POLICY_SAMPLE).read_text(encoding="utf-8"), "toml"),
        "## Rules",
        "A query is allowed only when none of these objects. Decisions, logs and refusals name a rule by its id.",
        table(["#", "Rule id", "What it requires", "Keys it reads"], rules),
        "## Keys",
        *_sections(("Top level", schema.Policy), *_parts_of_a_policy()),
    )


def public_log() -> str:
    """The coordinator's log: where its files lie, and what each entry says."""
    from trustquery.log import TEXTS, Entry

    about = _ENTRY_FIELDS | attributes(Entry)
    return join(
        """
        The coordinator writes one entry for each thing that happens: a sign-in, an approval, a question and its end,
        what each trust said and charged. The entry is written in the same transaction as the thing; where it cannot be
        written, the thing is not done. Anybody may read and check the whole log:
        [verify the log](../how-to/verify-the-log.md). Why it is so:
        [decision record 0044](../adr/0044-one-entry-for-each-thing-that-happens.md).
        """,
        "## Where it lies",
        table(
            ["Below `/public/log/`", "What", "Format (C2SP)"],
            [
                [
                    "`checkpoint`",
                    "the signed head, with its witnesses' lines",
                    "checkpoint, signed-note, tlog-cosignature",
                ],
                ["`tile/LEVEL/INDEX`", "256 hashes of RFC 6962, or `.p/WIDTH` of them", "tlog-tiles"],
                ["`tile/entries/INDEX`", "256 entries, each behind its length in two bytes", "tlog-tiles"],
                ["`key`", "the verifier key; the roster says it as well", "signed-note"],
            ],
        ),
        """
        The log's name is the federation's, then `/coordinator`. Its head is signed with the coordinator's key, which
        the roster names, and again by witnesses: nodes, named after the federation, `/node/` and their ODS code, and
        stand-alone ones.
        """,
        "## An entry",
        paragraphs(doc(Entry)),
        table(["Field", "Meaning"], [[f"`{name}`", about[name]] for name in Entry.model_fields]),
        """
        A commitment is HMAC-SHA256 in hexadecimal, under a salt of the entry's own, over `person` or `words`, a zero
        byte and the value. The salts are in no entry. Who is shown one can check what the entry hides
        (`tq-coordinator log open`). Those of a person can be erased (`tq-coordinator log erase`), and then nobody can.
        """,
        "## What each kind says",
        table(["Kind", "Text"], [[f"`{kind}`", TEXTS[kind]] for kind in sorted(TEXTS)]),
        """
        What happens to a draft of an application has no project in its entry: it concerns the team alone. The entry of
        a question names project and release; its text is on the public page of its use once it has ended.
        """,
    )


_ENTRY_FIELDS = {"kind": "one of the table below"}


def documents() -> str:
    """Signed documents: their fields and their schemas."""
    from trustquery.identity import admission, governance
    from trustquery.identity import documents as kinds
    from trustquery.identity import federation as parties
    from trustquery.policy.schemas import schemas
    from trustquery.projects import application, decisions, inputs
    from trustquery.reviews import verdict as reviews

    paths = {Path(path).name.removesuffix(".schema.json"): path for path in schemas()}
    parts = [
        """
        Each document travels in a DSSE envelope. The payload is RFC 8785 canonical JSON without floats, and its type
        is `application/vnd.trustquery.<kind>.v1+json` (v2 for a root, a roster, a revocation statement and a permit).
        The reader verifies the bytes received, then requires that encoding them again gives the same bytes. An unknown
        field is refused.
        [Formats](formats.md#signed-documents) says more.
        """,
        markdown(doc(kinds).partition("\n\n")[2]),
        "The policy is a signed document too, and has [a page of its own](policy.md).",
    ]
    order = (
        parties.Root,
        parties.Roster,
        parties.Revocations,
        admission.Admission,
        application.Application,
        kinds.Permit,
        decisions.Decision,
        kinds.Acceptance,
        decisions.Stance,
        decisions.CloseDown,
        inputs.InputDecision,
        governance.GovernanceList,
        governance.Order,
        kinds.Intent,
        kinds.Answer,
        reviews.Review,
    )
    for model in order:
        link = f"[JSON Schema]({above(paths[model.KIND])})"
        parts += [f"## {model.KIND}", f"{markdown(doc(model))} {link}.", fields(model)]
    shared = (
        parties.NodeEntry,
        parties.Revoked,
        kinds.Person,
        application.TeamMember,
        kinds.Member,
        kinds.LawfulBasis,
        kinds.Input,
    )
    text = join(*parts, "## Parts", *_sections(*((part.__name__, part) for part in shared)))
    names = "|".join(part.__name__ for part in shared)
    return re.sub(rf"(?<=: |\| )({names})(?= \|)", lambda match: f"[{match[0]}](#{match[0].lower()})", text)


# --- the wire, the gate, the life of things


def wire() -> str:
    """The protobuf files and a table of their messages."""
    parts = [
        """
        Analysts and governance speak HTTPS and JSON to the coordinator. A node speaks gRPC: it dials out, and one
        stream carries everything. Where HTTP/2 does not pass, each frame is one binary message of a WebSocket, over the
        same TLS 1.3 with client certificates ([record 0040](../adr/0040-a-tunnel-and-a-second-transport.md)). Signed
        documents and models travel as opaque bytes. Only `trustquery/wire`
        converts between these messages and the code's own.
        """
    ]
    for path in sorted((ROOT / "protos").rglob("*.proto")):
        text = path.read_text(encoding="utf-8")
        rows = []
        for comment, name in re.findall(r"((?:^//[^\n]*\n)*)^message (\w+)", text, re.MULTILINE):
            words = " ".join(line.removeprefix("//").strip() for line in comment.splitlines())
            rows.append([code(name), words or "see below"])
        parts.append(f"## {path.relative_to(ROOT / 'protos').as_posix()}")
        parts += [table(["Message", "Meaning"], rows), fence(text, "proto")]
    return join(*parts)


def _codes(module: ModuleType) -> list[str]:
    """What a step's own file raises, and what its docstrings promise of the functions that it calls."""
    raised = re.findall(r'TrustQueryError\(\s*"([a-z-]+)"', inspect.getsource(module))
    for found in vars(module).values():
        if inspect.isfunction(found) and found.__module__ == module.__name__:
            raised += codes_raised(found)
    return [code(slug) if slug.endswith("…") else f"[`{slug}`](errors.md#{slug})" for slug in sorted(set(raised))]


def gate() -> str:
    """The gate's steps."""
    from node_agent.gate import gate as steps

    rows = []
    for number, (name, step) in enumerate(steps.STEPS, 1):
        module = sys.modules[step.__module__]
        words = sentence(markdown(re.sub(r"^Step \d+: ", "", doc(module))))
        stored = "skipped" if name in steps.SKIPPED_WHEN_STORED else "runs"
        link = f"[`{name}`]({above(step.__module__.replace('.', '/') + '.py')})"
        rows.append([number, link, words, stored, ", ".join(_codes(module)) or "nothing of its own"])
    return join(
        paragraphs(doc(steps)),
        f"""
        The order is the tuple `STEPS` in [gate.py]({above("node_agent/gate/gate.py")}); each step is a file beside
        it. [How a query travels](../explanation/how-a-query-travels.md) tells the same story in words. From *start*
        on, every code becomes the same no-answer outside.
        """,
        table(["#", "Step", "What it does", "For a stored answer", "May end with"], rows),
    )


def _diagram(transitions: Mapping[Any, Iterable[Any]], start: Any) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    for state, reachable in transitions.items():
        targets = [str(item) for item in transitions if item in set(reachable)]
        lines += [f"    {state} --> {target}" for target in targets or ["[*]"]]
    return fence("\n".join(lines), "mermaid")


def states() -> str:
    """State machines, as diagrams made from their tables."""
    from coordinator.queries import machine
    from node_agent.budget import states as ledger
    from trustquery.projects import inputs, life
    from trustquery.reviews import hearing

    return join(
        "Each machine is a dictionary in the code. A move that is not listed there is refused.",
        "## A release in a node's ledger",
        f"""
        {markdown(doc(ledger.State))} A release that goes from RESERVED straight to COMMITTED is a stored answer: it
        reads no data and draws no noise. The table is in `node_agent/budget/states.py`.
        """,
        _diagram(ledger.VALID_TRANSITIONS, ledger.State.RESERVED),
        "## A review at a trust",
        f"""
        {markdown(doc(hearing.Stage))} The table is in `trustquery/reviews/hearing.py`. Whatever the stage at the
        deadline, it is then that it decides between HELD → WITNESSED and HELD → WITHHELD above.
        """,
        _diagram(hearing.MOVES, hearing.Stage.NONE),
        "## A query at the coordinator",
        f"{markdown(doc(machine.State))} The table is in `coordinator/queries/machine.py`.",
        _diagram(machine.VALID_TRANSITIONS, machine.State.ACCEPTED),
        "## An application",
        f"""
        {markdown(doc(life.ApplicationState))} The table is in `trustquery/projects/life.py`, as is the next one.
        """,
        _moves(life.APPLICATION_MOVES),
        "## A project",
        f"""
        {markdown(doc(life.ProjectState))} `amend` puts a later permit in use: one of an amended application, or the
        same application's renewed. The permit before it stays in use until as many trusts have accepted the new one as
        its answers need.
        """,
        _moves(life.PROJECT_MOVES),
        "## An input",
        f"{markdown(doc(inputs.InputState))} The table is in `trustquery/projects/inputs.py`.",
        _moves(inputs.INPUT_MOVES),
    )


def _moves(moves: "Sequence[life.Move[Any]]") -> str:
    """A table of moves as a diagram, and who makes each with which signature."""
    lines = ["stateDiagram-v2", f"    [*] --> {moves[0].before}"]
    lines += [f"    {move.before} --> {move.after}: {move.action}" for move in moves]
    last = {move.after for move in moves} - {move.before for move in moves}
    lines += [f"    {state} --> [*]" for state in sorted(last)]
    rows = [
        (move.before, f"`{move.action}`", move.after, move.by or "the clock", move.signs or "nothing") for move in moves
    ]
    return join("```mermaid\n" + "\n".join(lines) + "\n```", table(["From", "Action", "To", "Who", "Signs"], rows))


def roles() -> str:
    """Roles, actions and endpoints, from the tables that decide."""
    from coordinator.api.app import routed
    from coordinator.api.door import endpoints
    from coordinator.fleet.server import METHODS
    from coordinator.fleet.websocket import ROUTES
    from trustquery.access import ACTIONS, Reach, Role
    from trustquery.access.roles import HELD_OVER, MEANING, Scope
    from trustquery.access.ruling import APART
    from trustquery.wire import SERVICE

    open_to = {
        "anybody": "anybody, without signing in",
        "signed-in": "everybody who is signed in",
        "code": "whoever holds the trust's enrolment code",
        "node": "the node itself, by its certificate",
    }
    over = {role: " or ".join(scope.value for scope in Scope if scope in HELD_OVER[role]) for role in Role}
    limited = [action for action in ACTIONS.values() if not action.open_to]
    text = doc(Reach)
    reaches = text[text.index("ANY:") :]
    return join(
        """
        One question is asked everywhere: may this person do this action on this thing? The answer has a reason, and it
        is no unless this page says yes. It is asked anew at each request, from the database: what is taken away is gone
        at the next one. [Decision record 0031](../adr/0031-one-question-of-persons.md) says why it is so.
        """,
        "## Roles",
        table(
            ("role", "is somebody who", "held over", "by"),
            [(role.value, MEANING[role], over[role], _source(role)) for role in Role],
        ),
        """
        A role belongs to a person, not to an account: two accounts of one person hold the same roles, and count as one
        where two people must agree. A role that is held over one trust or project reaches that one, and never another
        that happens to have the same name. What is written in a role about a trust's node, policy or data is done at
        the trust, with the trust's own keys: this coordinator has no say in it.
        """,
        "## Who may do what",
        markdown(reaches) + " An empty cell is no. A first draft concerns its team alone, whatever a cell says. "
        "To whoever may not do the last column's action, a refusal looks as if there were "
        "nothing.",
        table(
            ("action", "what it is", *(role.value for role in Role), "known to whoever may"),
            [
                (
                    code(action.name),
                    action.does,
                    *(action.allowed[role].value if role in action.allowed else "" for role in Role),
                    code(action.reading) if action.reading else "",
                )
                for action in limited
            ],
        ),
        "## What takes no role",
        table(
            ("action", "what it is", "open to"),
            [(code(a.name), a.does, open_to[a.open_to]) for a in ACTIONS.values() if a.open_to],
        ),
        "## Never the same person",
        table(("who", "never also", "because"), APART),
        "## Endpoints",
        "An endpoint that declares no action cannot be built, and one that has not asked answers nothing.",
        table(
            ("endpoint", "action"),
            [
                *((code(f"{method} {path}"), code(action)) for method, path, action in endpoints(routed())),
                *((code(f"gRPC {SERVICE}/{method}"), code(action)) for method, action in METHODS.items()),
                *((code(f"WebSocket {path}"), code(action)) for path, action in ROUTES.items()),
            ],
        ),
        "## What a refusal says",
        """
        `auth-required`: nobody is signed in. `auth-not-permitted`: the person may know of the thing and not do this,
        with the reason. `project-unknown` or `query-unknown`: the person may not know of it, or there is none; the two
        are the same reply, to the byte and in time.
        """,
    )


def _source(role: Any) -> str:
    """Where a role comes from, in words."""
    from trustquery.access import Role

    if role is Role.PROJECT_LEAD:
        return "the project's permit; before the first one, its application"
    if role is Role.ANALYST:
        return "`user add` to start applications; in a project its permit"
    if role is Role.COMMITTEE_MEMBER:
        return "`user grant` and the roster that the root holders sign, both"
    return "`user grant`"

"""What a policy would do, before it does: check, test, explain, diff and render, offline on files.

``tq policy`` and ``tq-node policy`` have these same commands.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from trustquery.cli.output import data, data_json, reporting, say
from trustquery.cli.signing import read_bytes, read_policy, read_text

if TYPE_CHECKING:
    from trustquery.policy import Policy
    from trustquery.policy.cases import Outcome

__all__ = ["PERMIT_OF", "add_to"]

PERMIT_OF = "trustquery.permit_of"
"""Where a command line that keeps permits puts its way to one: a project's name in, an envelope's bytes out."""

PolicyFile = Annotated[Path, typer.Argument(help="policy.toml, or a signed policy (.dsse).")]


def _policy(path: Path) -> Policy:
    """A policy from TOML, or from an envelope whose signatures are not looked at: it is only read."""
    return read_policy(path)[0]


def _shown(path: Path) -> str:
    """The text to point into; "" where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def add_to(app: typer.Typer, program: str) -> None:
    """Put the commands on a command line.

    Args:
        program: its name, for the examples and what to do next.
    """
    commands: dict[str, Callable[..., None]] = {
        "check": check,
        "test": run_cases,
        "explain": explain,
        "diff": diff,
        "render": render,
    }
    for name, command in commands.items():
        words = (command.__doc__ or "").replace("tq policy", f"{program} policy")
        app.command(name, help=words)(command)


def check(policy: PolicyFile) -> None:
    """Report everything that is wrong with a policy, each with its line, and what its caps promise a patient.

    Example: tq policy check policy.toml
    """
    with reporting(_shown(policy), str(policy)):
        from trustquery.policy.checking import check_text
        from trustquery.policy.promised import in_words

        found, warnings = check_text(read_text(policy), name=policy.name)
        for warning in warnings:
            say(f"warning: {warning}")
        for line in in_words(found):
            say(line)
        say(
            f"version {found.version} for {found.trust} is in order, with {len(warnings)} warnings. "
            f"next: {_program()} policy test CASES, then {_program()} policy sign {policy} --key … --key …"
        )


def run_cases(
    cases: Annotated[list[Path], typer.Argument(help="Files of cases (TOML), or folders of them.")],
    policy: Annotated[Path | None, typer.Option(help="Judge this policy instead of the one each file names.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every case as JSON on stdout.")] = False,
) -> None:
    """Run cases: what a policy must decide. Each failing one says what differs; any sets exit status 3.

    Example: tq policy test policies/cases
    """
    with reporting():
        from trustquery.errors.catalogue import Exit

        found = [(path, outcome) for path in _case_files(cases) for outcome in _outcomes(path, policy)]
        failing = [(path, outcome) for path, outcome in found if outcome.differs]
        for path, outcome in failing:
            say(f"failed: {path.name}: {outcome.case.name}")
            for sentence in outcome.differs:
                say(f"  {sentence}")
        if as_json:
            data_json([{"file": path.name, "case": one.case.name, "differs": list(one.differs)} for path, one in found])
        else:
            data(f"{len(found)} cases, {len(failing)} failing")
        if failing:
            say("next: correct the policy, or the cases that are no longer meant")
            raise typer.Exit(int(Exit.CHECK_FOUND_PROBLEMS))
        say(f"next: {_program()} policy diff OLD NEW, then {_program()} policy sign FILE --key … --key …")


def _case_files(given: list[Path]) -> list[Path]:
    from trustquery.errors import TrustQueryError

    found = [file for path in given for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]
    if not found:
        raise TrustQueryError("policy-case-invalid", str(given[0]), problem="there is no file of cases")
    return found


def _outcomes(path: Path, instead: Path | None) -> list[Outcome]:
    from trustquery.policy.cases import Cases, prepare, run

    cases = Cases.from_toml(read_text(path), name=path.name)
    named = instead or path.parent / cases.policy
    return [run(ready) for ready in prepare(cases, read_text(named), name=named.name)]


def explain(
    policy: PolicyFile,
    query: Annotated[str, typer.Argument(help="SQL, a file of SQL, or a stored request (.json).")],
    permit: Annotated[
        Path | None, typer.Option(help="The project's permit (.dsse or .json): who asks, for what.")
    ] = None,
    project: Annotated[str, typer.Option(help="The project whose permit the node keeps; `tq-node` only.")] = "",
    person: Annotated[str, typer.Option(help="The member of the permit who asks; else the first.")] = "",
    facts: Annotated[Path | None, typer.Option(help="A file of cases; its table base says who asks, for what.")] = None,
    dataset: Annotated[str, typer.Option(help="The dataset that the SQL is about.")] = "",
    epsilon: Annotated[str, typer.Option(help="What the SQL may cost.")] = "0.5",
    unknown_keys: Annotated[bool, typer.Option("--unknown-keys", help="Codes may be found in the data.")] = False,
    given: Annotated[list[str] | None, typer.Option("--set", help="A field of the request, NAME=VALUE.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The decision as JSON on stdout.")] = False,
) -> None:
    """Say which rules decide about a query, what each says, and what would change it. Spends nothing.

    Example: tq policy explain policy.toml request.json
    """
    with reporting(query, ""):
        from trustquery.policy import PolicyRequest
        from trustquery.policy.explaining import explain as explained
        from trustquery.policy.supposing import with_fields

        rules = _policy(policy)
        asked = _asked(rules, query, _permit(permit, project), person, facts, dataset, epsilon, unknown_keys)
        request = PolicyRequest.from_document(with_fields(asked, given or []))
        verdicts = explained(rules, request)
        against = [verdict for verdict in verdicts if not verdict.allows]
        if as_json:
            data_json(
                {
                    "allowed": not against,
                    "request": request.document(),
                    "verdicts": [verdict.document() for verdict in verdicts],
                }
            )
            return
        data(f"{rules.trust}, policy version {rules.version}: {'refused' if against else 'allowed'}")
        for verdict in verdicts:
            data(f"  {'allows ' if verdict.allows else 'REFUSES'}  {verdict.rule}: {verdict.asks}")
            if not verdict.allows:
                data(f"           {verdict.reason}")
                data(f"           what would change it: {verdict.change}")
        say(f"next: {_program()} policy render {policy}")


def _permit(file: Path | None, project: str) -> bytes | None:
    """The permit of a file, or the one that a node keeps for a project."""
    from trustquery.errors import TrustQueryError

    if file is not None:
        return read_bytes(file)
    if not project:
        return None
    permit_of = click.get_current_context().meta.get(PERMIT_OF)
    if permit_of is None:
        raise TrustQueryError(
            "usage-invalid", place="--project", problem="only a node keeps permits: give --permit FILE"
        )
    found: bytes = permit_of(project)
    return found


def _asked(
    rules: Policy,
    query: str,
    permit: bytes | None,
    person: str,
    facts: Path | None,
    dataset: str,
    epsilon: str,
    unknown_keys: bool,
) -> Any:
    """The request's document: of a stored file; or of SQL, for the people of a permit or of a file of cases."""
    from trustquery.errors import TrustQueryError
    from trustquery.policy.supposing import from_sql, member_of

    path = Path(query) if len(query) < 1000 and "\n" not in query else None
    if path is not None and path.suffix == ".json":
        try:
            stored = json.loads(read_text(path))
        except ValueError as error:
            raise TrustQueryError("policy-request-invalid", str(path), problem="it is not JSON") from error
        return stored
    sql = read_text(path) if path is not None and path.suffix == ".sql" else query
    who: dict[str, Any] = {}
    if permit is not None:
        who = member_of(permit, person)
    elif facts is not None:
        from trustquery.policy.cases import Cases

        who = dict(Cases.from_toml(read_text(facts), name=facts.name).base)
    else:
        raise TrustQueryError(
            "usage-invalid", place="--permit", problem="give --permit, --project or --facts: who asks, for what"
        )
    about = dataset or str(who.get("dataset", ""))
    return from_sql(sql, about, epsilon, rules, who, unknown_keys=unknown_keys, now=int(time.time()))


def diff(
    old: Annotated[Path, typer.Argument(help="The policy before (.toml or .dsse); `none` where there was none.")],
    new: Annotated[Path, typer.Argument(help="The policy after.")],
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Say in plain English what becomes allowed and what becomes refused, and whether the change only tightens.

    Example: tq policy diff policy.toml next.toml
    """
    with reporting():
        from trustquery.errors import TrustQueryError
        from trustquery.policy.difference import compare

        if form not in ("text", "json"):
            raise TrustQueryError("usage-invalid", place="--format", problem="write text or json")
        found = compare(None if str(old) == "none" else _policy(old), _policy(new))
        if form == "json":
            data_json(found.document())
            return
        for title, changes in (("loosens", found.loosened), ("tightens", found.tightened), ("also", found.other)):
            for change in changes:
                data(f"{title:8}  {change.place or 'all'}: {change.sentence}")
        if found.is_tightening:
            data("This change only tightens.")
        else:
            data("This change is a loosening: not every part of it is proved to refuse more.")
        say(f"next: {_program()} policy sign {new} --key … --key …")


def render(
    policy: PolicyFile,
    out: Annotated[Path | None, typer.Option(help="Write it to this file; else to stdout.")] = None,
) -> None:
    """Write a policy in plain English (Markdown), every key of it, for those who decide on it.

    Example: tq policy render policy.toml
    """
    with reporting():
        from trustquery.policy.rendering import render as rendered

        text = rendered(_policy(policy))
        if out is None:
            data(text.rstrip("\n"))
        else:
            out.write_text(text, encoding="utf-8")
            say(f"wrote {out}")
        say(f"next: {_program()} policy sign {policy} --key … --key …")


def _program() -> str:
    """The command that people typed: ``tq`` or ``tq-node``."""
    context = click.get_current_context(silent=True)
    return (context.find_root().info_name or "tq") if context is not None else "tq"

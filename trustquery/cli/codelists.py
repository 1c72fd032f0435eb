"""``tq codelist``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.confirm import confirm_act
from trustquery.cli.output import Format, reporting, say
from trustquery.cli.tables import day, show_rows
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.client.approved import FederationInput
    from trustquery.codelists import CodingSystem
    from trustquery.projects.inputs import InputVerdict

__all__ = ["app"]

app = typer.Typer(
    help="Codelists and look-ups: checked, uploaded, approved by a second person, used by name.\n\n"
    "Start: tq codelist check FILE --system icd10; tq codelist upload FILE --project NAME --system icd10; then a "
    "member of the data access committee: tq codelist approve NAME --key FILE --reason TEXT",
    no_args_is_help=True,
)

SystemOption = Annotated[
    str,
    typer.Option(
        metavar="SYSTEM",
        help="What its codes are: snomedct, dmd, icd10, opcs4, bnf, ctv3; look-up for a table without codes.",
    ),
]
ColumnOption = Annotated[str, typer.Option(help="The column that holds the codes, where its heading does not say it.")]
Name = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Without a version, the last that is approved.")]
Key = Annotated[Path, typer.Option(help="Your key as a member of the data access committee.")]
Reason = Annotated[str, typer.Option(help="Why, in words that everybody who uses it can read.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]
COLUMNS = {
    "name": "Name", "version": "Version", "state": "State", "system": "System", "rows": "Rows",
    "uploader": "Uploaded by", "sha256": "SHA-256",
}  # fmt: skip


@app.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON; NAME=FILE or NAME@VERSION=FILE names it.")],
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Also write it in the form that says name and version.")
    ] = None,
    system: SystemOption = "look-up",
    column: ColumnOption = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what a file would be as a public table, or every problem with its line. Nothing is sent.

    Without --system codes are not looked at: a list of codes is uploaded with one, and checked again then.

    Example: tq codelist check icd10_stroke.csv --system icd10
    """
    with reporting():
        from trustquery.client.inputs import check_file
        from trustquery.identity import canonical

        try:
            report = check_file(file, _system(system), column)
        except TrustQueryError as error:
            _say_problems(error)
            raise typer.Exit(3) from error
        table = report.table
        row = {
            "table": table.id,
            "version": table.version,
            "rows": len(table.rows),
            "columns": [column.name for column in table.columns],
            "sha256": table.sha256,
        }
        shown = row if form in (Format.JSON, Format.JSONL) else row | {"columns": ", ".join(row["columns"])}  # type: ignore[arg-type]
        for note in report.notes:
            say(note)
        headings = {"table": "Table", "version": "Version", "rows": "Rows", "columns": "Columns", "sha256": "SHA-256"}
        show_rows([shown], headings, form)
        if write is not None:
            write.write_bytes(canonical.encode(table.document()))
            say(f"wrote {write}")
        say(f"next: tq codelist upload {file} --project NAME --system {report.system}")


def _system(text: str) -> CodingSystem:
    """A coding system by its word. Not an enum of the command line's: help is shown without what reads tables.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    from trustquery.codelists import CodingSystem

    words = [system.value for system in CodingSystem]
    if text not in words:
        problem = f"there is no coding system {text[:40]}; there is {', '.join(words)}"
        raise TrustQueryError("usage-invalid", "--system", problem=problem)
    return CodingSystem(text)


def _say_problems(error: TrustQueryError) -> None:
    """Every problem of a file on a line of its own; anything else is raised again."""
    if error.code != "query-input-invalid":
        raise error
    for problem in error.problems:
        say(f"{problem.place}: {problem.fields['reason']}")
    say("this file cannot be used as it is")


@app.command()
def upload(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON.")],
    project: Annotated[str, typer.Option("--project", "-p", help="The project that needs it.")],
    system: SystemOption,
    name: Annotated[
        str, typer.Option("--id", metavar="NAME[@VERSION]", help="Its name in queries; else the file's.")
    ] = "",
    column: ColumnOption = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Check a codelist or look-up, and send it to wait for a second person's approval.

    A changed file is the next version of its name; the same content again is the version that it was.

    Example: tq codelist upload icd10_stroke.csv --project stay-lengths --system icd10
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            try:
                row, report = connection.inputs().upload(file, project, _system(system), name=name, column=column)
            except TrustQueryError as error:
                _say_problems(error)
                raise typer.Exit(3) from error
        for note in report.notes:
            say(note)
        show_rows([row], COLUMNS, form)
        if row["state"] == "approved":
            say(f"next: tq query run --input {row['name']}@{row['version']} …")
        else:
            say(f"next, a member of the data access committee: tq codelist show {row['name']}@{row['version']}")


@app.command("list")
def list_inputs(form: FormatOption = Format.TABLE) -> None:
    """List the inputs that queries may pin or could once, and those of yours that wait.

    Example: tq codelist list
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            rows = connection.inputs().everyone()
        if not rows:
            say("There is none yet. next: tq codelist upload FILE --project NAME --system icd10")
            return
        show_rows([row | {"since": day(row["updated"])} for row in rows], COLUMNS | {"since": "Since"}, form)
        say(f"next: tq codelist show {rows[-1]['name']}@{rows[-1]['version']}")


@app.command()
def show(
    name: Name,
    out: Annotated[Path | None, typer.Option(help="Write the table here, for the trusts: NAME@VERSION.json.")] = None,
    approval: Annotated[Path | None, typer.Option(help="Write its signed approval here, for the trusts.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show an input: its rows, its record, and who approved it. The hash and the signature are checked here.

    Example: tq codelist show icd10_stroke --out icd10_stroke@1.json --approval icd10_stroke@1.dsse
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.cli.signing import write_new
        from trustquery.identity import canonical

        with connect() as connection:
            found = connection.inputs().get(name)
        if approval is not None:
            found.approval()
            write_new(approval, str(found.raw["approval"]).encode())
            say(f"wrote {approval}")
        if out is not None:
            write_new(out, canonical.encode(found.content().document()))
            say(f"wrote {out}")
        _show(found, form)
        if found.state == "approved":
            signed = found.approval()
            say(f"approved by {signed.person}, whose signature was checked here: {signed.reason}")
            say(f"next: tq query run --input {found.words} …")
        elif found.state == "uploaded":
            say(f"next: tq codelist approve {found.words} --key FILE --reason TEXT, or refuse")


def _show(found: FederationInput, form: Format) -> None:
    """The table as data, and about it for people."""
    for event in found.raw["events"]:
        say(f"{day(event['at'])}: {event['text']}")
    facts = f"{found.words}: {found.state}; {found.raw['system']}; sha256 {found.raw['sha256']}"
    if found.table is None:
        say(f"{facts}; its content was deleted")
        return
    names = [column.name for column in found.table.columns]
    show_rows([dict(zip(names, row, strict=True)) for row in found.table.rows], {name: name for name in names}, form)
    say(facts)


@app.command()
def approve(name: Name, key: Key, reason: Reason, yes: Yes = False) -> None:
    """Read an input that somebody else uploaded, check it again here, and sign that queries may pin it.

    Example: tq codelist approve icd10_stroke@1 --key ~/keys/casey.pem --reason "The stroke team's own list."
    """
    with reporting():
        _decide(name, "approve", key, reason, yes)
        say("approved: queries may pin it. next: tq codelist list")


@app.command()
def refuse(name: Name, key: Key, reason: Reason, yes: Yes = False) -> None:
    """Refuse an input, with a signed reason. Its content is deleted; the record stays.

    Example: tq codelist refuse wards@1 --key ~/keys/casey.pem --reason "It lists one trust's own wards."
    """
    with reporting():
        _decide(name, "refuse", key, reason, yes)
        say("refused; its content was deleted. next: tq codelist list")


def _decide(name: str, verdict: InputVerdict, key: Path, reason: str, yes: bool) -> None:
    from trustquery.cli.connecting import connect
    from trustquery.cli.signing import load_key

    with connect() as connection:
        desk = connection.inputs()
        found = desk.get(name)
        _show(found, Format.TABLE)
        if verdict == "approve":
            for note in found.report().notes:
                say(note)
        confirm_act(f"Do you {verdict} exactly this?", yes=yes)
        desk.decide(found, verdict, reason, load_key(key))


@app.command()
def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME@VERSION")], key: Key, reason: Reason, yes: Yes = False
) -> None:
    """Sign that no query may pin an approved input from now on. What was asked with it before can still be read.

    Every trust is told, and checks the signature: it refuses that version from then on, whoever offers it.

    Example: tq codelist withdraw icd10_stroke@1 --key ~/keys/casey.pem --reason "It missed I64; version 2 has it."
    """
    with reporting():
        if "@" not in name:
            raise TrustQueryError("usage-invalid", "NAME@VERSION", problem="say which version is withdrawn")
        _decide(name, "withdraw", key, reason, yes)
        say("withdrawn: no query may pin it from now on. next: tq codelist list")


@app.command()
def retract(
    name: Annotated[str, typer.Argument(metavar="NAME@VERSION")],
    reason: Annotated[str, typer.Option(help="Why, in words; it stands in the record.")],
) -> None:
    """Take back what your project uploaded and nobody has approved. Its content is deleted; the record stays.

    Example: tq codelist retract icd10_stroke@1 --reason "It is the wrong file."
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            connection.inputs().retract(name, reason)
        say("taken back; its content was deleted. next: tq codelist upload FILE --project NAME --system icd10")

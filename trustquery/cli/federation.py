"""``tq federation``: for root holders, on an offline machine, and for the delegate who issues revocation statements."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.keys import ask_passphrase, make_key
from trustquery.cli.output import data, reporting, say
from trustquery.cli.signing import load_key, read_bytes, sign_document, sign_file, write_new
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.identity import Root, SigningKey

__all__ = ["app"]

app = typer.Typer(help="The federation's root, and who signs in its name.", no_args_is_help=True)
PassphraseOption = Annotated[bool, typer.Option("--passphrase", help="Encrypt each new key; each holder types one.")]
BeginOption = Annotated[str, typer.Option(help="The federation's name, to begin a list; never where there was one.")]
ToOption = Annotated[str, typer.Option(help="The coordinator's host:port; else the one that you sign in to.")]
AuthorityOption = Annotated[Path | None, typer.Option(help="Its authority.pem; else the one that you signed in with.")]
ListOption = Annotated[Path, typer.Option("--list", help="The delegate's own list of revocations.")]


def _new_keys(folders: list[Path], passphrase: bool) -> list[SigningKey]:
    """One new key in each holder's folder."""
    keys = []
    for folder in folders:
        if passphrase:
            say(f"the holder of {folder} types a passphrase of their own:")
        keys.append(make_key(folder / "root.key.pem", ask_passphrase() if passphrase else None))
        say(f"{folder}: key {keys[-1].key_id[:16]}…")
    return keys


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The federation's name.")],
    out: Annotated[Path, typer.Option(help="Where root.json goes.")],
    holder: Annotated[list[Path], typer.Option(help="One folder for each root holder; give it three times.")],
    threshold: Annotated[int, typer.Option(min=1, help="How many of them must sign.")] = 2,
    passphrase: PassphraseOption = False,
) -> None:
    """Make the root: one key for each holder, and root.json, which is public.

    Example: tq federation init demo --out root.json --holder /media/a --holder /media/b --holder /media/c
    """
    with reporting():
        from pydantic import ValidationError

        from trustquery.identity import Root

        if out.exists():
            raise TrustQueryError("config-exists", path=out)
        try:
            # Checked before any key is made: the keys of a root that cannot be are of no use.
            stand_in = tuple(f"{place:064x}" for place in range(len(holder)))
            plan = Root(federation=name, version=1, previous="", keys=stand_in, threshold=threshold)
        except ValidationError as error:
            raise TrustQueryError(
                "usage-invalid", problem="a federation has a plain name and at least as many holders as the threshold"
            ) from error
        keys = _new_keys(holder, passphrase)
        root = plan.model_copy(update={"keys": tuple(key.public.hex() for key in keys)})
        write_new(out, root.payload())
        data(root.sha256)
        say(f"root fingerprint above: it goes to every trust by another way than {out}")
        say(f"{threshold} of {len(keys)} holders sign each roster. next: tq-coordinator init --root {out}")


@app.command()
def sign(
    document: Annotated[Path, typer.Argument(help="A roster or a next root: JSON, or part-signed.")],
    key: Annotated[list[Path], typer.Option(help="A root key; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Where the envelope goes; else the same name with .dsse.")] = None,
) -> None:
    """Read a document out, add root signatures, write the envelope.

    Example: tq federation sign roster.json --key /media/a/root.key.pem
    """
    with reporting():
        from trustquery.identity import Root, Roster

        sign_file(document, key, out, (Roster, Root))


@app.command()
def show(
    document: Annotated[Path, typer.Argument(help="root.json, or a signed root, roster or statement (*.dsse).")],
) -> None:
    """Print a root's fingerprint; or what a signed document says, and when it ends.

    Example: tq federation show root.json
    """
    with reporting():
        from trustquery.identity import Revocations, Roster
        from trustquery.identity.envelope import payload_type
        from trustquery.identity.warnings import days_left, hours_old, roster_warnings

        content, now = read_bytes(document), int(time.time())
        if payload_type(Roster.KIND).encode() in content:
            roster = Roster.read(content)
            data(roster.sha256)
            say(f"roster version {roster.version} of {roster.federation}: {len(roster.nodes)} nodes")
            say(f"it ends in {days_left(roster, now)} days; {len(roster.statement_keys)} keys sign statements")
            for warning in roster_warnings(roster, now):
                say(f"warning: {warning}")
        elif payload_type(Revocations.KIND).encode() in content:
            statement = Revocations.read(content)
            data(statement.sha256)
            say(
                f"revocation statement {statement.version} of {statement.federation}, {hours_old(statement, now)} h old"
            )
            for item in statement.revoked:
                say(f"{item.kind} {item.id}")
        else:
            found = _read_root(document)
            data(found.sha256)
            say(f"federation {found.federation}, root version {found.version}:")
            say(f"{found.threshold} of {len(found.keys)} root keys sign")


def _read_root(path: Path) -> Root:
    """A root from root.json or from its envelope; signatures are not looked at."""
    from trustquery.identity import Root

    content = read_bytes(path)
    return Root.read(content) if path.suffix == ".dsse" else Root.from_payload(content)


@app.command()
def rotate(
    root: Annotated[Path, typer.Argument(help="The newest root: root.json, or the signed root-N.dsse.")],
    out: Annotated[Path, typer.Option(help="Where the next root goes, signed as far as keys are here; *.dsse.")],
    remove: Annotated[
        list[str] | None, typer.Option(help="The beginning of a lost or stolen key's print; may be repeated.")
    ] = None,
    holder: Annotated[list[Path] | None, typer.Option(help="A folder for a new holder's key; may be repeated.")] = None,
    key: Annotated[list[Path] | None, typer.Option(help="A present holder's key; may be repeated.")] = None,
    threshold: Annotated[int | None, typer.Option(min=1, help="How many must sign from then on; else as now.")] = None,
    passphrase: PassphraseOption = False,
) -> None:
    """Make the next root: a key lost, stolen or passed on. Enough present holders sign it, and every new key.

    Who cannot be here now adds a signature with `tq federation sign`.

    Example: tq federation rotate root.json --out root-2.dsse --remove 5d1f --holder /media/d --key /media/a/k.pem
    """
    with reporting():
        from trustquery.identity.rotation import successor_of

        old = _read_root(root)
        left = [public for public in old.keys if not _is_removed(old, public, remove or [])]
        fresh = len(holder or [])
        try:
            needed = threshold if threshold is not None else old.threshold
            stand_in = tuple(f"{place:064x}" for place in range(fresh))
            successor_of(old, (*left, *stand_in), needed)
        except ValueError as error:
            raise TrustQueryError(
                "usage-invalid", problem=f"{needed} of {len(left) + fresh} keys make no root: add a --holder"
            ) from error
        if out.exists():
            raise TrustQueryError("config-exists", path=out)
        new_keys = _new_keys(holder or [], passphrase)
        new = successor_of(old, (*left, *(item.public.hex() for item in new_keys)), needed)
        envelope = new.sign(*new_keys, *(load_key(path) for path in key or []))
        write_new(out, envelope.encode())
        data(new.sha256)
        old_ones = len(envelope.signers(old.ring))
        everyone = len(envelope.signers(new.ring))
        say(f"root version {new.version}: {old_ones} of the {old.threshold} signatures by present keys that it takes,")
        say(f"and {everyone} of its own {len(new.keys)}, of which all sign")
        say(f"next: tq federation sign {out} --key KEY, until both are there; then a roster signed by this root")


def _is_removed(old: Root, public: str, removed: list[str]) -> bool:
    from trustquery.identity import key_id

    prints = {item: key_id(bytes.fromhex(item)) for item in old.keys}
    for start in removed:
        if len([item for item in old.keys if prints[item].startswith(start)]) != 1 or len(start) < 4:
            raise TrustQueryError("usage-invalid", place="--remove", problem=f"{start} is not one key's print")
    return any(prints[public].startswith(start) for start in removed)


@app.command()
def revoke(
    reason: Annotated[str, typer.Option(help="Why; it stays on this list.")],
    revocations: ListOption,
    key: Annotated[str, typer.Option(help="A public key of a person or a node.")] = "",
    permit: Annotated[str, typer.Option(help="A permit's hash, as `tq project show` prints it.")] = "",
    certificate: Annotated[str, typer.Option(help="A certificate's serial number, hexadecimal.")] = "",
    node: Annotated[str, typer.Option(help="A node's name: its key, as the --roster has it.")] = "",
    roster: Annotated[Path | None, typer.Option(help="The signed roster, for --node.")] = None,
    until: Annotated[str, typer.Option(help="The day after which the permit or certificate has ended anyway.")] = "",
    federation: BeginOption = "",
) -> None:
    """Put something on the list of what no longer counts; the next statement says so. Nothing is ever taken off.

    Example: tq federation revoke --list revoked.json --key 5d1f… --reason "laptop stolen on 3 May"
    """
    with reporting():
        from pydantic import ValidationError

        from trustquery.cli.revoking import Entry, key_of_node, read_list, write_list
        from trustquery.identity import Revoked, Roster

        given = {"key": key, "permit": permit, "certificate": certificate, "node": node}
        chosen = [name for name, value in given.items() if value]
        found = read_list(revocations, begin=federation)
        if len(chosen) != 1:
            raise TrustQueryError("usage-invalid", problem="give one of --key, --permit, --certificate, --node")
        kind, value = chosen[0], given[chosen[0]].lower()
        if kind == "node":
            if roster is None:
                raise TrustQueryError("usage-invalid", problem="--node needs --roster, which has the node's key")
            kind, value = "key", key_of_node(Roster.read(read_bytes(roster)), node)
        try:
            what = Revoked.model_validate({"kind": kind, "id": value, "until": _day(until)})
            entry = Entry(what=what, reason=reason, added=int(time.time()))
        except (ValidationError, ValueError) as error:
            problem = "a key and a permit are 64 hexadecimal digits, a certificate at most 40; a key has no --until"
            raise TrustQueryError("usage-invalid", problem=problem) from error
        write_list(revocations, found.with_entry(entry))
        data(what.id)
        say(f"{kind} {what.id[:16]}… is on the list, and no statement will leave it out")
        say(f"next, now: tq federation statement --list {revocations} --key KEY --out FILE")


def _day(text: str) -> int:
    if not text:
        return 0
    day = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC) + datetime.timedelta(days=1)
    return int(day.timestamp())


@app.command()
def statement(
    revocations: ListOption,
    key: Annotated[Path, typer.Option(help="The delegate's key, which the roster names.")],
    out: Annotated[Path, typer.Option(help="Where the statement goes; *.dsse.")],
    days: Annotated[int, typer.Option(min=1, max=30, help="How long it counts at most.")] = 7,
    federation: BeginOption = "",
    send: Annotated[bool, typer.Option("--send", help="Hand it in as well, as `tq federation send` does.")] = False,
    to: ToOption = "",
    authority: AuthorityOption = None,
) -> None:
    """Issue the revocation statement: every day, and at once when something was revoked.

    Trusts refuse every query when the newest statement that they have is older than their policy allows.

    Example: tq federation statement --list revoked.json --key delegate.key.pem --out statement.dsse
    """
    with reporting():
        from trustquery.cli.revoking import read_list, write_list

        found = read_list(revocations, begin=federation)
        made = found.statement(int(time.time()), days * 86_400)
        # Before anything is signed: a number may be left out, and is never given twice.
        write_list(revocations, found.model_copy(update={"statements": made.version}))
        sign_document(made, [key], out)
        data(made.sha256)
        say(f"statement {made.version}: {len(made.revoked)} revocations")
        if send:
            _hand_in(out, to, authority)
        else:
            say(f"next: tq federation send {out}; or, at the coordinator: tq-coordinator statement import {out}")


@app.command("send")
def send_(
    statement: Annotated[Path, typer.Argument(help="The signed statement, *.dsse.")],
    to: ToOption = "",
    authority: AuthorityOption = None,
) -> None:
    """Hand a revocation statement in over HTTPS. The coordinator verifies it and tells every trust at once.

    It takes no sign-in: the signature is what counts. `--to` with `--authority` is for a machine on which nobody signs
    in.

    Example: tq federation send statement.dsse
    """
    with reporting():
        _hand_in(statement, to, authority)


def _hand_in(statement: Path, to: str, authority: Path | None) -> None:
    from trustquery.client.statements import send_statement

    if authority is not None and not to:
        raise TrustQueryError("usage-invalid", place="--authority", problem="it needs --to as well")
    version = send_statement(read_bytes(statement).strip(), to, authority)
    say(f"statement {version} is in force. next: tq federation show {statement}")

"""``policy sign/activate/pending/withdraw/history``: how a policy changes, and what waits."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node_agent.cli.opening import hand_in, home_of, keys_from, policies_of, read_file, startup_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from node_agent.config import Home
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.policy_store import Outcome

__all__ = ["activate", "history", "pending", "say_outcome", "sign", "when", "withdraw"]


_FEWEST_DIGITS = 8


def when(seconds: int) -> str:
    """A moment in UTC, as people write it."""
    found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{found.day} {found:%B %Y, %H:%M} UTC"


def _versions_waiting(context: typer.Context) -> list[str]:
    """For the shell: versions that wait."""
    try:
        return [str(item.version) for item, _ in _waiting(home_of(context))]
    except TrustQueryError:
        return []


def say_outcome(outcome: Outcome, what: str) -> None:
    """What became of a change, for people."""
    if outcome.state == "waiting":
        say(f"{what} loosens something, so it waits:")
        for sentence in outcome.loosened:
            say(f"  {sentence}")
        say(f"it takes effect on {when(outcome.effective)}, by itself, unless it is withdrawn")
        say(f"next: tq-node policy pending; to take it back: tq-node policy withdraw {outcome.sha256[:16]} --key FILE")
    else:
        say(f"{what} is in force; hash {outcome.sha256}")


def sign(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="policy.toml, or an envelope that a colleague has signed.")],
    key: Annotated[list[Path], typer.Option(help="A governance person's key file; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Where the envelope goes; else the same name with .dsse.")] = None,
) -> None:
    """Read a policy out as it will be signed, show what it changes here, add signatures, write the envelope.

    It needs no node: `tq policy sign` does the same on a person's own machine. A change that only tightens takes one
    person. Any other takes two, who may sign one after the other: the second signs the .dsse file of the first.

    Example: tq-node policy sign policy.toml --key ~/keys/alice.pem
    """
    with reporting("policy sign"):
        from trustquery.cli.signing import sign_policy

        try:
            in_force = policies_of(home_of(context)).policy()
        except TrustQueryError:
            in_force = None
        say(f"next: tq-node policy activate {sign_policy(file, key, out, in_force)}")


def activate(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The signed policy, FILE.dsse.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Put a signed policy in force. A running node takes it up at once.

    What is proved to tighten only takes one governance person and acts at once. Anything else takes two people, and 24
    hours from now: it is lodged, and takes effect by itself. The first policy of a node takes two people and no wait.

    Example: tq-node policy activate policy.dsse
    """
    with reporting("policy activate", form) as reply:
        from trustquery.policy import Policy

        home, data = home_of(context), read_file(file)
        outcome = hand_in(home, "activate", data)
        policy = Policy.read(data)
        say_outcome(outcome, f"policy version {outcome.version} of {policy.trust}")
        if form is Format.JSON:
            reply.facts(outcome.document())
        if outcome.state == "in force":
            say("next: tq-node project list")


def pending(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """List the changes that wait: when each takes effect, and what it loosens, in plain English.

    Example: tq-node policy pending
    """
    with reporting("policy pending", form) as reply:
        rows = [_waiting_row(item) for item in _waiting(home_of(context))]
        reply.rows(rows, {"change": "Change", "kind": "Kind", "version": "Version", "takes_effect": "Takes effect"})
        for row in rows:
            for sentence in row["loosens"]:
                say(f"{row['change']}: {sentence}")
        say(
            "next: tq-node policy withdraw CHANGE --key FILE, or wait: it takes effect by itself"
            if rows
            else "nothing waits. next: tq-node policy show"
        )


def _waiting(home: Home) -> list[Any]:
    from node_agent.budget.book import BookReader
    from node_agent.policy_store.office import describe

    store, book = policies_of(home), BookReader.beside(home.ledger)
    return [(item, describe(store, item)) for item in book.waiting()]


def _waiting_row(found: Any) -> dict[str, Any]:
    item, outcome = found
    return {
        "change": item.sha256[:16],
        "sha256": item.sha256,
        "kind": "policy" if item.kind == "policy" else "people who sign",
        "version": item.version,
        "effective": outcome.effective,
        "takes_effect": when(outcome.effective),
        "loosens": list(outcome.loosened),
    }


def withdraw(
    context: typer.Context,
    change: Annotated[
        str,
        typer.Argument(
            help="The change as `tq-node policy pending` names it, or its version.", autocompletion=_versions_waiting
        ),
    ],
    key: Annotated[Path, typer.Option(help="A governance person's key file; one is enough.")],
) -> None:
    """Take back a change that waits. One governance person may, whoever signed it.

    Example: tq-node policy withdraw 2 --key ~/keys/alice.pem
    """
    with reporting("policy withdraw"):
        from trustquery.identity import Order

        home = home_of(context)
        startup = startup_of(home)
        rows = [item for item, _ in _waiting(home)]
        found = [item.sha256 for item in rows if str(item.version) == change]
        if len(change) >= _FEWEST_DIGITS:
            found = [item.sha256 for item in rows if item.sha256.startswith(change.lower())]
        if len(found) != 1:
            raise TrustQueryError("policy-not-waiting", change=change[:16])
        order = Order(federation=startup.federation, node=startup.node, act="withdraw", about=found[0])
        hand_in(home, "obey", order.sign(*keys_from([key])).encode())
        say(f"{found[0][:16]} is withdrawn. next: tq-node policy pending")


def history(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """List every policy that was ever in force here, each checked by the hash in the ledger.

    Example: tq-node policy history
    """
    with reporting("policy history", form) as reply:
        rows = []
        for pin, policy in policies_of(home_of(context)).policy_versions():
            fault = isinstance(policy, TrustQueryError)
            rows.append(
                {
                    "version": pin.version,
                    "sha256": pin.sha256,
                    "entry": pin.seq,
                    "state": policy.code if isinstance(policy, TrustQueryError) else "as it was signed",
                    "damaged": fault,
                }
            )
        reply.rows(rows, {"version": "Version", "sha256": "Hash", "entry": "Ledger entry", "state": "State"})
        say("next: tq-node policy replay NEW.toml")
        if any(row["damaged"] for row in rows):
            raise TrustQueryError(
                "policy-signature", document="policy", problem="a kept version is missing or is not as it was signed"
            )

"""``release …``: two people of the trust look at noised figures before they leave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node_agent.cli.changing import when
from node_agent.cli.opening import hand_in, home_of, keys_from, now, policies_of, startup_of
from node_agent.cli.output import Format, FormatOption, Reply, reporting, say
from trustquery.cli.confirm import confirm_act
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.config import Home
    from node_agent.reviews import Bench
    from node_agent.reviews.bench import Held
    from trustquery.identity import SigningKey
    from trustquery.reviews import Hearing, Review, Verdict

__all__ = ["app"]

app = typer.Typer(
    help="Look at answers before they leave, where the policy asks for it. Two people, each first alone.\n\n"
    "You see the question and the noised figures that would leave, never a patient's data. Your verdict stays here "
    "until the deadline, so that when something leaves tells nothing. Without two approvals by then the answer does "
    "not leave. What it cost stays charged either way.",
    no_args_is_help=True,
)

Release = Annotated[str, typer.Argument(help="The release's id, or its first 8 digits or more.")]
Key = Annotated[Path, typer.Option(help="Your own governance key file.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: you have looked with `tq-node release show`.")]
_FEWEST_DIGITS = 8
_STAGES = {
    "none": "waits for two verdicts",
    "one": "waits for one verdict",
    "differ": "two verdicts differ: each of the two signs again",
    "approved": "approved: leaves at the deadline",
    "refused": "refused: the trust says so at the deadline",
}


def _reasons_help() -> str:
    from trustquery.reviews import EXPLAINED

    return "Why; may be given several times. " + " ".join(f"{code}: {words}." for code, words in EXPLAINED.items())


@contextmanager
def _bench(home: Home) -> Iterator[tuple[Bench, tuple[str, ...]]]:
    """The bench over the ledger, to read, and the releases that are held."""
    from node_agent.budget.reader import LedgerReader
    from node_agent.clock import SystemClock
    from node_agent.config import load_config
    from node_agent.reviews import Bench, ReviewFolder

    slot_ms = load_config(home).answer.slot_ms
    ledger = LedgerReader(home.ledger)
    try:
        bench = Bench(ReviewFolder(home.reviews), policies_of(home), ledger, SystemClock().wall_ms, slot_ms)
        yield bench, tuple(release.release_id for release in ledger.held())
    finally:
        ledger.close()


def _one(given: str, known: tuple[str, ...]) -> str:
    """The release that an id or its beginning names.

    Raises:
        TrustQueryError: ``policy-review-unknown``.
    """
    found = [name for name in known if len(given) >= _FEWEST_DIGITS and name.startswith(given)]
    if len(found) != 1:
        raise TrustQueryError("policy-review-unknown", release=given[:16])
    return found[0]


@app.command("list")
def list_releases(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """List the answers that wait for people here, and until when verdicts count.

    Example: tq-node release list
    """
    with reporting("release list", form) as reply:
        rows = []
        with _bench(home_of(context)) as (bench, held):
            for release_id in held:
                release = bench.ledger.find(release_id)
                if release is not None:
                    stage = bench.hearing(release).stage
                    until = bench.deadline_ms(release) // 1_000
                    rows.append(
                        {"release": release_id, "id": release_id[:12], "project": release.project,
                         "stage": stage.value, "state": _STAGES[stage], "deadline": until, "until": when(until)}
                    )  # fmt: skip
        reply.rows(rows, {"id": "Release", "project": "Project", "until": "Verdicts count until", "state": "State"})
        say("next: tq-node release show RELEASE" if rows else "nothing waits for you")


def _show(home: Home, bench: Bench, held: Held, reply: Reply) -> None:
    """The question in words, verdicts where both are in, and the figures."""
    from node_agent.inputs import InputFolder
    from node_agent.reviews.view import view_of
    from trustquery.outputs import Estimate

    view = view_of(held, bench.trust.node, InputFolder(home.inputs).pinned_by)
    hearing = bench.verdicts(held)
    for line in view.words:
        say(line)
    say(f"Verdicts count until {when(bench.deadline_ms(held.release) // 1_000)}; it {_STAGES[hearing.stage]}.")
    for review in hearing.shown:
        say(f"  {review.reviewer}, round {review.round}: {_in_words(review)}")
    say("The figures below have noise in them already. They are exactly what would leave, and nothing else does.")
    if reply.form is Format.JSON:
        reply.facts({"release": held.release.release_id, "stage": hearing.stage.value, "table": view.table.document()})
        return
    names = [column.name for column in view.table.columns]
    rows = [
        {
            name: _figure(cell) if isinstance(cell, Estimate) else cell.label or cell.text
            for name, cell in zip(names, row, strict=True)
        }
        for row in view.table.rows
    ]
    reply.rows(rows, {name: name for name in names})


def _figure(cell: object) -> str:
    value, low, high = (getattr(cell, name) for name in ("value", "low", "high"))
    if value is None:
        return "cannot be told from the noise"
    return f"{value:,.6g}" if low is None or high is None else f"{value:,.6g} ({low:,.6g} to {high:,.6g})"


def _in_words(review: Review) -> str:
    return ", ".join([review.verdict.value, *(reason.value for reason in review.reasons)])


@app.command("show")
def show(context: typer.Context, release: Release, form: FormatOption = Format.TABLE) -> None:
    """Show what would leave: the question in words, and the noised figures. Nobody's first verdict is shown before
    both are in.

    Example: tq-node release show 3f2a9c01
    """
    with reporting("release show", form) as reply:
        home = home_of(context)
        with _bench(home) as (bench, known):
            release_id = _one(release, known)
            _show(home, bench, bench.held(release_id), reply)
        say(f"next: tq-node release approve {release_id[:12]} --key FILE; or refuse, with --reason")


@app.command("approve")
def approve(context: typer.Context, release: Release, key: Key, yes: Yes = False) -> None:
    """Say that these figures may leave at the deadline. It takes two people; neither may be of the project.

    Example: tq-node release approve 3f2a9c01 --key ~/keys/grace.pem
    """
    with reporting("release approve") as reply:
        _give(home_of(context), release, key, (), yes, reply)


@app.command("refuse")
def refuse(
    context: typer.Context,
    release: Release,
    key: Key,
    reason: Annotated[list[str], typer.Option(help=_reasons_help())],
    yes: Yes = False,
) -> None:
    """Say that these figures are not to leave, with reasons from the closed list. The charge stays.

    Where the other person approves, both see both verdicts and sign once more. Agreed reasons reach the analyst.

    Example: tq-node release refuse 3f2a9c01 --reason small-groups --key ~/keys/ivan.pem
    """
    with reporting("release refuse") as reply:
        _give(home_of(context), release, key, tuple(reason), yes, reply)


def _give(home: Home, release: str, path: Path, reasons: tuple[str, ...], yes: bool, reply: Reply) -> None:
    from trustquery.reviews import Verdict

    verdict = Verdict.REFUSE if reasons else Verdict.APPROVE
    (key,) = keys_from([path])
    with _bench(home) as (bench, known):
        held = bench.held(_one(release, known))
        if not yes:
            _show(home, bench, held, reply)
        confirm_act(f"Do you {verdict.value} exactly this?", yes=yes)
        review = _review(home, held, bench.verdicts(held), key, verdict, reasons)
    stage = hand_in(home, "review", review.sign(key).encode()).state
    say(f"your verdict is kept: {verdict.value}. The release {_STAGES[stage]}")
    say("next: tq-node release list")


def _review(
    home: Home, held: Held, hearing: Hearing, key: SigningKey, verdict: Verdict, reasons: tuple[str, ...]
) -> Review:
    from trustquery.identity import key_id
    from trustquery.reviews import Reason, Review, Stage, digest_of

    unknown = sorted(set(reasons) - {reason.value for reason in Reason})
    if unknown:
        known = ", ".join(reason.value for reason in Reason)
        raise TrustQueryError("usage-invalid", place="--reason", problem=f"{unknown[0]} is not one of: {known}")
    listed = policies_of(home).governance
    person = next((item.person for item in listed.people if key_id(bytes.fromhex(item.key)) == key.key_id), None)
    if person is None:
        raise TrustQueryError("policy-signature", document="review", problem="the key is not on this trust's list")
    startup, again = startup_of(home), hearing.stage is Stage.DIFFER
    return Review(
        federation=startup.federation,
        body=startup.node,
        release_id=held.release.release_id,
        plan_hash=held.release.plan_hash,
        vector_sha256=digest_of(held.vector),
        round=2 if again else 1,
        seen=hearing.seen if again else (),
        verdict=verdict,
        reasons=tuple(reason for reason in Reason if reason.value in reasons),
        reviewer=person,
        given=now(),
    )

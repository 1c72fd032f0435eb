"""``keys …``: the people who sign for this trust: a key of one's own, the list of people, and how it changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node_agent.cli.changing import say_outcome
from node_agent.cli.opening import hand_in, home_of, keys_from, now, policies_of, read_file, startup_of
from node_agent.cli.output import Format, FormatOption, data, reporting, say
from node_agent.config import Home
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trustquery.identity import Envelope, GovernanceList, Person

__all__ = ["activate", "add", "init", "lost", "people", "rotate", "sign"]

Keys = Annotated[
    list[Path], typer.Option(help="The key file of a person on the present list; give two, or sign in turn.")
]
MaybeKeys = Annotated[
    list[Path] | None, typer.Option(help="The key file of a person on the present list; give two, or sign in turn.")
]
Out = Annotated[Path | None, typer.Option(help="Where the signed list goes; else people-VERSION.dsse here.")]


def _known(context: typer.Context) -> list[str]:
    """For the shell: who is listed."""
    try:
        return [item.person for item in _listed(home_of(context)).people]
    except TrustQueryError:
        return []


PersonId = Annotated[
    str,
    typer.Argument(metavar="PERSON", help="The person, as `tq-node keys people` names them.", autocompletion=_known),
]


def init(
    path: Annotated[Path, typer.Argument(help="Where to keep the private key, best on a stick of its own.")],
    person: Annotated[str, typer.Option(help="The person's short name, such as grace.")],
    name: Annotated[str, typer.Option(help="The person's name in words.")],
    passphrase: Annotated[
        bool, typer.Option("--passphrase/--no-passphrase", help="Whether a passphrase encrypts the file.")
    ] = True,
) -> None:
    """Make one governance person's own key, and print what `tq-node config init --governance` takes.

    Each person does this themselves, and nobody else sees the passphrase. How to hold the ceremony is in
    docs/how-to/hold-a-key-ceremony.md.

    Example: tq-node keys init /media/stick/grace.pem --person grace --name "Dr Grace Green"
    """
    with reporting("keys init"):
        from trustquery.cli.keys import ask_passphrase, make_key

        key = make_key(path, ask_passphrase() if passphrase else None)
        data(f"{person}:{name}:{key.public.hex()}")
        say("next: give that line to trust IT, and read out the last eight digits when you compare the list")


def people(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Show who signs for this trust, how many of them it takes, and the list's own print to compare aloud.

    Example: tq-node keys people
    """
    with reporting("keys people", form) as reply:
        listed = _listed(home_of(context))
        rows = [{"person": item.person, "name": item.name, "key": item.key} for item in listed.people]
        reply.rows(rows, {"person": "Person", "name": "Name", "key": "Public key"})
        say(f"version {listed.version}: {listed.threshold} of {len(listed.people)} sign; print of the list:")
        say(f"  {listed.sha256}")
        if len(listed.people) <= listed.threshold:
            say("nobody can be spared: a lost key could not be removed. next: tq-node keys add PERSON:NAME:KEY")
        else:
            say("next: compare the print with every person listed")


def add(
    context: typer.Context,
    person: Annotated[str, typer.Argument(metavar="PERSON:NAME:KEY", help="What `tq-node keys init` printed.")],
    key: Keys,
    out: Out = None,
) -> None:
    """Add a person to the list. It loosens, so it takes two people of the present list, and 24 hours.

    Example: tq-node keys add olu:"Olu Okafor":KEY --key ~/keys/grace.pem --key ~/keys/ivan.pem
    """
    with reporting("keys add"):
        from trustquery.identity.governance import successor

        store = policies_of(home_of(context))
        old = store.governance
        new = successor(old, store.node, (*old.people, _person(person)), old.threshold)
        _change(context, old, new, key, out)


def rotate(
    context: typer.Context,
    person: Annotated[
        str, typer.Argument(metavar="[PERSON:NAME:KEY]", help="What `tq-node keys init` printed; none: the node's own.")
    ] = "",
    key: MaybeKeys = None,
    out: Out = None,
    identity: Annotated[bool, typer.Option("--identity", help="The node's own identity key, lost or not.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="The node's own TLS key, lost or not.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Put a person's new key in place of their old one, which signs until then. It takes two people, and 24 hours.

    Policies that the old key signed stay in force. Acceptances of projects that it signed must be signed again.

    With --identity or --tls: put the node's own key away, to enrol again with a new one. That takes a new code, two
    approvals and a new roster, and the node answers nothing until then. The ledger stays.

    Example: tq-node keys rotate grace:"Dr Grace Green":KEY --key ~/keys/grace.pem --key ~/keys/ivan.pem
    """
    with reporting("keys rotate"):
        if identity or tls:
            if person or key:
                raise TrustQueryError("usage-invalid", problem="rotate a person's key or the node's own, one at a time")
            _put_away(home_of(context), identity, tls, yes)
            return
        if not person or not key:
            raise TrustQueryError("usage-invalid", problem="give PERSON:NAME:KEY and two --key, or --identity or --tls")
        from trustquery.identity.governance import successor

        store = policies_of(home_of(context))
        old, fresh = store.governance, _person(person)
        if fresh.person not in {item.person for item in old.people}:
            raise TrustQueryError("usage-invalid", place="PERSON", problem="nobody here is called that: use `keys add`")
        changed = tuple(fresh if item.person == fresh.person else item for item in old.people)
        _change(context, old, successor(old, store.node, changed, old.threshold), key, out)


def _put_away(home: Home, identity: bool, tls: bool, yes: bool) -> None:
    """Make room for new keys of the node itself; old ones are kept beside, for whoever looks into what happened."""
    from node_agent.budget.database import is_in_use
    from node_agent.enrolment.enrol import retire_keys
    from node_agent.enrolment.startup import IDENTITY_KEY, TLS_KEY

    if is_in_use(home.ledger):
        raise TrustQueryError("usage-invalid", problem="the node runs: end it first, with Ctrl-C or SIGTERM")
    if not yes and not typer.confirm("Until a new roster is signed this node answers nothing. Go on?", err=True):
        raise TrustQueryError("usage-invalid", problem="nothing was changed")
    names = [name for name, chosen in ((IDENTITY_KEY, identity), (TLS_KEY, tls)) if chosen]
    for path in retire_keys(home, names, now()):
        say(f"the old key is kept as {path}; destroy it once nobody needs it")
    say("next: ask the federation for a code, then: tq-node enrol CODE --again")
    say("then: the root holders sign a roster with the new key; tq-node run")


def lost(context: typer.Context, person: PersonId, key: Keys, out: Out = None) -> None:
    """Take a lost or stolen key off the list. It takes two other people, and acts at once.

    Policies that it signed stay in force, because each took other people too or only tightened. Acceptances of projects
    that it signed count no more until they are signed again; changes that wait and need it are withdrawn.

    Example: tq-node keys lost olu --key ~/keys/grace.pem --key ~/keys/ivan.pem
    """
    with reporting("keys lost"):
        from trustquery.identity.governance import without

        store = policies_of(home_of(context))
        _change(context, store.governance, without(store.governance, store.node, person), key, out)


def sign(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A list that a colleague has signed, people-VERSION.dsse.")],
    key: Keys,
) -> None:
    """Read a next list of people out and add a signature to it.

    Example: tq-node keys sign people-2.dsse --key ~/keys/ivan.pem
    """
    with reporting("keys sign"):
        from trustquery.identity import Envelope, GovernanceList

        envelope = Envelope.decode(read_file(file), kind=GovernanceList.KIND)
        old, new = policies_of(home_of(context)).governance, GovernanceList.from_payload(envelope.payload)
        _say_change(old, new)
        for personal in keys_from(key):
            envelope = envelope.with_signature(personal)
        _write(file, envelope, old)


def activate(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A signed list, people-VERSION.dsse.")],
) -> None:
    """Hand in a signed list of people. What only takes people away acts at once; anything else waits for 24 hours.

    Example: tq-node keys activate people-2.dsse
    """
    with reporting("keys activate"):
        outcome = hand_in(home_of(context), "activate", read_file(file))
        say_outcome(outcome, f"the list of people, version {outcome.version},")
        say("next: tq-node keys people")


def _listed(home: Home) -> GovernanceList:
    """The list in force; before the node is enrolled, the one that its home was made with."""
    from node_agent.policy_store.governance import load_governance

    if (home.startup / "coordinator.json").exists():
        return policies_of(home).governance
    return load_governance(home.startup / "governance.json")


def _person(text: str) -> Person:
    from pydantic import ValidationError

    from trustquery.identity import Person

    person, _, rest = text.partition(":")
    words, _, key = rest.rpartition(":")
    try:
        return Person(person=person, name=words, key=key.lower())
    except ValidationError as error:
        problem = "give PERSON:NAME:KEY, the key as 64 hexadecimal digits"
        raise TrustQueryError("usage-invalid", place="PERSON:NAME:KEY", problem=problem) from error


def _say_change(old: GovernanceList, new: GovernanceList) -> None:
    from trustquery.identity.governance import loosenings

    left = {item.person for item in new.people}
    for item in old.people:
        if item.person not in left:
            say(f"{item.name} ({item.person}) signs no more.")
    for sentence in loosenings(old, new):
        say(sentence)
    if new.threshold > old.threshold:
        say(f"it takes {new.threshold} people from then on, not {old.threshold}.")


def _change(
    context: typer.Context, old: GovernanceList, new: GovernanceList, keys: Sequence[Path], out: Path | None
) -> None:
    startup_of(home_of(context))
    _say_change(old, new)
    target = out or Path(f"people-{new.version}.dsse")
    if _write(target, new.sign(*keys_from(keys)), old):
        outcome = hand_in(home_of(context), "activate", target.read_bytes())
        say_outcome(outcome, f"the list of people, version {outcome.version},")
        say("next: tq-node keys people; tq-node project list")


def _write(target: Path, envelope: Envelope, old: GovernanceList) -> bool:
    """Write a signed list; returns whether enough people have signed it."""
    target.write_bytes(envelope.encode())
    signers = envelope.signers(old.ring)
    say(f"wrote {target}, signed by {', '.join(old.names(signers)) or 'nobody who is listed'}")
    if len(signers) < old.threshold:
        say(f"next: another person runs `tq-node keys sign {target} --key FILE`; then tq-node keys activate {target}")
        return False
    say(f"enough people have signed. next: tq-node keys activate {target}")
    return True

"""``user add``, ``disable``, ``move`` and ``list``; what people may is in ``roles``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.services import Base, wall_clock
from trustquery.access import Held, clash, parse_held
from trustquery.errors import TrustQueryError
from trustquery.protocol.enrolment import ConnectionCode

if TYPE_CHECKING:
    from coordinator.signin.local import LocalProvider

__all__ = ["app", "connection_code"]

app = typer.Typer(help="People who may sign in, and their roles.", no_args_is_help=True)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(r"[0-9a-f]{64}")

Organisation = Annotated[
    str, typer.Option(help="Their organisation, as permits write it; left out, nothing is compared with permits.")
]


def connection_code(base: Base) -> str:
    """What a client needs to find this coordinator and to recognise it; nothing secret."""
    return ConnectionCode(base.settings.api.public, base.desk.authority_sha256(), base.root.sha256).text


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Sign-in name.")],
    key: Annotated[str, typer.Option(help="Public key, 64 hexadecimal digits, as `tq login --new-key` printed it.")],
    person: Annotated[
        str | None,
        typer.Option(help="Whose account it is. Left out: somebody new, called like the account."),
    ] = None,
    organisation: Organisation = "",
    role: Annotated[
        list[str] | None,
        typer.Option(help="A role beside analyst: auditor, committee-member, governance-officer:RX1. May be repeated."),
    ] = None,
) -> None:
    """Add an account; prints the connection code for their `tq login` on stdout.

    Two accounts of one person have the same --person: they hold the same roles, and count as one where two must agree.
    Names and keys stay taken for ever.

    Example: tq-coordinator user add ada --key 5d1f… --organisation "University of Leeds"
    """
    with reporting():
        base = opened(context)
        if not all(_NAME.fullmatch(text) for text in (name, person or name)) or not _KEY.fullmatch(key):
            raise TrustQueryError(
                "usage-invalid", problem="a name is plain letters and digits, a key 64 hexadecimal digits"
            )
        held = {parse_held("analyst"), *(parse_held(text) for text in role or ())}
        refuse_clash(base, person or name, held)
        if not base.store.people.add(name, key, wall_clock(), person=person, organisation=organisation, held=held):
            problem = f"the name {name}, this key or the person is in use; add --person where it is the same person"
            raise TrustQueryError("usage-invalid", problem=problem)
        data(connection_code(base))
        say(f"{name} may sign in. next, at their machine: tq login --connect CODE --user {name}")


def refuse_clash(base: Base, person: str, more: set[Held]) -> None:
    """Refuse roles that one person may not hold together.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    why = clash(base.store.roles.given(person) | more)
    if why:
        raise TrustQueryError("usage-invalid", problem=why)


@app.command()
def disable(context: typer.Context, name: Annotated[str, typer.Argument(help="Sign-in name.")]) -> None:
    """End an account's access at once; its name, key and history stay. With the last one, the person's roles end.

    Example: tq-coordinator user disable ada
    """
    with reporting():
        if not opened(context).store.people.disable(name):
            raise TrustQueryError("usage-invalid", problem=f"there is no user {name}")
        say(f"{name} can no longer sign in. next: tq-coordinator user list")


@app.command()
def move(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Sign-in name.")],
    organisation: Annotated[str, typer.Option(help="Where they work now, as permits write it.")],
) -> None:
    """Record that somebody works elsewhere: projects whose permits name another place are closed to them at once.

    Example: tq-coordinator user move ada --organisation "Northern General"
    """
    with reporting():
        if not opened(context).store.roles.move(name, organisation):
            raise TrustQueryError("usage-invalid", problem=f"there is no user {name}")
        say(f"{name} works at {organisation or 'an unrecorded place'} from now on")
        say("next: have the permits amended that name them; tq-coordinator user list shows who is who")


@app.command("list")
def list_people(context: typer.Context) -> None:
    """List accounts: name, state, key, person, organisation, roles.

    Example: tq-coordinator user list
    """
    with reporting():
        store = opened(context).store
        for user, account in store.roles.accounts():
            roles = ",".join(sorted(held.text for held in store.roles.given(account.person)))
            state = "disabled" if user.disabled else "active"
            who = f"{account.person}\t{account.organisation}\t{roles}"
            data(f"{user.name}\t{state}\t{user.public_key}\t{who}")


@app.command()
def invite(context: typer.Context, name: Annotated[str, typer.Argument(help="Sign-in name.")]) -> None:
    """Let somebody set up a password and an authenticator app, for the first time or anew; prints a one-time code.

    For a coordinator whose settings switch its own provider on. The code is good for a day. Tell it to them yourself;
    their open sessions end now, and what they used before signs in until the new is confirmed.

    Example: tq-coordinator user invite ada
    """
    with reporting():
        base = opened(context)
        local = _own_provider(base)
        code = local.invite(name)
        if not code:
            raise TrustQueryError("usage-invalid", problem=f"there is no user {name}")
        data(code)
        say(f"next, in their browser: {local.issuer}/setup")


@app.command()
def forget(context: typer.Context, name: Annotated[str, typer.Argument(help="Sign-in name.")]) -> None:
    """Forget somebody's password and authenticator app, at once: lost, or seen by others. Their sessions end.

    Example: tq-coordinator user forget ada
    """
    with reporting():
        base = opened(context)
        _own_provider(base)
        if not base.store.local_accounts.forget(name):
            raise TrustQueryError("usage-invalid", problem=f"there is no user {name} with a password here")
        say(f"{name} cannot sign in with a password. next: tq-coordinator user invite {name}")


def _own_provider(base: Base) -> LocalProvider:
    from coordinator.signin.opening import open_local

    found = open_local(base.settings, base.store, wall_clock)
    if found is None:
        raise TrustQueryError("auth-way-off", way="a password")
    return found


ProviderName = Annotated[str, typer.Option(help="The provider's name in coordinator.toml.")]
Subject = Annotated[str, typer.Option(help="What it knows them by: the page says so when an unknown person signs in.")]


def _issuer(base: Base, provider: str) -> str:
    issuers = {item.name: item.issuer for item in base.settings.identity.provider}
    if provider not in issuers:
        known = ", ".join(issuers) or "none is set up"
        raise TrustQueryError("auth-no-provider", provider=provider, known=known)
    return issuers[provider]


@app.command()
def link(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Sign-in name.")],
    provider: ProviderName,
    subject: Subject,
) -> None:
    """Record who an account is at a sign-in provider: by the subject that it never gives to anybody else.

    Never by e-mail address or name. Make sure by telephone, from a number that you already know, that it is theirs.

    Example: tq-coordinator user link ada --provider cis2 --subject 910000000001
    """
    with reporting():
        base = opened(context)
        if not base.store.signins.link(_issuer(base, provider), subject, name, wall_clock()):
            raise TrustQueryError("usage-invalid", problem=f"no user {name}, or the subject is somebody else's")
        say(f"{name} may sign in with {provider}. next, at their machine: tq login")


@app.command()
def unlink(context: typer.Context, provider: ProviderName, subject: Subject) -> None:
    """Forget whose account a provider's subject is; the account's sessions end.

    Example: tq-coordinator user unlink --provider cis2 --subject 910000000001
    """
    with reporting():
        base = opened(context)
        if not base.store.signins.unlink(_issuer(base, provider), subject):
            raise TrustQueryError("usage-invalid", problem=f"{subject} at {provider} is nobody here")
        say(f"{subject} at {provider} signs in as nobody. next: tq-coordinator user list")

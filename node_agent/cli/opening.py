"""What most commands open first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from node_agent.config import Home, default_home
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.enrolment.startup import Startup
    from node_agent.policy_store import DocumentStore, Outcome, PolicyStore, Stances
    from node_agent.policy_store.desk import Act
    from trustquery.identity import SigningKey

__all__ = [
    "documents_of",
    "hand_in",
    "home_of",
    "keys_from",
    "now",
    "permit_of",
    "policies_of",
    "read_file",
    "secret_for_new_keys",
    "stances_of",
    "startup_of",
]


def now() -> int:
    """Whole seconds since 1970."""
    return int(time.time())


def home_of(context: typer.Context) -> Home:
    """The home folder that ``--home`` or ``TQ_NODE_HOME`` names."""
    found: Home = context.find_object(Home) or default_home(None)
    return found


def startup_of(home: Home) -> Startup:
    """What enrolment brought.

    Raises:
        TrustQueryError: ``config-missing`` when the node is not enrolled.
    """
    import sys

    from node_agent.enrolment.startup import load_startup

    try:
        return load_startup(home)
    except TrustQueryError as error:
        if error.code != "auth-passphrase" or not sys.stdin.isatty():
            raise
    return load_startup(home, typer.prompt("Passphrase of this node's keys", hide_input=True, err=True).encode())


def secret_for_new_keys(home: Home, ask: bool) -> bytes | None:
    """The passphrase for keys that are made now: from its file, or typed twice where somebody wants one; else None."""
    from node_agent.enrolment.startup import kept_passphrase
    from trustquery.cli.keys import ask_passphrase

    return kept_passphrase(home) or (ask_passphrase() if ask else None)


def policies_of(home: Home) -> PolicyStore:
    """The node's own decisions, to read."""
    from node_agent.budget.book import BookReader
    from node_agent.policy_store import PolicyStore

    startup = startup_of(home)
    return PolicyStore(home, startup.federation, startup.node, BookReader.beside(home.ledger))


def hand_in(home: Home, act: Act, document: bytes = b"") -> Outcome:
    """Have the node's office do something: the running node's, or one opened here.

    Raises:
        TrustQueryError: whatever the office refuses; ``node-silent``.
    """
    from node_agent.policy_store import desk

    startup = startup_of(home)
    return desk.hand_in(home, startup.federation, startup.node, act, document)


def documents_of(home: Home) -> DocumentStore:
    """The federation's documents."""
    from node_agent.policy_store import DocumentStore

    return DocumentStore(home.documents, startup_of(home).root)


def stances_of(home: Home) -> Stances:
    """What the node says of each project."""
    from node_agent.budget.book import BookReader
    from node_agent.policy_store import Stances

    key = startup_of(home).key
    return Stances(documents_of(home), policies_of(home), BookReader.beside(home.ledger), key, now)


def permit_of(context: typer.Context, project: str) -> bytes:
    """The envelope of the permit that the node was sent for a project.

    Raises:
        TrustQueryError: ``config-missing``, ``project-unknown``.
    """
    _, envelope = documents_of(home_of(context)).permit(project, now())
    return envelope.encode()


def keys_from(paths: Sequence[Path]) -> list[SigningKey]:
    """Personal keys from files of mode 0600; a passphrase is asked for where a file has one."""
    from trustquery.cli.signing import load_key

    return [load_key(path) for path in paths]


def read_file(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        TrustQueryError: ``config-missing``.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrustQueryError(
            "config-missing", path=path, instead="give the path of a file that can be read"
        ) from error

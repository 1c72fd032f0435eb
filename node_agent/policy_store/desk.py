"""How a command reaches the office of a node that runs: a file in, a file back, in the home's ``control/desk/``.

The node listens nowhere, so there is no socket, and one process writes the ledger, so a command does not. What comes in
is believed for its signatures alone: whoever can write here can do no more than hand in what governance people signed.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from node_agent.budget import SqliteLedger
from node_agent.budget.database import is_in_use
from node_agent.config import Home, load_config
from node_agent.enrolment.startup import load_startup
from node_agent.policy_store.documents import DocumentStore
from node_agent.policy_store.files import replace_file
from node_agent.policy_store.office import Office, Outcome
from node_agent.policy_store.stances import Stances, check_reason
from node_agent.policy_store.store import PolicyStore
from node_agent.reviews import Bench, ReviewFolder
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import new_secret

__all__ = ["Act", "Desk", "hand_in"]

Act = Literal["activate", "obey", "note", "decline", "look", "review"]
_FORMAT = "tq-desk-1"
_MAX_BYTES = 4 * 1024 * 1024
_LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 15.0


def _do(office: Office, stances: Stances, bench: Bench, act: str, document: bytes) -> Outcome:
    if act == "activate":
        return office.activate(document)
    if act == "obey":
        return office.obey(document)
    if act == "decline":
        wish = json.loads(document)
        project, reason = str(wish["project"]), check_reason(str(wish["reason"]))
        outcome, said = office.decline(project), None
        # The no holds already. Where its echo cannot be written, the node says at its next look that the yes is gone.
        with contextlib.suppress(OSError):
            said = stances.decline(project, reason)
        return replace(outcome, sha256=said.sha256 if said is not None else "")
    if act == "look":
        return Outcome("told" if stances.look() else "unchanged")
    if act == "review":
        return Outcome(bench.take(document).value)
    if act == "note":
        mark = office.note_marks()
        return Outcome("answering" if mark is None or mark.kind == "resumed" else "marked", mark.sha256 if mark else "")
    raise TrustQueryError("usage-invalid", place="desk", problem="there is no such act")


@dataclass(frozen=True)
class Desk:
    """The running node's side.

    Args:
        folder: ``control/desk/``.
    """

    folder: Path
    office: Office
    stances: Stances
    bench: Bench

    def clear(self) -> None:
        """Drop replies that nobody came for. A request that lies here is still served: it holds what people signed."""
        for path in self.folder.glob("*.reply"):
            path.unlink(missing_ok=True)

    def serve(self) -> None:
        """Answer every request that lies there, oldest name first.

        Raises:
            TrustQueryError: ``ledger-unwritable``: then the node must end.
        """
        for path in sorted(self.folder.glob("*.request")):
            try:
                request = _read(path)
                answer: dict[str, Any] = {"outcome": _do(self.office, self.stances, self.bench, *request).document()}
            except (OSError, ValueError, KeyError, TypeError, binascii.Error):
                answer = {"problems": [Problem("usage-invalid", "desk", {"problem": "unreadable request"}).document()]}
            except TrustQueryError as error:
                answer = {"problems": [problem.document() for problem in error.problems]}
            path.unlink(missing_ok=True)
            replace_file(path.with_suffix(".reply"), json.dumps(answer).encode())


def _read(path: Path) -> tuple[str, bytes]:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError("too long")
    data = json.loads(path.read_bytes())
    if data["format"] != _FORMAT:
        raise ValueError("another format")
    return str(data["act"]), base64.b64decode(data["document"], validate=True)


def hand_in(home: Home, federation: str, node: str, act: Act, document: bytes = b"") -> Outcome:
    """Have the office do something: the running node's, or one opened here for as long as it takes.

    Raises:
        TrustQueryError: whatever the office refuses, and ``node-silent`` when the running node does not answer.
    """
    if is_in_use(home.ledger):
        return _ask(home.control / "desk", act, document)
    with _own(home, federation, node) as parts:
        return _do(*parts, act, document)


def _now() -> int:
    return int(time.time())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def _own(home: Home, federation: str, node: str) -> Iterator[tuple[Office, Stances, Bench]]:
    startup = load_startup(home)
    ledger = SqliteLedger(home.ledger)
    try:
        store = PolicyStore(home, federation, node, ledger.book)
        office = Office(store, ledger.book, _now)
        office.take_due()
        stances = Stances(DocumentStore(home.documents, startup.root), store, ledger.book, startup.key, _now)
        yield (
            office,
            stances,
            Bench(ReviewFolder(home.reviews), store, ledger, _now_ms, load_config(home).answer.slot_ms),
        )
    finally:
        ledger.close()


def _ask(folder: Path, act: Act, document: bytes) -> Outcome:
    name = new_secret(16).hex()
    request = {"format": _FORMAT, "act": act, "document": base64.b64encode(document).decode()}
    replace_file(folder / f"{name}.request", json.dumps(request).encode())
    reply, ends = folder / f"{name}.reply", time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        try:
            found = json.loads(reply.read_bytes())
        except FileNotFoundError:
            time.sleep(_LOOK_SECONDS)
            continue
        reply.unlink(missing_ok=True)
        if "problems" in found:
            raise TrustQueryError.of([Problem.from_document(item) for item in found["problems"]])
        return Outcome.from_document(found["outcome"])
    (folder / f"{name}.request").unlink(missing_ok=True)
    raise TrustQueryError("node-silent")

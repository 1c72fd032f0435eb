"""Where lists of opt-outs are kept: one SQLite file, every list sealed in it under this node's own key.

Lists are replaced whole, in one transaction; what is not answered yet is kept beside them, so that a reply can be held
against exactly what was sent. AES-256-GCM names what each sealed text is, so that none can stand for another, be put
back with a younger date, or be changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import apsw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node_agent.optout.records import DDL, MESSAGES, Ended, NoReply, Request, Run
from node_agent.sources.store import ListUsed
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, read_private_file, write_private_file

__all__ = ["Kind", "Vault"]

Kind = Literal["national", "type-1", "local"]
KEY_BYTES, NONCE_BYTES = 32, 12
_BUSY_MS = 10_000


class Vault:
    """The file ``optout/lists.sqlite`` of a node's home, and the key that seals it.

    Args:
        folder: the node's ``optout/`` folder.
        key_file: 32 bytes; made when they are absent and there is no file yet.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``optout-list-damaged``.
    """

    def __init__(self, folder: Path, key_file: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / "lists.sqlite"
        if not key_file.exists() and not self.path.exists():
            write_private_file(key_file, new_secret(KEY_BYTES))
        key = read_private_file(key_file)
        if len(key) != KEY_BYTES:
            raise TrustQueryError("config-key-file", path=key_file, problem=f"it does not hold {KEY_BYTES} bytes")
        self._seal_key, self._print_key = (
            HKDF(SHA256(), KEY_BYTES, None, b"trustquery/opt-outs/" + name).derive(key) for name in (b"seal", b"print")
        )
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = apsw.Connection(str(self.path))
            self._db.set_busy_timeout(_BUSY_MS)
            self._db.execute("PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON")
            with self._db:
                if not self._rows("PRAGMA user_version")[0][0]:
                    self._db.execute(DDL)
                # Homes from before messages were noted.
                self._db.execute(MESSAGES)
        except (apsw.Error, OSError) as error:
            raise TrustQueryError("optout-list-damaged", list="every") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process at a time sends, takes replies or hands in.

        Raises:
            TrustQueryError: ``optout-busy``.
        """
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise TrustQueryError("optout-busy") from error
        finally:
            os.close(handle)

    # -- lists -----------------------------------------------------------------------------------------------------

    def put(self, kind: Kind, dataset: str, entries: Sequence[str], as_of: int, answered: str = "") -> ListUsed:
        """Replace a list, whole.

        Args:
            dataset: whose person keys a local list holds; "" for the others.
            as_of: the moment it speaks of, seconds since 1970.
            answered: the request that it answers; that one and those before it are done.

        Raises:
            TrustQueryError: ``optout-list-invalid``: the list in force speaks of a later moment.
        """
        text = "\n".join(sorted(entries)).encode()
        found = ListUsed(
            kind, as_of, hmac.digest(self._print_key, f"{kind} {dataset}\n".encode() + text, "sha256").hex()
        )
        with self._changing():
            held = self._rows("SELECT as_of FROM list WHERE kind = ? AND dataset = ?", (kind, dataset))
            if held and held[0][0] > as_of:
                raise TrustQueryError("optout-list-invalid", list=kind, problem="the one in force is younger")
            self._db.execute(
                "INSERT INTO list (kind, dataset, as_of, print, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind,"
                " dataset) DO UPDATE SET as_of = excluded.as_of, print = excluded.print, sealed = excluded.sealed",
                (kind, dataset, as_of, found.keyed_hash, self._sealed(text, _name(found, dataset))),
            )
            if answered:
                self._db.execute("UPDATE request SET state = 'answered', sealed = x'' WHERE id = ?", (answered,))
                self._replace_waiting(as_of)
        return found

    def used(self, dataset: str) -> tuple[ListUsed, ...]:
        """The lists that apply to a dataset, by kind; whether each can be read, ``entries`` says."""
        rows = self._rows("SELECT kind, as_of, print FROM list WHERE dataset IN ('', ?) ORDER BY kind", (dataset,))
        return tuple(ListUsed(*row) for row in rows)

    def entries(self, kind: Kind, dataset: str = "") -> frozenset[str]:
        """What is on a list in force.

        Raises:
            TrustQueryError: ``optout-list-damaged``: it is absent, was changed, or the key is another.
        """
        rows = self._rows("SELECT kind, as_of, print, sealed FROM list WHERE kind = ? AND dataset = ?", (kind, dataset))
        if not rows:
            raise TrustQueryError("optout-list-damaged", list=kind)
        *facts, sealed = rows[0]
        text = self._opened(sealed, _name(ListUsed(*facts), dataset), kind)
        return frozenset(text.decode().split("\n")) if text else frozenset()

    # -- requests --------------------------------------------------------------------------------------------------

    def begin(self, numbers: Sequence[str], made: int) -> Request:
        """Keep what is about to be sent; what waits for an answer goes on waiting until one comes."""
        request = Request(new_secret(16).hex(), made, "made", "", tuple(numbers))
        sealed = self._sealed("\n".join(numbers).encode(), f"request {request.id} {made}")
        with self._changing():
            self._db.execute(
                "INSERT INTO request (id, made, state, sealed) VALUES (?, ?, 'made', ?)", (request.id, made, sealed)
            )
        return request

    def sent(self, request: str, message: str = "") -> None:
        """A request has gone."""
        with self._changing():
            self._db.execute(
                "UPDATE request SET state = 'sent', message = ? WHERE id = ? AND state = 'made'", (message, request)
            )

    def settle(self, request: str, state: Literal["refused", "replaced"]) -> None:
        """A request is done without a list of it; its numbers go."""
        with self._changing():
            self._db.execute("UPDATE request SET state = ?, sealed = x'' WHERE id = ?", (state, request))

    def waiting(self) -> tuple[Request, ...]:
        """Requests without an answer, the oldest first.

        Raises:
            TrustQueryError: ``optout-list-damaged``.
        """
        rows = self._rows(
            "SELECT id, made, state, message, sealed FROM request WHERE state IN ('made', 'sent') ORDER BY made"
        )
        return tuple(self._request(*row) for row in rows)

    def _request(self, name: str, made: int, state: str, message: str, sealed: bytes) -> Request:
        text = self._opened(sealed, f"request {name} {made}", "national").decode()
        return Request(name, made, state, message, tuple(text.split("\n")))

    def ended(self, count: int = 20) -> tuple[Ended, ...]:
        """What became of the latest requests, the newest first; those that another took the place of say nothing."""
        rows = self._rows(
            "SELECT made, state FROM request WHERE state != 'replaced' ORDER BY made DESC, rowid DESC LIMIT ?", (count,)
        )
        return tuple(Ended(*row) for row in rows)

    # -- messages that are no replies --------------------------------------------------------------------------------

    def no_reply(self, found: NoReply) -> None:
        """Note a message that is none, once and for all."""
        with self._changing():
            self._db.execute(
                "INSERT INTO message (id, at, problem) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (found.id, found.at, found.problem),
            )

    def no_replies(self) -> tuple[NoReply, ...]:
        """Messages that were none, the newest first."""
        rows = self._rows("SELECT id, at, problem FROM message ORDER BY at DESC, rowid DESC")
        return tuple(NoReply(*row) for row in rows)

    def forget_messages(self, still_there: Collection[str], before: int) -> None:
        """Drop the notes of an earlier time about messages that are not in the mailbox any more."""
        with self._changing():
            for found in self.no_replies():
                if found.id not in still_there and found.at < before:
                    self._db.execute("DELETE FROM message WHERE id = ?", (found.id,))

    # -- runs ------------------------------------------------------------------------------------------------------

    def start_run(self, job: str, now: int) -> int:
        """Note that a job has begun; returns the run's number."""
        with self._changing():
            self._db.execute("INSERT INTO run (job, started) VALUES (?, ?)", (job, now))
            return self._db.last_insert_rowid()

    def end_run(self, run: int, now: int, outcome: str) -> None:
        """Note how it ended: ``done``, or an error code."""
        with self._changing():
            self._db.execute("UPDATE run SET ended = ?, outcome = ? WHERE id = ?", (now, outcome, run))

    def runs(self, job: str, count: int = 20) -> tuple[Run, ...]:
        """The latest runs of a job, the newest first."""
        rows = self._rows(
            "SELECT job, started, ended, outcome FROM run WHERE job = ? ORDER BY id DESC LIMIT ?", (job, count)
        )
        return tuple(Run(*row) for row in rows)

    # -- below -----------------------------------------------------------------------------------------------------

    def _replace_waiting(self, made: int) -> None:
        self._db.execute(
            "UPDATE request SET state = 'replaced', sealed = x'' WHERE state IN ('made', 'sent') AND made <= ?", (made,)
        )

    def _rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in self._db.execute(sql, bindings)]
        except apsw.Error as error:
            raise TrustQueryError("optout-list-damaged", list="every") from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with self._db:
                yield
        except apsw.Error as error:
            raise TrustQueryError("optout-list-damaged", list="every") from error

    def _sealed(self, text: bytes, name: str) -> bytes:
        nonce = new_secret(NONCE_BYTES)
        return nonce + AESGCM(self._seal_key).encrypt(nonce, text, name.encode())

    def _opened(self, sealed: bytes, name: str, kind: str) -> bytes:
        try:
            return AESGCM(self._seal_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise TrustQueryError("optout-list-damaged", list=kind) from error


def _name(used: ListUsed, dataset: str) -> str:
    return f"list {used.kind} {dataset} {used.as_of} {used.keyed_hash}"

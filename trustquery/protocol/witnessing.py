"""What a member of the federation does as a witness of the others' logs: heads only, never an entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from trustquery.errors import TrustQueryError
from trustquery.identity import Roster, SigningKey
from trustquery.log import Conflict, Fork, Witness, WitnessHeads, coordinator_origin, node_origin
from trustquery.protocol.messages import Cosignature, WitnessRequest

__all__ = ["Kept", "Witnessing"]


class Kept(Protocol):
    """Where a member keeps what it cosigned. A log is a name and a key: a new key on the roster is a new log."""

    def of(self, log_key: bytes) -> WitnessHeads:
        """What is kept of the log with this key."""
        ...


class Witnessing:
    """One member as a witness.

    Args:
        me: its own name as a log and as a witness; its own log it never cosigns.
        roster: the roster in force; raises where there is none, and then nothing is cosigned.
        frozen: whether its own log went back: then what it remembers of others did as well.
        alarm: notes what is refused as an event: code, what it is about, its bytes.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        me: str,
        key: SigningKey,
        kept: Kept,
        roster: Callable[[], Roster],
        frozen: Callable[[], bool],
        alarm: Callable[[str, str, bytes], None],
        wall: Callable[[], int],
    ) -> None:
        self._me = me
        self._key = key
        self._kept = kept
        self._roster = roster
        self._frozen = frozen
        self._alarm = alarm
        self._wall = wall

    def answer(self, request: WitnessRequest) -> Cosignature:
        """Cosign a head that extends what was cosigned before, or say why not.

        Raises:
            TrustQueryError: ``ledger-unwritable`` alone; every other problem is an answer.
        """
        request_id = request.request_id
        try:
            return Cosignature(request_id, self._cosign(request))
        except Conflict as error:
            return Cosignature(request_id, refusal=error.code, kept=error.kept or b"")
        except Fork as error:
            self._alarm(error.code, f"log {request.origin}", error.theirs)
            return Cosignature(request_id, refusal=error.code, kept=error.ours)
        except TrustQueryError as error:
            if error.code == "ledger-unwritable":
                raise
            return Cosignature(request_id, refusal=error.code)

    def _cosign(self, request: WitnessRequest) -> bytes:
        if self._frozen():
            raise TrustQueryError("ledger-frozen")
        public = _log_key(self._roster(), request.origin) if request.origin != self._me else None
        if public is None:
            raise TrustQueryError("witness-unknown-log", origin=request.origin)
        witness = Witness(
            self._me,
            self._key,
            self._kept.of(public),
            lambda origin: public if origin == request.origin else None,
        )
        return witness.add(request.old_size, request.consistency_proof, request.checkpoint, self._wall())


def _log_key(roster: Roster, origin: str) -> bytes | None:
    """The key of a log that the roster introduces; None for any other."""
    if origin == coordinator_origin(roster.federation):
        return bytes.fromhex(roster.coordinator_key)
    for entry in roster.nodes:
        if origin == node_origin(roster.federation, entry.node):
            return bytes.fromhex(entry.key)
    return None

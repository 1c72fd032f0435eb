"""A log that is behind its witnesses, as after a restored backup: two people begin it anew, under a new key.

What was lost, nobody here can make again to the letter: an entry holds random salts. And a second history under the old
key would contradict what everybody has seen. So the old key signs nothing any more. A log is a name and a key: what is
here goes on as another log, whose first new entry names the last head of the former one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence

from coordinator.config import Home
from coordinator.services import Base
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey, write_private_file
from trustquery.log import Checkpoint

__all__ = ["begin_anew", "behind_of", "keep_behind", "repair_message"]


def behind_of(home: Home) -> bytes:
    """The head that was found missing; b"" where none was."""
    try:
        return home.log_behind.read_bytes()
    except FileNotFoundError:
        return b""


def keep_behind(home: Home, note: bytes) -> None:
    """Keep a head that witnesses have signed and that the log does not hold: nothing is signed while it is there."""
    home.log_behind.unlink(missing_ok=True)
    write_private_file(home.log_behind, note)


def repair_message(federation: str, note: bytes) -> bytes:
    """What each of the two people signs."""
    return f"trustquery log repair 1\n{federation}\n{hashlib.sha256(note).hexdigest()}\n".encode()


def begin_anew(base: Base, note: bytes, people: Sequence[tuple[str, SigningKey]]) -> SigningKey:
    """Go on under a new key; returns it. The coordinator must not run.

    Safe to repeat after a crash anywhere in between.

    Args:
        note: a head that witnesses have signed, and that the log does not hold.
        people: who decides, each with a key of their own account.

    Raises:
        TrustQueryError: ``log-repair-refused``, ``auth-not-permitted``, ``log-unwritable``.
    """
    base.desk.deciding.require_two(people)
    fresh, sha256 = base.home.key.with_suffix(".new.pem"), hashlib.sha256(note).hexdigest()
    if not base.audit_log.lacks(note):
        raise TrustQueryError("log-repair-refused", problem="the log holds that head, or its key has not signed it")
    message = repair_message(base.settings.federation, note)
    said = {
        "note": note.decode(),
        "signed": {person: {"key": key.public.hex(), "signature": key.sign(message).hex()} for person, key in people},
    }
    order = base.home.path / f"order-{sha256[:16]}.json"
    order.unlink(missing_ok=True)
    write_private_file(order, json.dumps(said, indent=1, sort_keys=True).encode())
    if not fresh.exists():
        SigningKey.generate().save(fresh)
    made = SigningKey.load(fresh)
    audit, names = base.store.audit, [person for person, _ in people]
    if audit.restarted() != sha256:
        seen, found = Checkpoint.read(note).size, audit.size()
        audit.restart(sha256, names[0], f"{' and '.join(names)}: {seen} entries were signed, {found} of them are here")
    # From here on nothing can be signed with the old key: whoever has it could only contradict what was published.
    os.replace(fresh, base.home.key)
    base.home.log_behind.unlink(missing_ok=True)
    return made

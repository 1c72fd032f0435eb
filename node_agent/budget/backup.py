"""A copy of the ledger as one moment saw it, and a copy put in the place of a ledger that is lost or damaged.

A copy is behind whatever was entered since. Putting one back gives the trust that much budget again, unless witnesses
know better: the node freezes before it answers anything, and two people decide.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import apsw

from node_agent.budget.database import is_in_use
from node_agent.budget.reader import LedgerReader
from trustquery.errors import TrustQueryError

__all__ = ["back_up", "restore"]


def back_up(ledger: Path, copy: Path) -> int:
    """Copy a verified ledger, also beside a running node; returns its number of entries.

    Args:
        copy: a new file.

    Raises:
        TrustQueryError: ``config-exists``, ``config-missing``, ``ledger-corrupt``, ``ledger-unwritable``.
    """
    if copy.exists():
        raise TrustQueryError("config-exists", path=copy)
    LedgerReader(ledger).close()
    descriptor = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    os.close(descriptor)
    try:
        source = apsw.Connection(str(ledger), flags=apsw.SQLITE_OPEN_READONLY)
        target = apsw.Connection(str(copy))
        try:
            with target.backup("main", source, "main") as work:
                while not work.done:
                    work.step(-1)
            # One file, without the two that write-ahead logging keeps beside it.
            target.execute("PRAGMA journal_mode = delete")
        finally:
            target.close()
            source.close()
        return _entries(copy)
    except apsw.Error as error:
        copy.unlink()
        raise TrustQueryError("ledger-unwritable") from error


def restore(copy: Path, ledger: Path, stamp: int) -> tuple[int, Path | None]:
    """Put a copy in the place of a ledger that is lost or does not verify.

    Args:
        stamp: names what was there: it is kept beside, for whoever looks into it.

    Returns:
        Its number of entries, and where the former ledger is now; None where there was none.

    Raises:
        TrustQueryError: ``config-exists``: the ledger that is there verifies, and an older copy never replaces one;
            ``ledger-locked``; ``config-missing``, ``ledger-corrupt``, ``ledger-unwritable``: of the copy.
    """
    number = _entries(copy)
    if is_in_use(ledger):
        raise TrustQueryError("ledger-locked")
    aside = None
    if ledger.exists():
        try:
            LedgerReader(ledger).close()
        except TrustQueryError as error:
            if error.code != "ledger-corrupt":
                raise
        else:
            raise TrustQueryError("config-exists", path=ledger)
        aside = ledger.with_name(f"damaged-{stamp}")
        aside.mkdir(mode=0o700)
        for path in ledger.parent.glob(f"{ledger.name}*"):
            shutil.move(path, aside / path.name)
    ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = ledger.with_name("restoring.sqlite")
    shutil.copyfile(copy, fresh)
    fresh.chmod(0o600)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(fresh, ledger)
    return number, aside


def _entries(path: Path) -> int:
    reader = LedgerReader(path)
    try:
        return reader.size()
    finally:
        reader.close()

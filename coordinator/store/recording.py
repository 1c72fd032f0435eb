"""Changes that leave a record: in one transaction with their event, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from trustquery.errors import TrustQueryError

__all__ = ["recorded"]


class Noting(Protocol):
    """A change that counts the events it wrote."""

    @property
    def noted(self) -> int:
        """How many."""
        ...


Change = TypeVar("Change", bound=Noting)


@contextmanager
def recorded(
    transaction: Callable[[], AbstractContextManager[Session]], begin: Callable[[Session], Change]
) -> Iterator[Change]:
    """One change: everything in the ``with`` happens, with its event, or nothing does.

    Args:
        begin: makes the change from the session that it happens in.

    Raises:
        TrustQueryError: ``internal-fault``: the change wrote no event.
    """
    with transaction() as session:
        change = begin(session)
        yield change
        if not change.noted and session.new | session.dirty | session.deleted:
            raise TrustQueryError("internal-fault", incident="change-without-event")

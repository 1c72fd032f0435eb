"""The analyst's SDK: ``trustquery.connect(…).project("P").sql("SELECT …", epsilon=0.5).to_pandas()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trustquery.client.connection import Connection

__all__ = ["connect"]


def connect(home: Path | str | None = None, *, passphrase: Callable[[Path], bytes] | None = None) -> Connection:
    """Open the analyst's home folder and use the sign-in kept there; when it has run out, run ``tq login``.

    Args:
        home: the folder that ``tq login`` made; ``TQ_HOME``, else ``~/.trustquery/client``, when None.
        passphrase: asks for the passphrase of your key's file, where it has one.

    Raises:
        TrustQueryError: ``config-missing``, ``auth-…``, ``node-unreachable``.

    Example:
        >>> import trustquery
        >>> query = (
        ...     trustquery.connect()
        ...     .project("stay-lengths")
        ...     .sql("SELECT count(DISTINCT person_id) FROM person", epsilon=0.5)
        ... )  # doctest: +SKIP
        >>> query.to_pandas()  # doctest: +SKIP
    """
    from trustquery.client.config import find_home
    from trustquery.client.connection import Connection
    from trustquery.client.signin import Hands

    return Connection.open(find_home(home), Hands(passphrase=passphrase))

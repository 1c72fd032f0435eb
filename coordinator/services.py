"""Everything that a running coordinator is made of, put together once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from coordinator.catalogues import load_all
from coordinator.config import Home, Settings, database_url
from coordinator.enrolment import Desk
from coordinator.rosters import Rosters
from coordinator.store import Store
from trustquery.catalogue import Catalogue
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, read_private_file
from trustquery.identity.certificates import Authority

__all__ = ["Base", "open_base", "read_root", "wall_clock"]


def wall_clock() -> int:
    """Whole seconds since 1970 UTC."""
    return int(time.time())


@dataclass(frozen=True)
class Base:
    """What both the server and the command line need."""

    home: Home
    settings: Settings
    root: Root
    store: Store
    rosters: Rosters
    desk: Desk

    @cached_property
    def catalogues(self) -> Mapping[str, Catalogue]:
        """The datasets on offer; read when first needed, because most commands need none."""
        return load_all()


def read_root(home: Home) -> Root:
    """The federation's trust anchor.

    Raises:
        TrustQueryError: ``config-missing``, ``auth-document``.
    """
    try:
        payload = home.root.read_bytes()
    except OSError as error:
        raise TrustQueryError("config-missing", path=home.root, instead="run `tq-coordinator init`") from error
    return Root.from_payload(payload)


def open_base(home: Home, settings: Settings) -> Base:
    """Open the home folder.

    Raises:
        TrustQueryError: ``config-…``.
    """
    root = read_root(home)
    if root.federation != settings.federation:
        raise TrustQueryError(
            "config-invalid",
            place="coordinator.toml: federation",
            problem=f"federation is {settings.federation} here and {root.federation} in root.json",
        )
    store = Store(database_url(home, settings))
    store.create()
    rosters = Rosters(store, root)
    rosters.refresh()
    authority = Authority(read_private_file(home.authority_key), home.authority.read_bytes())
    desk = Desk(store, root, authority, settings.api.public, wall_clock)
    return Base(home, settings, root, store, rosters, desk)

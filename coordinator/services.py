"""Everything that a running coordinator is made of, put together once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coordinator.catalogues import load_all
from coordinator.config import Home, Settings, database_url
from coordinator.enrolment import Desk
from coordinator.rosters import Rosters
from coordinator.statements import Statements
from coordinator.store import Store
from coordinator.transparency.audit_log import AuditLog
from trustquery.catalogue import Catalogue
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey, read_private_file
from trustquery.identity.certificates import Authority
from trustquery.log import coordinator_origin

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
    def statements(self) -> Statements:
        """What the federation has revoked, as far as it is known here."""
        found = Statements(self.store, self.rosters)
        found.refresh()
        return found

    def federation_documents(self) -> dict[str, Any]:
        """Roots after the first, roster and revocation statement, for a client to verify."""
        return {
            "roots": [data.decode("ascii") for data in self.rosters.chain],
            "roster": self.rosters.envelope.decode("ascii"),
            "revocations": self.statements.envelope.decode("ascii"),
        }

    @cached_property
    def audit_log(self) -> AuditLog:
        """The log of everything that happens here, signed with the key that the roster names."""
        origin = coordinator_origin(self.settings.federation)
        return AuditLog(self.store, origin, SigningKey.load(self.home.key), bare=self.settings.log.needed == 0)

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
    """Open the home folder. A SQLite database is brought up to date; any other must be.

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
    if store.sqlite:
        store.create()
    else:
        # Several replicas share it: whoever upgrades it does so once, by hand, with `store upgrade`.
        store.require_current()
    rosters = Rosters(store, root)
    with contextlib.suppress(TrustQueryError):
        # A roster that a later root does not sign is none: the next one can be put in force all the same.
        rosters.refresh()
    authority = Authority(read_private_file(home.authority_key), home.authority.read_bytes())
    desk = Desk(store, root, authority, settings.api.public, wall_clock, settings.nodes.certificate_hours * 3_600)
    return Base(home, settings, root, store, rosters, desk)

"""A node as a real process, with a home made by hand, so that a test may hold its keys and choose its data.

A whole federation made by its own commands is in ``tests.lib.federation``; this starts in two seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node_agent.budget.book import BookReader
from node_agent.config import Home, parse_config
from node_agent.enrolment.startup import IDENTITY_KEY, TLS_KEY, Coordinator, save_startup
from node_agent.policy_store import Outcome, PolicyStore, save_governance
from node_agent.policy_store.desk import hand_in
from node_agent.sources.prepare import refresh
from node_agent.sources.store import store_key
from tests.factories.trust import key, person
from tests.lib.coordinator import EnrolledNode
from tests.lib.prepared import Rows, write_parquet
from tests.lib.processes import Process, command
from trustquery.catalogue import Catalogue, load
from trustquery.identity import Acceptance, GovernanceList, Permit, Root, SigningKey, write_private_file
from trustquery.policy import Policy

__all__ = ["RealNode", "whole_rows"]

GOVERNANCE = ("grace", "ivan")


def whole_rows(catalogue: Catalogue, table: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with every column of a table; those not given are missing."""
    found = catalogue.table(table)
    assert found is not None
    return [{column.name: row.get(column.name) for column in found.columns} for row in rows]


@dataclass
class RealNode:
    """One trust's node.

    Attributes:
        folder: everything of it.
        enrolled: its name and keys, as the coordinator knows them.
        root: of the federation, and ``authority_pem`` of the transport.
        address: where it dials.
        dataset: the one dataset it serves; ``tables`` its rows.
        policy: what governance signs.
        answer: lines of ``[answer]``; ``link`` of ``[coordinator]``.
        program: what runs in place of ``tq-node … run``; ``HOME`` in it stands for the home.
        governance: who is listed; the first two sign what the node starts with.
    """

    folder: Path
    enrolled: EnrolledNode
    root: Root
    authority_pem: bytes
    address: str
    dataset: str
    tables: Rows
    policy: str
    answer: str = ""
    program: Sequence[str] = ()
    governance: Sequence[str] = GOVERNANCE
    link: str = ""
    home: Home = field(init=False)
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.home = Home(self.folder / "home")
        self.home.create()
        self.enrolled.key.save(self.home.keys / IDENTITY_KEY)
        write_private_file(self.home.keys / TLS_KEY, self.enrolled.tls_key)
        where = Coordinator(
            format="tq-startup-1", node=self.enrolled.ods, ods=self.enrolled.ods, grpc_address=self.address
        )
        save_startup(self.home, self.root, where, self.authority_pem, self.enrolled.certificate)
        people = tuple(person(name) for name in self.governance)
        listed = GovernanceList(format="tq-governance-1", people=people, threshold=2)
        save_governance(self.home.startup / "governance.json", listed)
        self._prepare()
        self.put_in_force(self.policy, *GOVERNANCE)
        home = str(self.home.path)
        arguments = [word.replace("HOME", home) for word in self.program] or self.cli("run")
        self.process = Process(arguments, self.folder / "node.log")

    @property
    def _policies(self) -> PolicyStore:
        return PolicyStore(self.home, self.root.federation, self.enrolled.ods, BookReader.beside(self.home.ledger))

    def put_in_force(self, policy: str, *people: str) -> Outcome:
        """Hand in a policy that these people signed."""
        signed = Policy.from_toml(policy).sign(*map(key, people)).encode()
        return hand_in(self.home, self.root.federation, self.enrolled.ods, "activate", signed)

    @property
    def _keys(self) -> list[SigningKey]:
        return [key(name) for name in GOVERNANCE]

    def _prepare(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        catalogue = load(self.dataset)
        for name, rows in self.tables.items():
            table = catalogue.table(name)
            assert table is not None
            write_parquet(data / f"{name}.parquet", table, whole_rows(catalogue, name, rows))
        text = (
            f'format = "tq-node-1"\n[node]\nods = "{self.enrolled.ods}"\nname = "Trust {self.enrolled.ods}"\n'
            f"[answer]\n{self.answer}\n[coordinator]\n{self.link}\n"
            f'[[source]]\ndataset = "{self.dataset}"\nformat = "parquet"\npath = "{data}"\n'
        )
        self.home.config_file.write_text(text)
        config = parse_config(text)
        key = store_key(self.home, config, make=True)
        refresh(config.sources, self.home.resolve, self.home.store, key=key, threads=1)

    def cli(self, *arguments: str | Path) -> list[str]:
        """The words of a ``tq-node`` command for this home."""
        return [command("tq-node"), "--home", str(self.home.path), *map(str, arguments)]

    def accept(self, permit: Permit, now: int) -> None:
        """Two governance people say yes to a project."""
        acceptance = Acceptance(
            federation=self.root.federation, node=self.enrolled.ods, project=permit.project,
            permit_hash=permit.sha256, conditions=(), rho_nano=permit.rho_nano, accepted=now - 1,
            expires=permit.expires,
        )  # fmt: skip
        self._policies.accept(acceptance.sign(*self._keys))

    def start(self) -> None:
        """Start the process and wait until it has dialled in."""
        self.process.start("connected")

    def end(self) -> None:
        """Ask it to end."""
        self.process.end()

    def ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """What a plain SQLite shell sees in its ledger."""
        with sqlite3.connect(f"file:{self.home.ledger}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

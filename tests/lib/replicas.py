"""A federation whose coordinator is two replicas on a real PostgreSQL, in front of four real nodes."""

from __future__ import annotations

import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import psycopg

from demo.layout import free_ports
from demo.processes import Part
from tests.lib.federation import TRUSTS, LiveFederation
from tests.lib.postgres import PostgresServer
from trustquery.client.config import find_home
from trustquery.client.connection import Connection

__all__ = ["ROOM", "ReplicatedFederation"]

ROOM = {
    "rho_12_months = 4\nrho_lifetime = 4": "rho_12_months = 40\nrho_lifetime = 40",
    "rho_lifetime = 2": "rho_lifetime = 40",
    "rho_12_months = 2": "rho_12_months = 40",
}


class ReplicatedFederation(LiveFederation):
    """The replicas are called ``a`` and ``b``; both have the same authority and keys, and listeners of their own."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        super().__init__(folder, allowance_ms=3_000, policy={"": ROOM})
        self.database = server.database()
        self.homes = {"a": self.layout.coordinator, "b": self.layout.base / "coordinator-b"}
        self.replicas: dict[str, Part] = {}
        self._ports: list[int] = []

    # -- building ----------------------------------------------------------------------------------------------------

    def _settle_coordinator(self, settings: Path) -> None:
        super()._settle_coordinator(settings)
        settings.write_text(settings.read_text().replace('url = ""', 'url = "file:database-url"'))
        (settings.parent / "database-url").write_text(self.database)
        self.coordinator("store", "upgrade")
        self._ports = free_ports(2)
        shutil.copytree(self.homes["a"], self.homes["b"])
        text = (self.homes["b"] / "coordinator.toml").read_text()
        used = list(dict.fromkeys(re.findall(r'listen = "127\.0\.0\.1:(\d+)"', text.partition("# [websocket]")[0])))
        for old, new in zip(used, self._ports, strict=True):
            text = text.replace(f":{old}", f":{new}")
        (self.homes["b"] / "coordinator.toml").write_text(text)
        self.start("b")

    def _settle(self, ods: str, public: dict[tuple[str, str], str]) -> None:
        super()._settle(ods, public)
        settings = self.layout.trust(ods) / "node.toml"
        text = settings.read_text()
        changed = re.sub(r"(?m)^#?\s*also = \[\]", f'also = ["localhost:{self._ports[1]}"]', text)
        assert changed != text, text
        settings.write_text(changed)

    def build(self) -> None:
        super().build()
        (self.replicas["a"],) = (part for part in self.processes.parts if part.name == "coordinator")
        other = self.layout.base / "analyst-b"
        shutil.copytree(self.layout.analyst, other)
        home = find_home(other)
        home.write_settings(home.settings().model_copy(update={"coordinator": f"localhost:{self._ports[0]}"}))

    # -- replicas ----------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a replica and wait until it listens."""
        arguments: list[str | Path] = [self.tools.path("tq-coordinator"), "--home", self.homes[name], "run"]
        log = self.layout.log(f"replica-{name}-{time.monotonic_ns()}")
        self.replicas[name] = self.processes.start(f"replica {name}", arguments, self.homes[name], log)
        self.replicas[name].wait_for("listening", 30)

    def kill(self, name: str) -> None:
        """Kill -9."""
        process = self.replicas[name].process
        process.send_signal(signal.SIGKILL)
        process.wait(15)

    def connect(self, name: str) -> Connection:
        """The analyst, at one replica, with the very same session."""
        home = self.layout.analyst if name == "a" else self.layout.base / "analyst-b"
        return Connection.open(find_home(home))

    # -- what the database says --------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the coordinator's database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(sql).fetchall()

    def where(self) -> dict[str, str]:
        """Which replica holds which node, by the name that people gave it."""
        found = self.rows("SELECT l.node, r.name FROM node_links l JOIN replicas r ON r.id = l.replica"
                          " WHERE r.seen > extract(epoch FROM clock_timestamp()) * 1000 - 5000")  # fmt: skip
        port_b = str(self._ports[1])
        return {node: "b" if name.endswith(port_b) else "a" for node, name in found}

    def charges(self) -> dict[str, dict[str, int]]:
        """What each node's ledger was charged, by trust and release; a release that stands twice fails."""
        found: dict[str, dict[str, int]] = {}
        for ods in TRUSTS:
            rows = self.ledger(
                ods, "SELECT release_id, rho_nano FROM charge WHERE scope = 'node-wide' AND refunded = 0"
            )
            assert len({release for release, _ in rows}) == len(rows), "a release is charged twice"
            found[ods] = dict(rows)
        return found

"""Where the demonstration keeps things, and who takes part. Every name here is made up."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from demo.processes import DemoError

__all__ = ["CAUTIOUS", "COMMITTEE", "CONDITION", "GOVERNANCE", "OPERATORS", "PROJECT", "TRUSTS", "Layout", "free_ports"]

TRUSTS = {
    "RX1": "Ashford Vale Hospitals",
    "RX2": "Birchwater General",
    "RX3": "Cedar Moor Infirmary",
    "RX4": "Dunbrook Royal",
}
COMMITTEE = {"casey": "Casey Okafor", "robin": "Robin Whitfield"}
OPERATORS = ("olive", "oscar")
"""Two operators of the federation: it takes both to let a node in."""
CAUTIOUS, CONDITION = "RX4", "No publication of this trust's own figures"
"""The trust that accepts with a condition."""
GOVERNANCE = {"grace": "Grace Adeyemi, Caldicott guardian", "ivan": "Ivan Petrov, IG lead"}
PROJECT = "visits-and-stays"
_MARK = "Made by `python -m demo`; everything in this folder may be deleted.\n"


@dataclass(frozen=True)
class Layout:
    """The folder ``.demo`` and the six homes in it."""

    base: Path

    @property
    def root(self) -> Path:
        """The federation's trust anchor."""
        return self.base / "root.json"

    @property
    def holders(self) -> list[Path]:
        """One folder for each root holder."""
        return [self.base / "root-holders" / name for name in ("one", "two", "three")]

    @property
    def delegate(self) -> Path:
        """Where the delegate keeps the key that signs revocation statements: not at the coordinator."""
        return self.base / "delegate"

    @property
    def coordinator(self) -> Path:
        """The coordinator's home."""
        return self.base / "coordinator"

    def trust(self, ods: str) -> Path:
        """A trust's home."""
        return self.base / "trusts" / ods

    @property
    def analyst(self) -> Path:
        """The analyst's home."""
        return self.base / "analyst"

    def member(self, person: str) -> Path:
        """The home of a member of the committee."""
        return self.base / "committee" / person

    @property
    def data(self) -> Path:
        """Each trust's data, by ODS code."""
        return self.base / "data"

    def key(self, group: str, person: str) -> Path:
        """A personal signing key."""
        return self.base / "people" / group / f"{person}.pem"

    def log(self, name: str) -> Path:
        """A log."""
        return self.base / "logs" / f"{name}.log"

    @property
    def record(self) -> Path:
        """Process ids of what is running."""
        return self.base / "running.json"

    def make(self) -> None:
        """An empty folder; only one that an earlier demonstration made is ever deleted.

        Raises:
            DemoError: something else is there.
        """
        mark = self.base / "README"
        if self.base.exists():
            if not mark.is_file() or mark.read_text() != _MARK:
                raise DemoError(f"{self.base} exists and was not made by the demonstration: move it away")
            shutil.rmtree(self.base)
        self.base.mkdir(mode=0o700)
        mark.write_text(_MARK)
        members = [self.member(person) for person in COMMITTEE]
        for folder in (self.analyst, *members, *(self.trust(ods) for ods in TRUSTS)):
            folder.mkdir(mode=0o700, parents=True)


def free_ports(number: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody uses now."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()

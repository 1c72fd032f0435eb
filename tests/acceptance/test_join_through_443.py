"""Trusts whose firewall lets out nothing but port 443 join from nothing and answer: directly, and through a proxy.

Real processes in network namespaces. Two trusts reach the coordinator's addresses on port 443 and nothing else; two
reach a CONNECT proxy on port 443 and nothing else, not even the coordinator's names. One of the two proxies breaks
HTTP/2.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.documents import FEDERATION
from demo.processes import Tools
from tests.lib.federation import TRUSTS, LiveFederation
from tests.lib.namespaces import Networks
from tests.lib.processes import Process, wait_for

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root; CI is root"),
]
NAMES = {"api.tq.test": "10.77.1.1", "nodes.tq.test": "10.77.1.2", "ws.tq.test": "10.77.1.3"}
DIRECT, PROXIED, BROKEN = ("RX1", "RX3"), "RX2", "RX4"
USER, PASSWORD = "svc-trustquery", "p@ss:w%41rd"
ONE_COUNT = "SELECT count(DISTINCT person_id) AS people FROM person"


@dataclass(frozen=True)
class _Wrapped(Tools):
    wrappers: Path = Path()

    def path(self, name: str) -> str:
        return str(self.wrappers / name)


class Behind(LiveFederation):
    """The federation with each part in its network."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.networks = Networks(folder / "networks")
        self.proxies: list[Process] = []
        direct = self.networks.trust(1, ["1", "2", "3"])
        spaces = dict.fromkeys(DIRECT, (direct, NAMES))
        for number, ods in ((2, PROXIED), (3, BROKEN)):
            spaces[ods] = (self.networks.trust(number, ["9"]), {"proxy.trust.test": f"10.77.{number}.9"})
        self.centre = self.networks.inside(self.networks.centre, NAMES)
        self.inside = {ods: self.networks.inside(space, hosts) for ods, (space, hosts) in spaces.items()}
        self.tools = _Wrapped(wrappers=folder / "bin")
        self._write_wrappers(folder / "bin")

    def _write_wrappers(self, folder: Path) -> None:
        """``tq-node --home …/RX1 …`` runs in the network of RX1, everything else in the centre's."""
        folder.mkdir()
        real = Tools()
        for name in ("tq", "tq-coordinator"):
            self._script(folder / name, f'exec {shlex.join([*self.centre, real.path(name)])} "$@"\n')
        cases = "".join(
            f'*/{ods}) exec {shlex.join([*before, real.path("tq-node")])} "$@" ;;\n'
            for ods, before in self.inside.items()
        )
        self._script(folder / "tq-node", f'case "$2" in\n{cases}esac\nexit 99\n')

    @staticmethod
    def _script(path: Path, text: str) -> None:
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def _root_and_coordinator(self) -> None:
        holders = [item for folder in self.layout.holders for item in ("--holder", folder)]
        self.fingerprint = self.tq("federation", "init", FEDERATION, "--out", self.layout.root, *holders).strip()
        self.coordinator(
            "init", "--root", self.layout.root, "--api", "api.tq.test:443", "--nodes", "nodes.tq.test:443",
            "--websocket", "ws.tq.test:443", "--listen", "10.77.1.1",
        )  # fmt: skip
        settings = self.layout.coordinator / "coordinator.toml"
        # `init` gives all listeners one address; here each has its own, as where 443 alone is open.
        first, *parts = settings.read_text().split('listen = "10.77.1.1:443"')
        text = first + "".join(
            f'listen = "{address}:443"{part}' for address, part in zip(NAMES.values(), parts, strict=True)
        )
        settings.write_text(text)
        self._settle_coordinator(settings)
        home = self.layout.coordinator
        arguments: list[str | Path] = [self.tools.path("tq-coordinator"), "--home", home, "run"]
        part = self.processes.start("coordinator", arguments, home, self.layout.log("coordinator"))
        part.wait_for("listening", 40)
        for number, mode in ((2, "ok"), (3, "breaks-http2")):
            words = [sys.executable, "-m", "tests.lib.connect_proxy", f"10.77.{number}.9:443", mode, USER, PASSWORD]
            proxy = Process([*self.centre, *words], self.layout.base / f"proxy{number}.log")
            proxy.start("proxy is up")
            self.proxies.append(proxy)

    def _settle(self, ods: str, public: dict[tuple[str, str], str]) -> None:
        super()._settle(ods, public)
        if ods in DIRECT:
            return
        home = self.layout.trust(ods)
        password = home / "keys" / "proxy.password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        settings = home / "node.toml"
        table = f'[proxy]\nurl = "proxy.trust.test:443"\nuser = "{USER}"\npassword_file = "keys/proxy.password"\n\n'
        settings.write_text(settings.read_text().replace("[[source]]\n", table + "[[source]]\n", 1))

    def reach(self, ods: str, address: str, port: int) -> str:
        """What comes of a connection from a trust's network."""
        program = (
            "import socket, sys\n"
            "try:\n    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()\n    print('open')\n"
            "except OSError as error:\n    print(type(error).__name__, error.errno)\n"
        )
        words = [*self.inside[ods], sys.executable, "-c", program, address, str(port)]
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout.strip()

    def preflight(self, ods: str) -> tuple[int, dict[str, set[str]]]:
        """Exit status, and the results of each check."""
        words = [self.tools.path("tq-node"), "--home", str(self.layout.trust(ods)), "preflight", "--format", "json"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        found: dict[str, set[str]] = {}
        for row in json.loads(done.stdout)["data"]:
            found.setdefault(row["check"], set()).add(row["result"])
        return done.returncode, found

    def close(self) -> None:
        super().close()
        for proxy in self.proxies:
            proxy.end()
        self.networks.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    federation = Behind(tmp_path_factory.mktemp("behind"))
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


def test_all_four_joined_from_nothing_and_answer_one_question(live: Behind) -> None:
    trusts = live.query(ONE_COUNT).json["trusts"]
    assert {trust["node"]: trust["answered"] for trust in trusts} == dict.fromkeys(TRUSTS, True)
    for ods in TRUSTS:
        assert live.ledger(ods, "SELECT state FROM release") == [("SENT",)], ods


def test_nothing_else_is_open(live: Behind) -> None:
    """The test's own firewall: 443 of these addresses, and no other port and no other address."""
    unreachable = "OSError 101"
    assert live.reach("RX1", "10.77.1.2", 443) == "open"
    assert live.reach("RX1", "10.77.1.2", 8444) == unreachable
    assert live.reach("RX1", "10.77.2.9", 443) == unreachable
    for ods, own in ((PROXIED, "10.77.2.9"), (BROKEN, "10.77.3.9")):
        assert live.reach(ods, own, 443) == "open"
        assert live.reach(ods, own, 3128) == unreachable
        assert live.reach(ods, "10.77.1.2", 443) == unreachable


def test_each_took_the_way_that_was_open(live: Behind) -> None:
    over = {ods: json.loads(live.node(ods, "status", "--format", "json"))["data"]["transport"] for ods in TRUSTS}
    assert {over[ods] for ods in (*DIRECT, PROXIED)} == {"gRPC"}
    assert over[BROKEN] == "WebSocket, because HTTP/2 does not pass here"
    assert '"fallback": true' in live.layout.log(BROKEN).read_text()
    tunnels = [proxy.log.read_text() for proxy in live.proxies]
    assert all("tunnel api.tq.test:443" in log for log in tunnels)
    assert "tunnel nodes.tq.test:443" in tunnels[0]
    assert "tunnel ws.tq.test:443" in tunnels[1]


def test_preflight_agrees(live: Behind) -> None:
    for ods in TRUSTS:
        code, found = live.preflight(ods)
        assert code == 0, (ods, found)
        assert found["ports"] == found["tls"] == found["websocket"] == found["clock"] == {"pass"}, ods
        assert found["http2"] == ({"warn"} if ods == BROKEN else {"pass"}), ods
        assert found["proxy"] == ({"skipped"} if ods in DIRECT else {"pass"}), ods


def test_the_password_of_a_proxy_stands_in_its_file_alone(live: Behind) -> None:
    for path in live.layout.base.rglob("*"):
        if path.is_file() and path.name != "proxy.password" and PASSWORD.encode() in path.read_bytes():
            raise AssertionError(path)


def test_a_frozen_peer_is_noticed_within_15_seconds_on_every_way(live: Behind) -> None:
    """SIGSTOP closes no connection: only pings that nobody answers tell. Default settings, with and without a proxy."""
    centre = next(part for part in live.processes.parts if part.name == "coordinator")

    def counted(log: Path, *words: str) -> int:
        return sum(all(word in line for word in words) for line in log.read_text().splitlines())

    def gone(ods: str) -> int:
        return counted(centre.log, '"node-disconnected"', f'"{ods}"')

    def lost(ods: str) -> int:
        return counted(live.layout.log(ods), "disconnected")

    def linked(ods: str) -> int:
        return counted(centre.log, '"node-connected"', f'"{ods}"')

    before, links = {ods: gone(ods) for ods in TRUSTS}, {ods: linked(ods) for ods in TRUSTS}
    nodes = [live.nodes[ods].process for ods in TRUSTS]
    try:
        for process in nodes:
            process.send_signal(signal.SIGSTOP)
        wait_for(lambda: all(gone(ods) > before[ods] for ods in TRUSTS), 15, "the coordinator to notice")
    finally:
        for process in nodes:
            process.send_signal(signal.SIGCONT)
    wait_for(lambda: all(linked(ods) > links[ods] for ods in TRUSTS), 60, "the nodes to come back")
    before = {ods: lost(ods) for ods in TRUSTS}
    try:
        centre.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: all(lost(ods) > before[ods] for ods in TRUSTS), 15, "the nodes to notice")
    finally:
        centre.process.send_signal(signal.SIGCONT)

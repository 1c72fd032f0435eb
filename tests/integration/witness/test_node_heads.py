"""A node's head goes to a stand-alone witness through the coordinator: real processes, and replies of every kind."""

from __future__ import annotations

import asyncio
import base64
import datetime
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.config import Home, parse_settings, sample_text
from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.remote_witnesses import Remote, remotes
from coordinator.fleet.witnessing import Relay
from tests.factories.trust import key
from tests.lib.coordinator import LiveCoordinator
from tests.lib.processes import Process, command, free_port, wait_for
from tests.lib.puppet import Puppet
from trustquery.identity import SigningKey
from trustquery.identity.certificates import Authority, new_tls_key
from trustquery.log import Checkpoint, Tree, VerifierKey, cosigners, leaf_hash
from trustquery.log.submission import KEPT_HEADER, SIZE_TYPE
from trustquery.protocol.cosigning import Believed, Collector, Effects, Wanted
from trustquery.protocol.messages import Cosignature, WitnessRequest

NAME, ORIGIN = "w1.example", "test/node/RX1"


@dataclass
class Ledger:
    """A node's tree, in memory: what ``Collector`` reads of a ledger."""

    tree: Tree
    key: SigningKey

    def size(self) -> int:
        return len(self.tree)

    def root(self, size: int) -> bytes:
        return self.tree.root(size)

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        return self.tree.consistency_proof(old, size)

    def note(self) -> bytes:
        return Checkpoint(ORIGIN, self.size(), self.root(self.size())).sign(self.key)


def grown(signing: SigningKey, *texts: str) -> Ledger:
    return Ledger(Tree([leaf_hash(text.encode()) for text in texts]), signing)


class WitnessProcess:
    """``tq-witness`` over TLS, which knows one log."""

    def __init__(self, folder: Path, log: SigningKey) -> None:
        now, port, home = datetime.datetime.now(datetime.UTC), free_port(), folder / "witness"
        home.mkdir()
        authority, tls_key = Authority.generate("test", now), new_tls_key()
        (home / "server.key.pem").write_bytes(tls_key)
        (home / "server.pem").write_bytes(authority.issue_server(tls_key, hosts=["localhost"], now=now))
        (home / "witness.toml").write_text(
            f'name = "{NAME}"\nlisten = "127.0.0.1:{port}"\n'
            '[tls]\ncertificate = "server.pem"\nkey = "server.key.pem"\n'
            f'[[log]]\nkey = "{VerifierKey(ORIGIN, log.public, witness=False).text}"\n'
        )
        self.authority_pem = authority.certificate_pem
        self.url = f"https://localhost:{port}"
        self.process = Process([command("tq-witness"), "--home", home, "run"], folder / "witness.log")
        self.process.start(NAME)
        try:
            context = ssl.create_default_context(cadata=self.authority_pem.decode())
            with httpx.Client(verify=context) as client:
                wait_for(lambda: self._answers(client), 20, "the witness")
                self.key = VerifierKey.read(client.get(f"{self.url}/key").text)
        except BaseException:
            self.process.end()
            raise

    def _answers(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/key").status_code == 200
        except httpx.HTTPError:
            return False

    def settings(self, home: Path) -> str:
        """What the coordinator's settings say of it."""
        (home / "witness-ca.pem").write_bytes(self.authority_pem)
        return f'\n[[log.witness]]\nkey = "{self.key.text}"\nurl = "{self.url}"\nauthority = "file:witness-ca.pem"\n'


Ask = Callable[[WitnessRequest], Cosignature]


def story(witness: WitnessProcess, log: SigningKey, ask: Ask) -> None:
    """What the node's own collector makes of what comes back, from its first head until it has gone back."""

    def carry(ledger: Ledger, believed: bytes = witness.key.public) -> tuple[Effects, list[Cosignature]]:
        wanted = Wanted({NAME: Believed(NAME, believed)}, 1)
        # A new one each time: a node that has just started, and knows nothing of what the witness has signed.
        collector = Collector(ORIGIN, log.public, wanted, ledger, lambda: secrets.token_bytes(32))
        effects = collector.show(ledger.note(), ledger.size(), time.monotonic())
        replies: list[Cosignature] = []
        while effects.asks:
            replies += [ask(item) for item in effects.asks]
            effects = collector.heard(replies[-1], time.monotonic())
        return effects, replies

    effects, _ = carry(grown(log, "a", "b", "c"))
    assert set(cosigners(effects.cosigned, {NAME: witness.key.public})) == {NAME}
    # It is told what the witness has signed, and goes on from there.
    later = grown(log, "a", "b", "c", "d", "e")
    effects, replies = carry(later)
    assert [reply.refusal for reply in replies] == ["witness-conflict", ""]
    assert (effects.size, effects.forged) == (5, [])
    # Put back, it goes another way from 3: no line, and the proof that there is another life of it.
    effects, replies = carry(grown(log, "a", "b", "c", "x"))
    assert not any(reply.cosignature for reply in replies)
    assert effects.fork == later.note()
    # A control: a line that another key was expected of counts for nothing.
    effects, _ = carry(grown(log, "a", "b", "c", "d", "e", "f"), key("another").public)
    assert [item.code for item in effects.forged] == ["witness-line"]
    assert not effects.cosigned
    witness.process.end()
    effects, replies = carry(grown(log, "a", "b", "c", "d", "e", "f", "g"))
    assert [reply.refusal for reply in replies] == ["node-unreachable"]
    assert not effects.cosigned


@pytest.mark.acceptance("LED-07")
def test_a_node_gets_the_line_of_a_stand_alone_witness_and_one_that_went_back_freezes(tmp_path: Path) -> None:
    """A real witness process, reached over TLS as the coordinator's settings say."""
    witness = WitnessProcess(tmp_path, key("RX1"))
    try:
        settings = parse_settings(sample_text() + witness.settings(tmp_path))
        (remote,) = remotes(Home(tmp_path), settings.log)
        unused: Any = None

        def ask(request: WitnessRequest) -> Cosignature:
            async def run() -> Cosignature:
                # A loop of its own, so connections of its own.
                (remote,) = remotes(Home(tmp_path), settings.log)
                relay = Relay("test", Fleet(), unused, lambda _: None, lambda: 0.0, {remote.key.name: remote})
                link = Link("RX1", unused)
                await relay.asked(link, request)
                found = link.outgoing.get_nowait()
                await remote.transport.aclose()
                assert isinstance(found, Cosignature)
                return found

            return asyncio.run(run())

        assert remote.key == witness.key
        story(witness, key("RX1"), ask)
    finally:
        witness.process.end()


@pytest.mark.slow
def test_so_it_is_over_the_stream_of_a_running_coordinator(tmp_path: Path) -> None:
    """The same with every process real: coordinator, witness, and the node's stream between them."""
    (tmp_path / "live").mkdir()
    live = LiveCoordinator(tmp_path / "live")
    witness, puppet = None, None
    try:
        node = live.enrol("RX1")
        live.install_roster()
        witness = WitnessProcess(tmp_path, node.key)
        with (live.home / "coordinator.toml").open("a") as file:
            file.write(witness.settings(live.home))
        live.process.end()
        live.process.start("listening")
        puppet = Puppet(node, f"localhost:{live.grpc_port}", live.authority.certificate_pem).start()
        stream = puppet

        def ask(request: WitnessRequest) -> Cosignature:
            def came() -> list[Cosignature]:
                found = [item for item in stream.received if isinstance(item, Cosignature)]
                return [item for item in found if item.request_id == request.request_id]

            stream.say(request)
            wait_for(lambda: bool(came()), 20, "a reply of the witness")
            return came()[0]

        story(witness, node.key, ask)
    finally:
        if puppet is not None:
            puppet.stop()
        if witness is not None:
            witness.process.end()
        live.process.end()


def replied(status: int, content: bytes, headers: dict[str, str]) -> Cosignature:
    """What a node hears of a witness that answers so."""

    async def run() -> Cosignature:
        transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers))
        remote = Remote(VerifierKey(NAME, key(NAME).public, witness=True), "https://w1.example", transport)
        unused: Any = None
        relay = Relay("test", Fleet(), unused, lambda _: None, lambda: 0.0, {NAME: remote})
        link = Link("RX1", unused)
        await relay.asked(link, WitnessRequest(b"i" * 32, ORIGIN, 0, b"note", (), NAME))
        found = link.outgoing.get_nowait()
        assert isinstance(found, Cosignature)
        return found

    return asyncio.run(run())


KEPT = base64.b64encode(b"a note").decode()


@pytest.mark.parametrize(
    ("status", "content", "headers", "expected"),
    [
        (200, b"a line", {}, (b"a line", "", b"")),
        (409, b"7\n", {"content-type": SIZE_TYPE}, (b"", "witness-conflict", b"")),
        (409, b"7\n", {"content-type": SIZE_TYPE, KEPT_HEADER: KEPT}, (b"", "witness-conflict", b"a note")),
        (409, b"7\n", {"content-type": SIZE_TYPE, KEPT_HEADER: "no base64!"}, (b"", "witness-conflict", b"")),
        (409, b"witness-fork\n", {KEPT_HEADER: KEPT}, (b"", "witness-fork", b"a note")),
        (422, b"witness-inconsistent\n", {}, (b"", "witness-inconsistent", b"")),
        (404, b"witness-unknown-log\n", {}, (b"", "witness-unknown-log", b"")),
        (403, b"some words of somebody's\n", {}, (b"", "witness-request", b"")),
        (500, b"\xff" * 20_000, {}, (b"", "witness-request", b"")),
        (302, b"", {"location": "https://elsewhere.example/"}, (b"", "witness-request", b"")),
    ],
)
def test_what_a_witness_answers_reaches_the_node(
    status: int, content: bytes, headers: dict[str, str], expected: tuple[bytes, str, bytes]
) -> None:
    found = replied(status, content, headers)
    assert (found.cosignature, found.refusal, found.kept) == expected


def test_a_head_of_another_nodes_is_not_carried_to_it() -> None:
    async def run() -> Cosignature:
        def fail(_: httpx.Request) -> httpx.Response:
            raise AssertionError("it was carried")

        remote = Remote(
            VerifierKey(NAME, key(NAME).public, witness=True), "https://w1.example", httpx.MockTransport(fail)
        )
        unused: Any = None
        relay = Relay("test", Fleet(), unused, lambda _: None, lambda: 0.0, {NAME: remote})
        link = Link("RX2", unused)
        await relay.asked(link, WitnessRequest(b"i" * 32, ORIGIN, 0, b"note", (), NAME))
        found = link.outgoing.get_nowait()
        assert isinstance(found, Cosignature)
        return found

    assert asyncio.run(run()).refusal == "witness-unknown-log"

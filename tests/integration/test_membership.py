"""Two real nodes at a real coordinator whose certificates live seconds: renewed under load, stolen, copied, revoked.

RX1 speaks over a WebSocket, RX2 over gRPC. The tests of this file tell one story, in their order; the last ones end the
nodes' membership.
"""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from coordinator.config import Home as CoordinatorHome
from coordinator.config import load_settings
from coordinator.enrolment import Desk
from coordinator.services import open_base
from node_agent.config import Home
from node_agent.optout.vault import Vault
from node_agent.sources.sealed import PEOPLE, read_columns
from node_agent.sources.store import RANK_KEY, SALT, Store
from tests.factories.projects import application, today
from tests.factories.trust import policy_text
from tests.lib.approvals import add_operators, admit, yes
from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.processes import Process, wait_for
from tests.lib.puppet import Puppet
from tests.lib.real_gate import epsilon_at
from tests.lib.real_node import RealNode
from tests.lib.streams import open_stream
from trustquery.client.config import ClientHome
from trustquery.client.connection import Connection
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Root, SigningKey, verify, write_private_file
from trustquery.log.checkpoint import Checkpoint
from trustquery.projects.permits import permit_from
from trustquery.protocol.frames import Transport
from trustquery.protocol.messages import WitnessRequest

pytestmark = pytest.mark.timeout(300)
LIFE = 20
"""Seconds that a certificate lives here; it is renewed every ten."""
SKEW = {"RX1": 300, "RX2": -300}
OVER: dict[str, Transport] = {"RX1": "websocket", "RX2": "grpc"}
SQL = "SELECT count(DISTINCT person_id) AS n FROM person"


@dataclass
class Federation:
    """The story's people and machines."""

    live: LiveCoordinator
    desk: Desk
    nodes: dict[str, RealNode]
    home: ClientHome

    def log(self, ods: str) -> str:
        """What a node has logged."""
        return self.nodes[ods].process.log.read_text()

    def events(self, ods: str) -> list[str]:
        """What happened to a node, by the coordinator's record."""
        return [event.action for event in self.desk.store.admissions.events(ods)]


def enrol(live: LiveCoordinator, desk: Desk, ods: str) -> EnrolledNode:
    """By hand, with a certificate that lives seconds."""
    return live.enrol(ods, approve=lambda: admit(desk, ods))


def make_node(folder: Path, live: LiveCoordinator, desk: Desk, ods: str, permit: Permit) -> RealNode:
    (folder / ods).mkdir()
    (folder / ods / "shift").write_text(str(SKEW[ods]))
    people = {"person": [{"person_id": f"{ods}-{n}", "sex": "1", "year_of_birth": 1950 + n % 50} for n in range(200)]}
    node = RealNode(
        folder / ods, enrol(live, desk, ods), Root.from_payload((folder / "root.json").read_bytes()),
        (live.home / "authority.pem").read_bytes(), f"localhost:{live.grpc_port}", "nhs-episodes", people,
        policy_text(trust=f'"{ods}"', id='"nhs-episodes"', max_queries_per_hour="100000"),
        "slot_ms = 250\nallowance_ms = 5000",
        (sys.executable, "-m", "tests.lib.shifted_node", "HOME", str(folder / ods / "shift")),
        link=f'transport = "{OVER[ods]}"\nwebsocket = "localhost:{live.websocket_port}"',
    )  # fmt: skip
    # Before anybody's clock here.
    node.accept(permit, int(time.time()) - 400)
    return node


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    committee = {name: SigningKey.generate() for name in ("ann", "bob")}
    (folder / "committee.toml").write_text(
        "".join(f'[[people]]\nperson = "{n}"\nname = "{n}"\nkey = "{k.public.hex()}"\n' for n, k in committee.items())
    )
    live = LiveCoordinator(folder)
    live.process.end()
    live.process = Process([sys.executable, "-m", "tests.lib.short_lived", live.home, str(LIFE)], folder / "short.log")
    live.process.start("listening")
    home = CoordinatorHome(live.home)
    base = open_base(home, load_settings(home))
    desk = replace(base.desk, certificate_seconds=LIFE)
    add_operators(base.store, int(time.time()))
    nodes: dict[str, RealNode] = {}
    try:
        analyst, now = SigningKey.generate(), int(time.time())
        found = application(
            key=analyst.public.hex(), submitted=now, starts=today(-1), ends=today(30), datasets=("nhs-episodes",),
            purpose="health-service-planning", min_trusts=2,
        )  # fmt: skip
        # Before anybody's clock here, and after nobody's.
        allowed = permit_from(found, 1, now - 600)
        for ods in SKEW:
            nodes[ods] = make_node(folder, live, desk, ods, allowed)
            # A busy machine has made its home for longer than a certificate lives.
            made = desk.renew(ods, _request(nodes[ods].enrolled.tls_key))
            (nodes[ods].home.startup / "node.crt").write_bytes(made)
            nodes[ods].start()
        live.install_roster(seconds_ago=600)
        assert live.add_project(found, analyst, *committee.values(), begins=allowed.valid_from) == allowed
        person = live.sign_in("ada", analyst)
        with Connection.open(person) as connection:
            wait_for(lambda: _all_there(connection), 30, "two connected trusts")
        yield Federation(live, desk, nodes, person)
    finally:
        for node in nodes.values():
            node.end()
        live.end()
        base.store.close()


def _all_there(connection: Connection) -> bool:
    try:
        return set(connection.project("stays").connected) == set(SKEW)
    except TrustQueryError:
        return False


def _ask(connection: Connection, ends: float) -> tuple[int, list[str]]:
    """One question after the other until then; how many were answered by both trusts, and what went wrong."""
    answered, wrong = 0, []
    while time.monotonic() < ends:
        try:
            # The deadline of a question is read by clocks that are five minutes apart.
            query = connection.project("stays").sql(SQL, epsilon=epsilon_at(1_000), fresh=True)
            result = query.run(wait=900)
        except TrustQueryError as error:
            wrong.append(error.code)
        else:
            answered += 1
            if result.answered != 2:
                wrong.append(f"answered by {result.answered}")
    return answered, wrong


@pytest.mark.acceptance("TRN-12")
def test_certificates_are_renewed_under_load_and_no_query_fails(federation: Federation) -> None:
    """Clocks five minutes ahead and behind; every answer comes, from both, whatever happens to the streams."""
    store = federation.desk.store.admissions
    before = {ods: federation.events(ods).count("renewed") for ods in SKEW}
    ends = time.monotonic() + 1.3 * LIFE
    with (
        Connection.open(federation.home) as one,
        Connection.open(federation.home) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        found = list(pool.map(lambda connection: _ask(connection, ends), (one, two)))
    assert [wrong for _, wrong in found] == [[], []]
    assert sum(answered for answered, _ in found) >= 4
    for ods in SKEW:
        assert set(re.findall(r'"transport": "(\w+)"', federation.log(ods))) == {OVER[ods]}
        assert federation.events(ods).count("renewed") - before[ods] >= 2, federation.log(ods)
        assert "certificate in use" in federation.log(ods)
        # No stream was cut, and none was missed: a new one began before the old one ended.
        assert "link down" not in federation.log(ods)
        assert '"disconnected"' not in federation.log(ods)
        row = federation.desk.store.nodes.get(ods)
        assert row is not None
        presented = x509.load_pem_x509_certificate((federation.nodes[ods].home.startup / "node.crt").read_bytes())
        assert f"{presented.serial_number:x}" in store.serials(ods, int(time.time()))


def puppet(federation: Federation, ods: str, home: Path, **options: Any) -> Puppet:
    """Somebody who holds a copy of a node's whole home."""
    enrolled = EnrolledNode(
        ods, SigningKey.load(home / "keys" / "identity.pem"), (home / "keys" / "tls.pem").read_bytes(),
        (home / "startup" / "node.crt").read_bytes(),
    )  # fmt: skip
    address = f"localhost:{federation.live.grpc_port}"
    return Puppet(enrolled, address, (home / "startup" / "ca.pem").read_bytes(), silent=True, **options)


def give_list(home: Home) -> None:
    """A list of opt-outs, sealed with a key of the node's own, as a node with ``[[nhs_numbers]]`` has."""
    vault = Vault(home.optout, home.keys / "optout.key")
    vault.put("national", "", ["9434765919"], int(time.time()))
    vault.close()


def secrets_of(home: Path) -> dict[str, bytes]:
    """Every secret of a node's home, by its file's name: of a PEM file the private number alone."""
    found = {path.name: path.read_bytes() for path in (home / "keys").iterdir()}
    found |= {name: next((home / "store").glob(f"v*/{name}")).read_bytes() for name in (RANK_KEY, SALT)}
    return {name: _private(secret) if name.endswith(".pem") else secret for name, secret in found.items()}


def _private(pem: bytes) -> bytes:
    key = load_pem_private_key(pem, None)
    if isinstance(key, Ed25519PrivateKey):
        return key.private_bytes_raw()
    assert isinstance(key, EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")


def holds(home: Path, secret: bytes) -> bool:
    """Whether a file below has the secret in it, as it is, as hexadecimal, or within base64 at any offset."""
    forms = [secret, secret.hex().encode()]
    # What of the middle does not depend on its neighbours.
    forms += [base64.b64encode(bytes(shift) + secret)[4 : len(secret) * 4 // 3 - 4] for shift in range(3)]
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    # A PEM file breaks its lines wherever they are full.
    return any(form in content for form in forms for file in files for content in (file, file.replace(b"\n", b"")))


def opens_data(home: Home, secret: bytes) -> bool:
    """Whether a key reads the people of the prepared data."""
    store = Store.open(home.store)
    try:
        return bool(read_columns(store.folder, "nhs-episodes", PEOPLE, ["_key"], store.seal(secret)).num_rows)
    except (OSError, ValueError, pa.ArrowException):
        return False


def opens_lists(home: Home, secret: bytes) -> bool:
    """Whether a key reads a list of opt-outs."""
    key_file = home.path / "tried.key"
    key_file.unlink(missing_ok=True)
    write_private_file(key_file, secret)
    try:
        vault = Vault(home.optout, key_file)
        try:
            return bool(vault.entries("national"))
        finally:
            vault.close()
    except TrustQueryError:
        return False


def signs_as(public: bytes, secret: bytes) -> bool:
    """Whether a key signs what a holder of the public key would be believed for, such as a head of its ledger."""
    if len(secret) != 32:
        return False
    return verify(public, b"a head", Ed25519PrivateKey.from_private_bytes(secret).sign(b"a head"))


@pytest.mark.acceptance("SEC-03")
def test_who_steals_one_node_wholly_reads_nothing_of_another(federation: Federation, tmp_path: Path) -> None:
    """The red team's script: copy RX1's home with every key, dial in with it, and try to be or to hear RX2."""
    stolen = tmp_path / "stolen"
    other, own = federation.nodes["RX2"].home, federation.nodes["RX1"].home
    for home in (own, other):
        give_list(home)
    shutil.copytree(own.path, stolen)
    # 1. Nothing of the other node's secrets is in it, by name or by content.
    secrets, taken = secrets_of(other.path), secrets_of(stolen)
    assert set(secrets) == set(taken) == {"identity.pem", "tls.pem", "store.key", "optout.key", "rank.key", "salt"}
    assert [name for name, secret in secrets.items() if holds(stolen, secret)] == []
    # The control: its own are found so.
    assert [name for name, secret in taken.items() if not holds(stolen, secret)] == []
    # 2. Its certificate opens no stream in the other's name.
    tls, certificate = (stolen / "keys" / "tls.pem").read_bytes(), (stolen / "startup" / "node.crt").read_bytes()
    assert open_stream(federation.live, tls, certificate, hello_node="RX2") == "refused PERMISSION_DENIED"
    # 3. A certificate that it asks for is for its own key and name, and for no other key.
    with pytest.raises(TrustQueryError):
        federation.desk.renew("RX2", _request(tls))
    # 4. Its keys open nothing that the other has stored, even with a copy of that disk less its keys: neither its data
    # nor its lists of opt-outs. Its ledger is not encrypted: who has that disk reads it. No key signs in its name.
    copied = Home(tmp_path / "copied")
    shutil.copytree(other.path, copied.path, ignore=lambda folder, names: {"keys"} & set(names))
    for opens in (
        opens_data,
        opens_lists,
        lambda home, key: signs_as(federation.nodes["RX2"].enrolled.key.public, key),
    ):
        assert [name for name, secret in taken.items() if opens(copied, secret)] == []
        # The control: one of the other's own does.
        assert len([name for name, secret in secrets.items() if opens(copied, secret)]) == 1
    # 5. What it hears as RX1 is what every node is told; no answer of another.
    thief = puppet(federation, "RX1", stolen, counter=counter_of(federation.nodes["RX1"].home.path) + 1).start()
    wait_for(lambda: len(thief.documents()) > 0, 5, "the documents")
    with Connection.open(federation.home) as connection, contextlib.suppress(TrustQueryError):
        connection.project("stays").sql(SQL, epsilon=epsilon_at(1_000), fresh=True).run(wait=2)
    kinds = {"Hello", "Documents", "Offer", "Preview", "Heartbeat", "Ack", "Cancel", "Certificate", "WitnessRequest"}
    assert {type(message).__name__ for message in thief.received} <= kinds
    # It is asked to witness the others' logs: their heads, which are an origin, a size and a hash.
    for request in (message for message in thief.received if isinstance(message, WitnessRequest)):
        assert Checkpoint.read(request.checkpoint).size >= request.old_size
    # 6. And the copy shows: the node itself comes back with a counter that the copy has used. Both are cut off.
    wait_for(lambda: thief.status is not None, 20, "the copy to be cut off")
    assert thief.status is grpc.StatusCode.PERMISSION_DENIED
    thief.stop()


def give_fresh(federation: Federation, ods: str) -> None:
    """A certificate that has just been issued, in the node's home."""
    node = federation.nodes[ods]
    (node.home.startup / "node.crt").write_bytes(federation.desk.renew(ods, _request(node.enrolled.tls_key)))


def counter_of(home: Path) -> int:
    """The join counter that a home holds."""
    return int((home / "startup" / "joins").read_text())


def test_after_a_suspected_clone_it_takes_two_people_to_go_on(federation: Federation) -> None:
    assert federation.events("RX1")[-1] == "clone-suspected"
    assert "RX1\tclone-suspected" in federation.live.cli("node", "list")
    home = federation.nodes["RX1"].home.path
    wait_for(lambda: "node-clone-suspected" in federation.log("RX1"), 10, "the node to be told why")
    give_fresh(federation, "RX1")
    late = puppet(federation, "RX1", home, counter=counter_of(home) + 100).start()
    wait_for(lambda: late.status is not None, 5, "every copy to be refused")
    assert late.status is grpc.StatusCode.PERMISSION_DENIED
    late.stop()
    assert yes(federation.desk, "RX1", "olive", "resolve-clone") == 1
    with pytest.raises(TrustQueryError):
        yes(federation.desk, "RX1", "olive", "resolve-clone")
    assert yes(federation.desk, "RX1", "oscar", "resolve-clone") == 0
    # A certificate that lives seconds has ended meanwhile; one that lives days has not.
    federation.nodes["RX1"].end()
    give_fresh(federation, "RX1")
    federation.nodes["RX1"].start()
    with Connection.open(federation.home) as connection:
        wait_for(lambda: "RX1" in connection.project("stays").connected, 60, "RX1 to come back")
    assert "resolved" in federation.events("RX1")


@pytest.mark.acceptance("TRN-01")
def test_revoked_certificates_end_a_stream_over_the_websocket_however_often_renewed(federation: Federation) -> None:
    """The delegate names each certificate that the node may present; once all are named it gets no other."""
    named: set[str] = set()
    cuts = federation.log("RX1").count('"disconnected"')

    def cut() -> bool:
        for serial in federation.desk.store.admissions.serials("RX1", int(time.time())) - named:
            federation.live.say("--certificate", serial)
            named.add(serial)
        return "auth-revoked" in federation.log("RX1")

    wait_for(cut, 25, "the stream to end")
    assert federation.log("RX1").count('"disconnected"') > cuts


@pytest.mark.acceptance("TRN-01")
def test_a_revoked_node_loses_its_live_stream_within_five_seconds(federation: Federation) -> None:
    """Another process revokes it; the node that runs is cut off and not let in again."""
    cuts = federation.log("RX2").count('"disconnected"')
    federation.live.cli("node", "revoke", "RX2", "--yes")
    wait_for(lambda: federation.log("RX2").count('"disconnected"') > cuts, 5, "the cut")
    home = federation.nodes["RX2"].home.path
    again = puppet(federation, "RX2", home, counter=counter_of(home) + 100).start()
    wait_for(lambda: again.status is not None, 5, "it to be refused")
    assert again.status is grpc.StatusCode.PERMISSION_DENIED
    again.stop()


def _request(tls_key: bytes) -> bytes:
    from trustquery.identity.certificates import certificate_request

    return certificate_request(tls_key, "RX2")

"""Enrolment of a node against the real coordinator: prints that do not match, repetition, approval."""

from __future__ import annotations

import datetime
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.config import Home as CoordinatorHome
from coordinator.config import load_settings
from coordinator.rosters import draft as draft_roster
from coordinator.services import Base, open_base
from node_agent.config import Home
from node_agent.enrolment.enrol import complete, fetch_anchor, request
from node_agent.enrolment.startup import certificate_days_left, check_certificate, load_startup
from node_agent.network import Network, Proxy
from tests.factories.documents import person
from tests.lib.connect_proxy import connect_proxy
from tests.lib.coordinator import LiveCoordinator
from tests.lib.processes import free_port
from tests.lib.streams import open_stream
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name
from trustquery.protocol.enrolment import EnrolmentCode, proof_message


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCoordinator]:
    coordinator = LiveCoordinator(tmp_path_factory.mktemp("coordinator"))
    yield coordinator
    coordinator.end()


def invite(live: LiveCoordinator, ods: str) -> EnrolmentCode:
    return EnrolmentCode.parse(live.cli("node", "invite", ods, "--name", f"Trust {ods}").strip())


def code_of(action: object, *arguments: object) -> str:
    with pytest.raises(TrustQueryError) as caught:
        action(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_the_whole_way_with_an_interruption(live: LiveCoordinator, tmp_path: Path) -> None:
    code, home = invite(live, "RX1"), Home(tmp_path / "node")
    enrolment = fetch_anchor(code)
    assert enrolment.root == Root.from_payload((live.folder / "root.json").read_bytes())
    words = request(enrolment, home, "Trust RX1")
    assert len(words.split()) == 12
    assert code_of(complete, enrolment, home, lambda: False) == "node-not-approved"
    assert code_of(load_startup, home) == "config-missing"
    # Run again: the same keys, the same words, no second request.
    again = fetch_anchor(code)
    assert request(again, home, "Trust RX1") == words
    assert live.approve("RX1") == words
    node = complete(again, home, lambda: False)
    startup = load_startup(home)
    check_certificate(startup)
    assert (startup.node, startup.federation) == (node, live.federation)
    assert startup.coordinator.grpc_address == f"localhost:{live.grpc_port}"
    assert certificate_days_left(startup, 0) > 0
    for path in home.keys.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in home.path.rglob("*.pem"):
        if b"PRIVATE" in path.read_bytes():
            assert path.parent == home.keys


def test_a_code_works_for_one_node_only(live: LiveCoordinator, tmp_path: Path) -> None:
    code = invite(live, "RX2")
    enrolment = fetch_anchor(code)
    request(enrolment, Home(tmp_path / "one"), "Trust RX2")
    thief = Home(tmp_path / "two")
    words = request(enrolment, thief, "Trust RX2")
    # The second holder of the code sees other words, and the certificate is not for its key.
    approved = live.approve("RX2")
    assert words != approved
    assert code_of(complete, enrolment, thief, lambda: False) == "auth-certificate"


def test_a_print_that_is_not_the_authoritys_stops_at_once(live: LiveCoordinator) -> None:
    code = invite(live, "RX3")
    assert code_of(fetch_anchor, replace(code, authority_sha256="ab" * 32)) == "node-code-invalid"


def test_a_wrong_secret_or_another_trusts_code(live: LiveCoordinator, tmp_path: Path) -> None:
    code = invite(live, "RX4")
    wrong = fetch_anchor(replace(code, secret="0" * 32))
    assert code_of(request, wrong, Home(tmp_path / "a"), "Trust") == "node-code-invalid"
    other = fetch_anchor(replace(code, ods="RX5"))
    assert code_of(request, other, Home(tmp_path / "b"), "Trust") == "node-code-invalid"


def test_nobody_at_the_address(live: LiveCoordinator) -> None:
    code = replace(invite(live, "RX6"), address=f"localhost:{free_port()}")
    assert code_of(fetch_anchor, code) == "node-unreachable"


def test_through_a_proxy_and_what_is_said_when_it_does_not_let_us(live: LiveCoordinator, tmp_path: Path) -> None:
    code, password = invite(live, "RX8"), "p@ss:wörd%41"
    with connect_proxy(user="ann", password=password) as proxy:
        where = f"127.0.0.1:{proxy.port}"
        enrolment = fetch_anchor(code, Network(Proxy(where, "ann", password)))
        request(enrolment, Home(tmp_path / "node"), "Trust RX8")
        assert set(proxy.tunnels) == {f"localhost:{live.api_port}"}
        assert code_of(fetch_anchor, code, Network(Proxy(where, "ann", "wrong"))) == "node-proxy-auth"
        assert code_of(fetch_anchor, code, Network(Proxy(where))) == "node-proxy-auth"
    with connect_proxy("refuse") as proxy:
        assert code_of(fetch_anchor, code, Network(Proxy(f"127.0.0.1:{proxy.port}"))) == "node-proxy-refused"
    assert code_of(fetch_anchor, code, Network(Proxy(f"127.0.0.1:{free_port()}"))) == "node-proxy-unreachable"


def test_an_inspector_of_https_is_believed_only_where_the_settings_name_it(live: LiveCoordinator) -> None:
    code = invite(live, "RX9")
    with connect_proxy("inspects") as proxy, connect_proxy("inspects") as other:
        network = Network(Proxy(f"127.0.0.1:{proxy.port}"))
        assert code_of(fetch_anchor, code, network) == "node-inspected"
        named = replace(network, extra_authorities=proxy.authority_pem.decode())
        assert fetch_anchor(code, named).root == Root.from_payload((live.folder / "root.json").read_bytes())
        another = replace(network, extra_authorities=other.authority_pem.decode())
        assert code_of(fetch_anchor, code, another) == "node-inspected"


def test_a_home_with_keys_that_others_can_read(live: LiveCoordinator, tmp_path: Path) -> None:
    home = Home(tmp_path / "node")
    enrolment = fetch_anchor(invite(live, "RX7"))
    request(enrolment, home, "Trust RX7")
    (home.keys / "identity.pem").chmod(0o640)
    assert code_of(request, enrolment, home, "Trust RX7") == "config-key-file"


@pytest.mark.acceptance("TRN-11")
def test_an_invitation_alone_opens_nothing(live: LiveCoordinator) -> None:
    """Whoever has the code, and even the shell that made it, has no certificate, no stream, no page and no roster.

    Two signed approvals are the control: with them the same code gives the certificate, and the next roster has it.
    """
    home = CoordinatorHome(live.home)
    base = open_base(home, load_settings(home))
    try:
        _opens_nothing(live, base)
    finally:
        base.store.close()


def _opens_nothing(live: LiveCoordinator, base: Base) -> None:
    desk = base.desk
    live.add_operators()

    def yes(name: str) -> int:
        own = SigningKey.load(live.folder / f"{name}.pem")
        return desk.approve(desk.deciding.draft("RX5", "admit").sign(own).encode())[1]

    code = desk.invite("RX5", "Trust RX5", 900)
    key, tls_key = SigningKey.generate(), new_tls_key()
    asked = certificate_request(tls_key, "RX5")
    proof = key.sign(proof_message(EnrolmentCode.parse(code), key.public, asked)).hex()
    body = {"code": code, "ods": "RX5", "name": "Trust RX5", "identity_key": key.public.hex(),
            "csr": asked.decode(), "proof": proof}  # fmt: skip
    bearer = {"Authorization": f"Bearer {code}"}
    with live.http() as client:
        assert client.get("/v1/enrolment/RX5", headers=bearer).json()["problems"][0]["code"] == "node-code-invalid"
        client.post("/v1/enrolment", json=body).raise_for_status()
        found = client.get("/v1/enrolment/RX5", headers=bearer).json()
        assert (found["status"], found["certificate_pem"]) == ("pending", "")
        for path in ("/v1/projects", "/v1/queries"):
            assert client.get(path, headers=bearer).status_code in (401, 405)
        # A certificate that it makes by itself, or none, opens no stream.
        now = datetime.datetime.now(datetime.UTC)
        own = Authority.generate("test", now).issue_node(asked, uri=spiffe_name("test", "RX5"), now=now, seconds=900)
        for key_pem, certificate in ((tls_key, own), (None, None)):
            assert open_stream(live, key_pem, certificate, hello_node="RX5").startswith("refused")
        # The shell that made it: with a key of nobody's, the node's own, or with one person's alone, it admits nobody.
        key.save(live.folder / "node.pem")
        with pytest.raises(AssertionError, match="auth-not-permitted"):
            live.cli("node", "approve", "RX5", "--as", "oscar", "--key", live.folder / "node.pem", "--yes")
        assert yes("oscar") == 1
        assert code_of(yes, "oscar") == "node-one-person"
        assert client.get("/v1/enrolment/RX5", headers=bearer).json()["certificate_pem"] == ""
        assert not _on_the_next_roster(base, "RX5")
        assert yes("olive") == 0
        given = client.get("/v1/enrolment/RX5", headers=bearer).json()["certificate_pem"].encode()
    assert open_stream(live, tls_key, given, hello_node="RX5") == "accepted"
    assert _on_the_next_roster(base, "RX5")


def _on_the_next_roster(base: Base, ods: str) -> bool:
    """Whether the coordinator would have the root holders sign for it."""
    committee = tuple(person(name, SigningKey.generate()) for name in ("ann", "bob"))
    made = draft_roster(
        base.rosters.root, None, base.store.nodes.everyone(), committee, (SigningKey.generate().public.hex(),),
        SigningKey.generate().public, int(time.time()),
    )  # fmt: skip
    return ods in {node.ods for node in made.nodes}

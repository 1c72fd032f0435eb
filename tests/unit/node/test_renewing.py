"""The node's certificate and its join counter: when it asks, what it takes, and what never goes back."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from node_agent.config import Home
from node_agent.enrolment.renewing import Joins, Renewal
from node_agent.enrolment.startup import Coordinator, Startup
from tests.factories.documents import root
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey, verify
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name
from trustquery.protocol.enrolment import join_message

NOW = 1_780_000_000
DAY = 86_400
ROOT = root(*[SigningKey.generate() for _ in range(3)])


def at(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


AUTHORITY = Authority.generate("test", at(NOW - DAY))
KEY, TLS = SigningKey.generate(), new_tls_key()


def issued(when: int, seconds: int, *, node: str = "RX1", tls: bytes = TLS, authority: Authority = AUTHORITY) -> bytes:
    uri = spiffe_name(ROOT.federation, node)
    return authority.issue_node(certificate_request(tls, node), uri=uri, now=at(when), seconds=seconds)


class Clocks:
    """The node's two clocks; the wall clock may be wrong by ``off`` seconds."""

    def __init__(self, off: int = 0) -> None:
        self.passed, self.off = 0.0, off

    def monotonic(self) -> float:
        return 1_000 + self.passed

    def wall(self) -> int:
        return int(NOW + self.passed + self.off)


def renewal(folder: Path, clocks: Clocks, certificate: bytes) -> Renewal:
    home = Home(folder)
    home.create()
    where = Coordinator(format="tq-startup-1", node="RX1", ods="RX1", grpc_address="localhost:1")
    startup = Startup(ROOT, where, AUTHORITY.certificate_pem, certificate, KEY, TLS)
    return Renewal(home, startup, clocks.monotonic, clocks.wall)


@pytest.mark.acceptance("TRN-12")
@pytest.mark.parametrize("off", [0, 300, -300])
@pytest.mark.parametrize("life", [DAY, 7 * DAY, 90 * DAY])
def test_it_asks_at_half_of_its_life_whatever_the_wall_clock_says(tmp_path: Path, life: int, off: int) -> None:
    clocks = Clocks(off)
    found = renewal(tmp_path, clocks, issued(NOW, life))
    clocks.passed = life / 2 - 301
    assert not found.due()
    clocks.passed = life / 2 + 1
    assert found.due()
    assert not found.due(), "an answer is waited for"
    clocks.passed += 61
    assert found.due()
    found.take(issued(int(NOW + clocks.passed), life))
    assert not found.due()
    clocks.passed += life / 2 + 1
    assert found.due()


def test_a_node_that_was_off_asks_soon_and_not_all_the_time(tmp_path: Path) -> None:
    clocks = Clocks()
    found = renewal(tmp_path, clocks, issued(NOW - 6 * DAY, 7 * DAY))
    clocks.passed = 7 * DAY / 8 + 1
    assert found.due()
    assert not found.due()


def test_the_request_is_for_the_key_that_the_roster_lists(tmp_path: Path) -> None:
    found = renewal(tmp_path, Clocks(), issued(NOW, DAY))
    request = x509.load_pem_x509_csr(found.request().request)
    assert request.is_signature_valid
    held = x509.load_pem_x509_certificate(found.startup.certificate_pem).public_key()
    assert request.public_key() == held


def test_a_renewed_certificate_is_kept_and_used(tmp_path: Path) -> None:
    found = renewal(tmp_path, Clocks(), issued(NOW, DAY))
    renewed = issued(NOW + DAY // 2, DAY)
    assert found.take(renewed + b"and something after it").certificate_pem == renewed
    assert (tmp_path / "startup" / "node.crt").read_bytes() == renewed
    assert found.startup.certificate_pem == renewed


@pytest.mark.parametrize(
    "pem",
    [
        b"no certificate",
        issued(NOW + 60, DAY, node="RX2"),
        issued(NOW + 60, DAY, tls=new_tls_key()),
        issued(NOW + 60, DAY, authority=Authority.generate("test", at(NOW - DAY))),
        issued(NOW - 60, DAY),
        AUTHORITY.issue_server(TLS, hosts=["localhost"], now=at(NOW + 60)),
        AUTHORITY.certificate_pem,
    ],
    ids=["unreadable", "other node", "other key", "other authority", "older", "server", "the authority"],
)
def test_no_other_certificate_is_taken(tmp_path: Path, pem: bytes) -> None:
    first = issued(NOW, DAY)
    found = renewal(tmp_path, Clocks(), first)
    with pytest.raises(TrustQueryError) as caught:
        found.take(pem)
    assert caught.value.code == "auth-certificate"
    assert found.startup.certificate_pem == first
    assert not (tmp_path / "startup" / "node.crt").exists()


def test_a_join_proves_the_key_for_this_session_with_a_counter_that_grows(tmp_path: Path) -> None:
    found = renewal(tmp_path, Clocks(), issued(NOW, DAY))
    nonce = b"\x07" * 32
    joins = [found.join(nonce) for _ in range(3)]
    assert [join.counter for join in joins] == [1, 2, 3]
    for join in joins:
        assert verify(KEY.public, join_message(ROOT.federation, "RX1", nonce, join.counter), join.proof)
        assert not verify(KEY.public, join_message(ROOT.federation, "RX1", b"\x08" * 32, join.counter), join.proof)
    again = Renewal(Home(tmp_path), replace(found.startup), Clocks().monotonic, Clocks().wall)
    assert again.join(nonce).counter == 4


@pytest.mark.parametrize("text", [b"", b"-1", b"x", b"1.5", b"9" * 17, b"\xff"])
def test_a_counter_that_cannot_be_read_refuses_to_join(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "joins"
    path.write_bytes(text)
    with pytest.raises(TrustQueryError) as caught:
        Joins(path).next()
    assert caught.value.code == "config-invalid"
    assert path.read_bytes() == text


def test_a_counter_that_cannot_be_written_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "startup").write_text("a file where the folder should be")
    with pytest.raises((TrustQueryError, OSError)):
        Joins(tmp_path / "startup" / "joins").next()


def test_a_certificate_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    first = issued(NOW, DAY)
    found = renewal(tmp_path, Clocks(), first)
    (tmp_path / "startup").rmdir()
    (tmp_path / "startup").write_text("a file where the folder should be")
    with pytest.raises(TrustQueryError) as caught:
        found.take(issued(NOW + 60, DAY))
    assert caught.value.code == "config-invalid"
    assert found.startup.certificate_pem == first

"""TRN-11: one code, whoever uses it, however often, at the same moment: one success at most."""

from __future__ import annotations

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coordinator.enrolment import Desk
from coordinator.store import Store
from tests.factories.documents import NOW, root
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key
from trustquery.protocol.enrolment import EnrolmentCode, proof_message

ROOT = root(*[SigningKey.generate() for _ in range(3)])
AUTHORITY = Authority.generate("test", datetime.datetime.fromtimestamp(NOW, datetime.UTC))
KEYS = [(SigningKey.generate(), certificate_request(new_tls_key(), "any")) for _ in range(2)]


def desk_of(path: Path, now: int = NOW) -> Desk:
    """A desk with a connection of its own, as another process has."""
    store = Store(f"sqlite+pysqlite:///{path}")
    store.create()
    return Desk(store, ROOT, AUTHORITY, "localhost:8443", lambda: now)


def use(desk: Desk, code: str, who: int, *, ods: str = "RX1") -> bool:
    """One node's attempt; whether it was let in."""
    key, request = KEYS[who]
    proof = key.sign(proof_message(EnrolmentCode.parse(code), key.public, request)).hex()
    try:
        desk.enrol(
            code, ods=ods, name="Trust", identity_key=key.public.hex(), request_pem=request.decode(), proof=proof
        )
    except TrustQueryError as error:
        if error.code != "node-code-invalid":
            raise
        return False
    return True


@pytest.mark.acceptance("TRN-11")
def test_two_nodes_race_for_one_code(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rounds = 1_000 if request.config.getoption("--full-size") else 200
    desks = [desk_of(tmp_path / "store.sqlite") for _ in KEYS]
    barrier = threading.Barrier(len(KEYS))
    won = [0, 0]

    def attempt(who: int, code: str) -> bool:
        barrier.wait()
        return use(desks[who], code, who)

    with ThreadPoolExecutor(len(KEYS)) as pool:
        for number in range(rounds):
            code = desks[0].invite("RX1", "Trust", 900)
            tries = [pool.submit(attempt, who, code) for who in range(len(KEYS))]
            let_in = [who for who, done in enumerate(tries) if done.result()]
            assert len(let_in) == 1
            won[let_in[0]] += 1
            row = desks[0].status(code, "RX1")
            assert row.identity_key == KEYS[let_in[0]][0].public.hex()
            if number % 10 == 0:
                assert not any(use(desk, code, who) for who, desk in enumerate(desks))
    assert sum(won) == rounds
    for desk in desks:
        desk.store.close()


@pytest.mark.acceptance("TRN-11")
def test_a_code_is_for_its_trust_and_its_time(tmp_path: Path) -> None:
    desk = desk_of(tmp_path / "store.sqlite")
    code = desk.invite("RX1", "Trust", 900)
    assert not use(desk, code, 0, ods="RX2")
    assert not use(desk, code.replace(".RX1.", ".RX2."), 0, ods="RX2")
    late = desk_of(tmp_path / "store.sqlite", NOW + 900)
    assert not use(late, code, 0)
    assert use(desk, code, 0)
    late.store.close()
    desk.store.close()

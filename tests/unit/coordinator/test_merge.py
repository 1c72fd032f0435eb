"""The merge: only what was signed, only what came in time, never zero for a trust that is missing."""

import base64
import hashlib
import struct
from typing import Any

from coordinator.merge import merge
from coordinator.store import AnswerRow
from tests.factories.documents import NOW, intent, node_entry
from trustquery.errors import Problem
from trustquery.identity import Answer, SigningKey
from trustquery.protocol.answers import KEYED
from trustquery.protocol.pairs import write_pairs

ADA = SigningKey.generate()
KEYS = {ods: SigningKey.generate() for ods in ("RX1", "RX2", "RX3")}
NODES = {ods: node_entry(ods, key) for ods, key in KEYS.items()}
INTENT = intent(ADA)


def row(ods: str, *numbers: int, late: bool = False, key: SigningKey | None = None, **changed: Any) -> AnswerRow:
    vector = struct.pack(f"<{len(numbers)}q", *numbers)
    fields: dict[str, Any] = {
        "federation": "test",
        "release_id": INTENT.release_id,
        "query_hash": INTENT.query_hash,
        "plan_hash": INTENT.plan_hash,
        "node": ods,
        "data_version": 1,
        "policy_hash": "",
        "mode": "local",
        "status": "answer",
        "vector_sha256": hashlib.sha256(vector).hexdigest(),
        "vector_length": len(numbers),
        "rho_nano": 900,
        "ledger_seq": 3,
        "reasons": (),
    }
    document = Answer(**(fields | changed))
    return AnswerRow(
        release_id=INTENT.release_id, node=ods, envelope=document.sign(key or KEYS[ods]).encode(), vector=vector,
        status=document.status, rho_nano=900, late=late, received=NOW,
    )  # fmt: skip


def nothing(ods: str, status: str, reasons: tuple[dict[str, Any], ...] = (), rho_nano: int = 0) -> AnswerRow:
    return row(ods, status=status, vector_sha256="", reasons=reasons, rho_nano=rho_nano)


def test_the_sum_has_no_upper_end() -> None:
    most = 2**63 - 1
    result = merge(INTENT, 2, [row("RX1", most, -5), row("RX2", most, 2), row("RX3", most, 0)], NODES)
    assert result["vector"] == [str(3 * most), "-3"]
    assert [trust["node"] for trust in result["trusts"]] == ["RX1", "RX2", "RX3"]
    assert base64.b64decode(result["trusts"][0]["vector"]) == struct.pack("<2q", most, -5)
    assert result["missing"] == []


def test_who_is_missing_and_why() -> None:
    reason = Problem("budget-exhausted", "", {"scope": "project"}).document()
    result = merge(INTENT, 1, [row("RX1", 1), nothing("RX2", "refused", (reason,))], NODES)
    assert result["vector"] is None
    assert {item["node"]: item["reasons"][0]["code"] for item in result["missing"]} == {
        "RX2": "budget-exhausted",
        "RX3": "node-no-answer",
    }


def test_no_answer_is_shown_like_silence_but_stays_charged() -> None:
    result = merge(INTENT, 1, [row("RX1", 1), row("RX2", 1), nothing("RX3", "no-answer", rho_nano=900)], NODES)
    assert result["vector"] == ["2"]
    [missing] = result["missing"]
    assert missing["reasons"][0]["code"] == "node-no-answer"
    assert missing["rho_nano"] == 900


def test_min_trusts_at_one_below_and_exactly() -> None:
    assert merge(INTENT, 1, [row("RX1", 1)], NODES)["vector"] is None
    assert merge(INTENT, 1, [row("RX1", 1), row("RX2", 1)], NODES)["vector"] == ["2"]


def test_late_forged_and_misshapen_answers_do_not_count() -> None:
    good = [row("RX1", 4), row("RX2", 4)]
    for bad in (
        row("RX3", 4, late=True),
        row("RX3", 4, key=SigningKey.generate()),
        row("RX3", 4, 4),
        row("RX3", 4, rho_nano=1001),
        row("RX3", 4, release_id="cd" * 32),
        row("RX3", 4, reasons=({"code": "x"},)),
        nothing("RX3", "refused"),
    ):
        result = merge(INTENT, 1, [*good, bad], NODES)
        assert result["vector"] == ["8"]
        assert [item["node"] for item in result["missing"]] == ["RX3"]
    spoilt = row("RX3", 4)
    spoilt.vector = struct.pack("<q", 5)
    assert merge(INTENT, 1, [*good, spoilt], NODES)["vector"] == ["8"]


def keyed(ods: str, pairs: dict[str, int], **changed: Any) -> AnswerRow:
    vector = write_pairs(pairs)
    fields: dict[str, Any] = {"vector_sha256": hashlib.sha256(vector).hexdigest(), "vector_length": len(pairs)}
    found = row(ods, **(fields | changed))
    found.vector = vector
    return found


def test_keys_are_summed_over_the_trusts_that_released_them() -> None:
    rows = [keyed("RX1", {"0E11": 5, "0I21": 2**63 - 1}), keyed("RX2", {}), keyed("RX3", {"0I21": 2**63 - 1})]
    result = merge(INTENT, KEYED, rows, NODES)
    assert result["vector"] == [["0E11", "5", 1], ["0I21", str(2**64 - 2), 2]]
    assert [trust["node"] for trust in result["trusts"]] == ["RX1", "RX2", "RX3"]
    assert result["trusts"][1]["vector"] == ""


def test_keys_that_are_not_what_was_signed_are_left_out() -> None:
    one = {"0E11": 5}
    for wrong in (
        keyed("RX2", one, vector_length=2),
        keyed("RX2", one, vector_length=50_001),
        keyed("RX2", one, vector_sha256="0" * 64),
        row("RX2", 1),
    ):
        result = merge(INTENT, KEYED, [keyed("RX1", one), wrong, keyed("RX3", one)], NODES)
        assert result["vector"] == [["0E11", "10", 2]]
        assert [item["node"] for item in result["missing"]] == ["RX2"]
    plain = merge(INTENT, 1, [row("RX1", 1), keyed("RX2", one), row("RX3", 1)], NODES)
    assert plain["vector"] == ["2"]

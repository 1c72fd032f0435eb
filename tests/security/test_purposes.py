"""A purpose outside health and its promotion, or no lawful basis: refused by the node, even if everybody signed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.factories.trust import NOW, key
from tests.lib.document_gate import COMMITTEE, DocumentGate, document_gate
from tests.lib.refusals import code_of
from trustquery.identity import canonical
from trustquery.identity.documents import Purpose
from trustquery.identity.envelope import sign
from trustquery.protocol.messages import Documents

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[DocumentGate]:
    with document_gate(tmp_path) as world:
        yield world


def permit(gate: DocumentGate, change: Change) -> bytes:
    """A permit written by hand, so that no code of ours could object, and signed by the whole committee; the trust's
    whole governance accepts it."""
    written = json.loads(gate.people.the_permit.payload())
    change(written)
    payload = canonical.encode(written)
    gate.accept(hashlib.sha256(payload).hexdigest())
    return sign("permit", payload, map(key, COMMITTEE)).encode()


def ask(gate: DocumentGate, data: bytes) -> list[str]:
    digest = hashlib.sha256(json_payload(data)).hexdigest()
    return gate.refused(gate.offer(gate.people.the_intent(permit_hash=digest), permit=data))


def json_payload(envelope: bytes) -> bytes:
    return base64.b64decode(json.loads(envelope)["payload"])


def purpose(value: object) -> Change:
    return lambda written: written.update(purpose=value)


def basis(**changes: object) -> Change:
    return lambda written: written["lawful_basis"].update(changes)


def without(*path: str) -> Change:
    def remove(written: dict[str, Any]) -> None:
        *above, last = path
        for name in above:
            written = written[name]
        del written[last]

    return remove


PURPOSES = [
    "marketing", "insurance", "insurance-underwriting", "direct-marketing", "health-marketing", "health-insurance",
    "advertising", "credit-scoring", "immigration-enforcement", "research", "other", "", " ", "health", "any",
    "health-research ", " health-research", "Health-Research", "health_research", "health-research\n",
    "health-research,marketing", "health\u2010research", "he\u0430lth-research", "13", "*",
    ["health-research"], ["health-research", "marketing"], {"health-research": True}, None, True, 0, 1,
]  # fmt: skip
BASES: dict[str, Change] = {
    "no lawful basis": without("lawful_basis"),
    "none of it": lambda written: written.update(lawful_basis=None),
    "empty": lambda written: written.update(lawful_basis={}),
    "no Article 6": without("lawful_basis", "article_6"),
    "no Article 9": without("lawful_basis", "article_9"),
    "no common law": without("lawful_basis", "common_law"),
    "blank Article 6": basis(article_6=""),
    "blank Article 9": basis(article_9=""),
    "blank common law": basis(common_law=" \n"),
    "Article 6 that does not exist": basis(article_6="6(1)(g)"),
    "Article 9 that does not exist": basis(article_9="9(2)(k) because we like to"),
    "Article 9 by its first paragraph": basis(article_9="9(1)"),
    "Article 9 in words alone": basis(article_9="health care"),
    "Article 6 in place of 9": basis(article_9="6(1)(e)"),
    "two of Article 9": basis(article_9=["9(2)(h)", "9(2)(i)"]),
    "more than there is": basis(article_10="10"),
}


def test_the_gate_answers_the_permit_that_nobody_changed(gate: DocumentGate) -> None:
    gate.accept()
    answer = gate.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert gate.engine.runs == 1


@pytest.mark.parametrize("value", PURPOSES, ids=repr)
def test_a_purpose_outside_health_is_refused_whoever_signed(gate: DocumentGate, value: object) -> None:
    data = permit(gate, purpose(value))
    assert ask(gate, data) == ["project-purpose"]
    # Nor can governance take it up to begin with: not by file, and not from the federation's stream.
    assert code_of(gate.kept.take_permit, data, NOW) == "project-purpose"
    assert gate.kept.take(Documents(permits=(data,)), gate.book, NOW) == ("project-purpose",)
    assert gate.kept.projects() == ()


def test_a_permit_without_any_purpose_is_refused(gate: DocumentGate) -> None:
    assert ask(gate, permit(gate, without("purpose"))) == ["project-purpose"]


@pytest.mark.parametrize("change", BASES.values(), ids=BASES)
def test_no_lawful_basis_is_refused_whoever_signed(gate: DocumentGate, change: Change) -> None:
    data = permit(gate, change)
    assert ask(gate, data) == ["project-lawful-basis"]
    assert code_of(gate.kept.take_permit, data, NOW) == "project-lawful-basis"


def test_purposes_are_about_health_by_name() -> None:
    # Written out: another purpose is a change of the promise, and of this test.
    assert set(get_args(Purpose)) == {
        "public-health-surveillance", "health-service-planning", "health-service-evaluation", "health-research",
        "clinical-audit", "health-promotion",
    }  # fmt: skip


def test_signatures_come_first(gate: DocumentGate) -> None:
    """Whoever is nobody learns nothing of how a permit is read."""
    written = json.loads(gate.people.the_permit.payload()) | {"purpose": "marketing"}
    data = sign("permit", canonical.encode(written), [key("ann"), key("eve")]).encode()
    assert code_of(gate.kept.take_permit, data, NOW) == "auth-document"

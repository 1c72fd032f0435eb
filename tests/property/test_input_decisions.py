"""A decision on an input is read back as it was signed, and no other byte of it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.documents import NOW, node_entry, person, roster
from trustquery.codelists import CodingSystem
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.projects.inputs import InputDecision, read_decision

ANN, EVE = SigningKey.generate(), SigningKey.generate()
ROSTER = roster((node_entry("RX1", EVE),), (person("ann", ANN),))
decisions = st.builds(
    InputDecision,
    federation=st.just("test"),
    id=st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True),
    version=st.integers(1, 999_999_999),
    table_hash=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    system=st.sampled_from(CodingSystem),
    column=st.from_regex(r"([a-z][a-z0-9_]{0,62})?", fullmatch=True),
    verdict=st.sampled_from(["approve", "refuse"]),
    reason=st.text('aé\n"\\ 漢字', min_size=1, max_size=200),
    person=st.just("ann"),
    decided=st.just(NOW),
)


@given(decisions)
def test_what_was_signed_is_what_is_read(decision: InputDecision) -> None:
    found, signer = read_decision(decision.sign(ANN).encode(), ROSTER)
    assert (found, signer.person) == (decision, "ann")


@given(decisions, st.data())
def test_a_changed_field_or_another_signer_is_refused(decision: InputDecision, data: st.DataObject) -> None:
    envelope = json.loads(decision.sign(ANN).encode())
    other = decision.model_copy(update={"version": decision.version % 999 + 1_000})
    changed = envelope | {"payload": json.loads(other.sign(ANN).encode())["payload"]}
    for bad in (json.dumps(changed).encode(), decision.sign(EVE).encode(), decision.sign(ANN, EVE).encode()):
        if other.version == decision.version and bad == json.dumps(changed).encode():
            continue
        with pytest.raises(TrustQueryError, match="auth-document"):
            read_decision(bad, ROSTER)
    named = decision.model_copy(update={"person": data.draw(st.sampled_from(["bob", "Ann"]))})
    with pytest.raises(TrustQueryError, match="auth-document"):
        read_decision(named.sign(ANN).encode(), ROSTER)

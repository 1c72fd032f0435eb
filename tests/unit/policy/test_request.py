"""The record of one query: one spelling, nothing missing, nothing more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.policy.test_policy import request
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.policy import PolicyRequest


def test_it_survives_being_written_and_read() -> None:
    asked = request(delta_atto=10**18, tables=frozenset({"person", "note"}))
    data = asked.document()
    assert PolicyRequest.from_document(json.loads(canonical.encode(data))) == asked
    assert data["tables"] == ["note", "person"]
    assert data["delta_atto"] == "1000000000000000000"


@pytest.mark.parametrize("field", sorted(PolicyRequest.model_fields))
def test_a_field_that_is_missing_is_an_error(field: str) -> None:
    data = request().document()
    del data[field]
    with pytest.raises(TrustQueryError) as caught:
        PolicyRequest.from_document(data)
    assert (caught.value.code, caught.value.problem.place) == ("policy-request-invalid", field)


@pytest.mark.parametrize(
    "change",
    [
        {"rho_nano": 1.0},
        {"rho_nano": "1"},
        {"cells": True},
        {"unknown_keys": 0},
        {"project": ""},
        {"tables": []},
        {"tables": ["b", "a"]},
        {"tables": ["a", "a"]},
        {"now": -1},
        {"now": object()},
    ],
)
def test_another_type_or_spelling_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(TrustQueryError) as caught:
        PolicyRequest.from_document({**request().document(), **change})
    assert caught.value.code == "policy-request-invalid"


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(TrustQueryError) as caught:
        PolicyRequest.from_document({**request().document(), "projct": "x"})
    assert caught.value.code == "policy-request-unknown-key"
    assert caught.value.problem.fields["nearest"] == "project"


def test_what_is_no_table_is_an_error() -> None:
    wrong: list[object] = [None, [], "x", 1]
    for data in wrong:
        with pytest.raises(TrustQueryError):
            PolicyRequest.from_document(data)

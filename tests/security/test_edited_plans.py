"""AUZ-08: a query changed by one token after it was approved and signed, at every kind of node of the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.catalogues import made_up
from tests.factories.trust import People
from tests.lib.document_gate import document_gate
from tests.lib.examples import Example, compiled
from tests.security.test_forgery import other
from tests.spec import test_after_release as after_release
from tests.spec import test_keys as keys
from tests.spec import test_relations as relations
from tests.spec import test_rows_that_count as rows_that_count
from tests.spec import test_statistics as statistics
from trustquery.identity import canonical
from trustquery.model import Query
from trustquery.protocol.messages import Offer

SPECIFIED: list[Example] = [
    example for module in (relations, keys, rows_that_count, statistics, after_release) for example in module.EXAMPLES
]
Spot = tuple[tuple[str, ...], str]
"""A kind of node, as the names of its fields, and one of them."""


def changes(value: Any) -> Iterator[tuple[Spot, Any]]:
    """Every document that differs in one field of one node, and which."""
    if isinstance(value, dict):
        shape = tuple(sorted(value))
        for name, held in value.items():
            if isinstance(held, dict | list):
                for spot, changed in changes(held):
                    yield spot, {**value, name: changed}
                if isinstance(held, list) and held:
                    yield (shape, name), {**value, name: held[1:]}
                    yield (shape, name), {**value, name: [*held, held[0]]}
            else:
                yield (shape, name), {**value, name: other(name, held)}
            yield (shape, name), {key: kept for key, kept in value.items() if key != name}
    elif isinstance(value, list):
        for place, item in enumerate(value):
            for spot, changed in changes(item):
                yield spot, [*value[:place], changed, *value[place + 1 :]]


def spots(payload: bytes) -> set[Spot]:
    return {spot for spot, _ in changes(json.loads(payload))}


def chosen() -> list[tuple[str, Query, set[Spot]]]:
    """The examples that bring a kind of node which none before them has, and what each is there for."""
    seen: set[Spot] = set()
    found = []
    for example in SPECIFIED:
        query, _ = compiled(example)
        new = spots(query.payload()) - seen
        if new:
            seen |= new
            found.append((example.title, query, new))
    return found


CHOSEN = chosen()


def test_the_examples_hold_every_kind_of_node() -> None:
    """What sets a kind apart is the field of its name: each stands in some example."""
    names = {name for _, _, new in CHOSEN for _, name in new}
    assert names >= {
        "scan", "join", "filter", "mark", "windows", "derived", "per_person", "union_all", "column", "call", "literal",
        "bins", "aggregates", "bound", "joins", "stages", "having", "read",
    }  # fmt: skip
    assert len({shape for _, _, new in CHOSEN for shape, _ in new}) >= 25


@pytest.mark.acceptance("AUZ-08")
@pytest.mark.parametrize(("title", "query", "new"), CHOSEN, ids=[title for title, _, _ in CHOSEN])
def test_one_token_changed_anywhere_is_refused(tmp_path: Path, title: str, query: Query, new: set[Spot]) -> None:
    """AUZ-08: every field of every kind of node; refused before anything is charged or read."""
    left = set(new)
    with document_gate(tmp_path, People(query=query)) as gate:
        gate.accept()
        gate.engine.tables = lambda dataset: frozenset(table.name for table in made_up().tables)  # type: ignore[method-assign]
        whole, signed = gate.offer(), json.loads(query.payload())
        for spot, changed in changes(signed):
            if spot not in left or changed == signed:
                continue
            left.discard(spot)
            codes = gate.refused(Offer(whole.intent, whole.permit, canonical.encode(changed)))
            assert codes, (title, spot)
            assert {"plan", "reserve"}.isdisjoint(gate.steps), (title, spot, codes)
            gate.steps.clear()
        # The control: what nobody changed passes these very steps.
        gate.rested()
        gate.ask()
        assert "policy" in gate.steps
    assert not left

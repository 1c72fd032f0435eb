"""No order of deliveries of validly signed roots, rosters and statements leads a node to accept an older one."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from node_agent.policy_store import DocumentStore
from node_agent.policy_store.files import replace_file
from node_agent.policy_store.newest import see_root, see_roster, see_statement
from tests.factories.trust import NOW, People, key
from tests.lib.memory_ledger import MemoryLedger
from trustquery.errors import TrustQueryError
from trustquery.identity import Revocations, Revoked, Root, Roster
from trustquery.identity.rotation import successor_of
from trustquery.protocol.messages import Documents

STEPS = st.tuples(
    st.sampled_from(["roots", "roster", "revocations"]), st.integers(0, 3), st.sampled_from(["send", "put"])
)


@cache
def made() -> dict[str, tuple[bytes, ...]]:
    """Four versions of each. Every roster is signed by the holders that all roots share, so that each could count."""
    people, shared = People(), ("root0", "root1")
    roots, newest = [people.root.sign(*map(key, shared))], people.root
    for number in range(2, 5):
        last = f"root{number + 1}"
        newest = successor_of(newest, (*people.root.keys[:2], key(last).public.hex()), 2)
        roots.append(newest.sign(*map(key, (*shared, last))))
    rosters = [Roster(**(people.the_roster.model_dump() | {"version": number})) for number in range(1, 5)]
    revoked = [Revoked(kind="key", id=f"{number:064x}", until=0) for number in range(5)]
    statements = [
        Revocations(**(people.the_statement.model_dump() | {"version": number, "revoked": tuple(revoked[:number])}))
        for number in range(1, 5)
    ]
    return {
        "roots": tuple(item.encode() for item in roots),
        "roster": tuple(item.sign(*map(key, shared)).encode() for item in rosters),
        "revocations": tuple(item.sign(key("statement")).encode() for item in statements),
    }


def versions(documents: DocumentStore, ledger: MemoryLedger) -> dict[str, int] | None:
    """What the gate would go by, or None where it refuses."""
    try:
        root, roster = documents.root(), documents.roster(NOW)
        see_root(ledger, root, NOW)
        see_roster(ledger, roster, NOW)
        statement, signers = documents.revocations(NOW)
        see_statement(ledger, statement, signers, roster, NOW)
    except TrustQueryError:
        return None
    return {"roots": root.version, "roster": roster.version, "revocations": statement.version}


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_no_order_of_deliveries_goes_backwards(steps: list[tuple[str, int, str]]) -> None:
    """Each step sends a document, or lays one on the disk past every check; then the node restarts."""
    all_of_them, root, ledger = made(), People().root, MemoryLedger()
    with tempfile.TemporaryDirectory() as folder:
        path, newest = Path(folder), {"roots": 1, "roster": 1, "revocations": 1}
        DocumentStore(path, root).take(Documents(all_of_them["roster"][0], all_of_them["revocations"][0]), ledger, NOW)
        assert versions(DocumentStore(path, root), ledger) == newest
        for kind, number, how in steps:
            data = all_of_them[kind][number]
            if how == "send":
                chain = all_of_them["roots"][1 : number + 1] if kind == "roots" else ()
                single: dict[str, Any] = {} if kind == "roots" else {kind: data}
                DocumentStore(path, root).take(Documents(**single, roots=chain), ledger, NOW)
            elif kind == "roots":
                for file in (path / "roots").glob(f"{number + 1:08d}.dsse"):
                    file.unlink()
            else:
                replace_file(path / f"{kind}.dsse", data)
            found = versions(DocumentStore(path, root), ledger)
            if found is not None:
                assert all(found[name] >= newest[name] for name in newest), (steps, found, newest)
                newest = found


def test_in_the_right_order_each_is_taken() -> None:
    ledger = MemoryLedger()
    with tempfile.TemporaryDirectory() as folder:
        documents = DocumentStore(Path(folder), People().root)
        for number in range(4):
            chain = made()["roots"][1 : number + 1]
            sent = Documents(made()["roster"][number], made()["revocations"][number], roots=chain)
            assert documents.take(sent, ledger, NOW) == ()
            whole = number + 1
            assert versions(documents, ledger) == {"roots": whole, "roster": whole, "revocations": whole}
        assert Root.read(made()["roots"][3]).version == 4

"""A node's public tables: only the very content that a signed model pins is used, and nothing is spent without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node_agent.gate.gate import STEPS
from node_agent.inputs import InputFolder
from tests.factories.catalogues import made_up
from tests.factories.trust import People
from tests.lib.gate_world import World
from tests.lib.refusals import code_of
from trustquery.codelists import PublicTable, PublicTables, read_table, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import Input
from trustquery.language import compile_query
from trustquery.planning import compile_plan
from trustquery.protocol.messages import Preview

CODES = b"code,term\nA,first\nB,second\n"
OTHER = b"code,term\nA,first\nC,third\n"
SQL = "SELECT count(*) AS n FROM event WHERE code IN (SELECT code FROM mine)"


def mine(content: bytes = CODES, version: int = 1, name: str = "mine") -> PublicTable:
    return read_table(content, f"{name}.csv", version=version)


def asking(*tables: PublicTable, sql: str = SQL, intent: dict[str, Any] | None = None) -> People:
    """Ada, who has these tables."""
    public = shipped().with_more(tables or (mine(),))
    query = compile_query(sql, made_up(), epsilon=Decimal("0.05"), public=public)
    return People(query=query, public=public, intent=intent or {})


def world_of(people: People, *held: PublicTable) -> World:
    """A node that holds these tables."""
    world = World(people)
    world.public = shipped().with_more(held)
    world.engine.result = [0] * people.plan.length
    return world


def preview_of(world: World) -> Preview:
    offer = world.offer()
    asked = world.people.the_intent()
    return Preview(
        preview_id=bytes(32), model=offer.model, permit=offer.permit, key_id=asked.key_id, key_kind="file",
        opt_out_treatment=asked.opt_out_treatment, disclosure_profile=asked.disclosure_profile,
        min_trusts=asked.min_trusts,
    )  # fmt: skip


def preview_codes(world: World) -> list[str]:
    from node_agent.gate.case import Peer
    from node_agent.gate.preview import answer_preview

    return [str(reason["code"]) for reason in answer_preview(preview_of(world), Peer(True), world.ports).reasons]


# -- the gate ------------------------------------------------------------------------------------------------------


def test_a_node_that_holds_the_table_answers_with_it_and_with_no_other() -> None:
    world = world_of(asking(), mine(), mine(name="more"))
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert [table.pin for table in world.given[0]] == [mine().pin]
    assert preview_codes(world) == []


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ((), "query-input-unknown"),
        ((mine(name="more"),), "query-input-unknown"),
        ((mine(version=2),), "query-input-differs"),
        ((mine(OTHER),), "query-input-differs"),
        ((mine(CODES + b"D,fourth\n"),), "query-input-differs"),
    ],
)
def test_without_the_very_table_nothing_is_read_and_nothing_spent(held: tuple[PublicTable, ...], code: str) -> None:
    world = world_of(asking(), *held)
    assert world.codes(world.ask()) == [code]
    assert world.engine.runs == 0
    assert world.given == []
    assert world.ledger.totals() == {}
    assert world.steps[-1] == "model"
    names = [name for name, _ in STEPS]
    assert names.index("model") < names.index("reserve")
    assert preview_codes(world) == [code]


def test_an_input_that_the_committee_withdrew_is_refused_though_the_node_holds_it() -> None:
    world = world_of(asking(), mine())
    world.withdrawn = {mine().pin}
    assert world.codes(world.ask()) == ["query-input-withdrawn"]
    assert (world.engine.runs, world.given, world.ledger.totals()) == (0, [], {})
    assert preview_codes(world) == ["query-input-withdrawn"]
    # Another version of the name goes on.
    world = world_of(asking(mine(version=2)), mine(version=2))
    world.withdrawn = {mine().pin}
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"


def test_two_versions_at_one_node_serve_two_projects() -> None:
    for version in (1, 2):
        world = world_of(asking(mine(version=version)), mine(version=1), mine(version=2))
        answer = world.ask()
        assert answer is not None
        assert answer.status == "answer"
        assert [table.version for table in world.given[0]] == [version]


def pins(change: Callable[[list[Input]], list[Input]]) -> list[Input]:
    both = asking(mine(), mine(name="more"), sql=SQL + " OR code IN (SELECT code FROM more)")
    return change(list(both.the_intent().inputs))


@pytest.mark.parametrize(
    "change",
    [
        lambda found: [],
        lambda found: found[:1],
        lambda found: found[::-1],
        lambda found: [*found, found[0]],
        lambda found: [*found, Input(id="zzz", version=1, sha256="ab" * 32)],
        lambda found: [found[0].model_copy(update={"version": 2}), found[1]],
        lambda found: [found[0].model_copy(update={"sha256": "ab" * 32}), found[1]],
        lambda found: [found[0].model_copy(update={"id": "other"}), found[1]],
    ],
    ids=["none", "fewer", "another order", "one twice", "more", "version", "hash", "name"],
)
def test_the_intent_names_the_inputs_of_the_model_exactly(change: Callable[[list[Input]], list[Input]]) -> None:
    people = asking(
        mine(), mine(name="more"), sql=SQL + " OR code IN (SELECT code FROM more)",
        intent={"inputs": tuple(pins(change))},
    )  # fmt: skip
    world = world_of(people, mine(), mine(name="more"))
    assert world.codes(world.ask()) == ["auth-document"]
    assert world.ledger.totals() == {}
    assert world.engine.runs == 0


def test_a_node_cannot_make_its_own_wards_public() -> None:
    """A file in the folder changes nothing for a model that does not pin it, or that means people by the name."""
    people = People()
    world = world_of(people, mine(name="person"))
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert list(world.given[0]) == []


# -- the folder ----------------------------------------------------------------------------------------------------


def query_for(*tables: PublicTable) -> Any:
    return asking(*tables).query


def test_files_are_found_by_name_in_both_forms(tmp_path: Path) -> None:
    folder = InputFolder(tmp_path / "inputs")
    assert list(folder.pinned_by(query_for())) == []
    folder.path.mkdir()
    (folder.path / "mine.csv").write_bytes(CODES)
    (folder.path / "mine@2.csv").write_bytes(CODES)
    (folder.path / "mine@3.json").write_text(json.dumps(mine(version=3).document()))
    (folder.path / "other.csv").write_bytes(CODES)
    found = folder.pinned_by(query_for())
    assert sorted(table.pin.words for table in found) == sorted(mine(version=n).pin.words for n in (1, 2, 3))
    assert compile_plan(query_for(mine(version=2)), made_up(), PublicTables(found)).length > 0
    assert [table.id for table in folder.pinned_by(asking(sql="SELECT count(*) FROM event").query)] == []


def test_a_shipped_table_is_at_hand_without_a_file(tmp_path: Path) -> None:
    sql = "SELECT count(*) FROM event WHERE code IN (SELECT code FROM icd10_category)"
    (found,) = InputFolder(tmp_path).pinned_by(asking(sql=sql).query)
    assert found.pin == asking(sql=sql).query.inputs[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.csv", b"code\nA\nA\n"),
        ("mine.csv", b"nhs_number\n1\n"),
        ("mine.json", b"{"),
        ("mine@2.json", None),
        ("mine@x.csv", CODES),
        (".mine.csv", CODES),
        ("mine.txt", CODES),
    ],
)
def test_a_file_that_is_wrong_is_not_at_hand(tmp_path: Path, name: str, content: bytes | None) -> None:
    text = content if content is not None else json.dumps(mine().document()).encode()
    (tmp_path / name).write_bytes(text)
    assert list(InputFolder(tmp_path).pinned_by(query_for())) == []


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    folder, path = InputFolder(tmp_path), tmp_path / "mine.csv"
    path.write_bytes(CODES)
    assert folder.read(path) is folder.read(path)
    path.write_bytes(OTHER + b"D,more\n")
    assert folder.read(path).rows[-1] == ("D", "more")
    path.unlink()
    with pytest.raises(TrustQueryError, match="cannot be read"):
        folder.read(path)


def test_installing_keeps_one_content_a_version_for_its_owner_alone(tmp_path: Path) -> None:
    folder = InputFolder(tmp_path / "inputs")
    path = folder.install(mine())
    assert path.name == "mine@1.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.install(mine()) == path
    assert code_of(lambda: folder.install(mine(OTHER))) == "query-input-invalid"
    assert folder.install(mine(OTHER, version=2)).name == "mine@2.json"
    assert folder.read(path).sha256 == mine().sha256
    assert code_of(lambda: folder.install(mine(name="esp2013"))) == "query-input-invalid"
    (folder.path / "bad.csv").write_bytes(b"")
    assert [type(found).__name__ for _, found in folder.all()] == ["TrustQueryError", "PublicTable", "PublicTable"]

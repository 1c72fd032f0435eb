"""Coordinator, wire and client together: real processes' rooms over real TLS, with puppets for trusts."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from coordinator.fleet.links import REPLACED_SECONDS
from tests.factories.projects import application, today
from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.processes import command, short, wait_for
from tests.lib.puppet import Puppet, connected
from tests.lib.streams import open_websocket
from trustquery.catalogue import load
from trustquery.client.config import ClientHome
from trustquery.client.connection import Connection
from trustquery.client.past import past_result
from trustquery.client.profiles import ProfileIgnoredWarning
from trustquery.codelists import CodingSystem, PublicTable, shipped
from trustquery.errors import Problem, TrustQueryError
from trustquery.forecast.questions import ProfileQuestion, profile_query
from trustquery.identity import Intent, SigningKey
from trustquery.projects.application import Application
from trustquery.projects.decisions import Stance
from trustquery.protocol.messages import PROTOCOL_VERSION, Documents, Heartbeat, Offer

SQL = "SELECT count(*) AS visits FROM visit_occurrence"
TRUSTS = ("RX1", "RX2", "RX3", "RX4")


@dataclass
class World:
    """A coordinator with four enrolled trusts, one project, one signed-in analyst."""

    live: LiveCoordinator
    nodes: dict[str, EnrolledNode]
    connection: Connection
    committee: dict[str, SigningKey]
    members: dict[str, ClientHome] = field(default_factory=dict)

    def member(self, name: str) -> ClientHome:
        """The home of a member of the committee, who signs in once."""
        if name not in self.members:
            self.members[name] = self.live.sign_in(name, self.committee[name], "--role", "committee-member")
        return self.members[name]

    def puppet(self, ods: str, **strings: object) -> Puppet:
        """A trust on strings."""
        authority = (self.live.home / "authority.pem").read_bytes()
        return Puppet(self.nodes[ods], f"localhost:{self.live.grpc_port}", authority, **strings)  # type: ignore[arg-type]


def stays(key: SigningKey) -> Application:
    """Ada's project, from yesterday on."""
    now = int(time.time())
    return application(key=key.public.hex(), submitted=now, starts=today(-1), ends=today(30))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("federation")
    committee = {name: SigningKey.generate() for name in ("ann", "bob")}
    (folder / "committee.toml").write_text(
        "".join(f'[[people]]\nperson = "{n}"\nname = "{n}"\nkey = "{k.public.hex()}"\n' for n, k in committee.items())
    )
    live = LiveCoordinator(folder)
    try:
        nodes = {ods: live.enrol(ods) for ods in TRUSTS}
        live.install_roster()
        key = SigningKey.generate()
        live.add_project(stays(key), key, *committee.values())
        home = live.sign_in("ada", key)
        with Connection.open(home) as connection:
            wait_for(lambda: _ready(connection), 20, "the roster to be in force")
            yield World(live, nodes, connection, committee)
    finally:
        live.end()


def _ready(connection: Connection) -> bool:
    try:
        return len(connection.project("stays").roster.nodes) == len(TRUSTS)
    except TrustQueryError:
        return False


def test_four_trusts_make_one_sum(world: World) -> None:
    puppets = [world.puppet(ods, value=100 + place) for place, ods in enumerate(TRUSTS)]
    with connected(*puppets):
        query = world.connection.project("stays").sql(SQL, epsilon=0.5)
        result = query.run(wait=20)
        wait_for(lambda: all(puppet.acknowledged() == 1 for puppet in puppets), 5, "acknowledgements")
    assert query.to_arrow()["visits"].to_pylist() == [406.0]
    [(low, high)] = query.intervals["visits"]
    assert low is not None
    assert high is not None
    assert low < 406 < high
    assert [(trust.node, trust.answered) for trust in query.trusts] == [(ods, True) for ods in TRUSTS]
    assert query.cost.rho_nano == query.plan.rho_nano
    assert result.shares["RX1"] == {"project": 0.9}
    assert any("rollback" in note for note in result.notes)
    assert result.merge_checked
    again = past_result(world.connection, result.query_id[:12])
    assert again.table == result.table


def test_keys_found_at_each_trust_make_one_table(world: World) -> None:
    held: tuple[dict[str, int], ...] = ({"044": 100, "07": 50}, {"07": 60, "2": 70}, {}, {"0-3": 40})
    puppets = [world.puppet(ods, keys=keys) for ods, keys in zip(TRUSTS, held, strict=True)]
    sql = "SELECT condition_concept_id AS code, count(DISTINCT person_id) AS n FROM condition_occurrence GROUP BY code"
    with connected(*puppets):
        with pytest.raises(TrustQueryError) as refused:
            world.connection.project("stays").sql(sql, epsilon=0.5)
        query = world.connection.project("stays").sql(sql, epsilon=0.5, unknown_keys=True)
        result = query.run(wait=20)
    assert refused.value.code == "query-key-no-domain"
    assert query.to_arrow().to_pydict()["code"] == ["-3", "7", "44", "missing"]
    assert query.to_arrow().to_pydict()["n"] == [40.0, 110.0, 100.0, 70.0]
    (_, (low, high), (low_of_one, high_of_one), _) = query.intervals["n"]
    assert low is not None
    assert high is not None
    assert low_of_one is not None
    assert high_of_one is not None
    # To the next whole number: what noise is.
    assert abs((high - low) / 2 - 2**0.5 * (high_of_one - low_of_one) / 2) <= 2
    assert result.answered == 4
    assert result.merge_checked
    assert any("found in the data" in note for note in result.notes)
    assert past_result(world.connection, result.query_id[:12]).table == result.table


def test_figures_by_trust_are_each_trusts_own(world: World) -> None:
    puppets = [world.puppet(ods, value=100 + place) for place, ods in enumerate(TRUSTS[:3])]
    puppets.append(world.puppet("RX4", silent=True))
    sql = "SELECT trust, count(*) AS visits FROM visit_occurrence GROUP BY trust"
    with connected(*puppets):
        query = world.connection.project("stays").sql(sql, epsilon=0.5)
        result = query.run(wait=2)
    assert query.to_arrow().select(["trust", "visits"]).to_pydict() == {
        "trust": ["RX1", "RX2", "RX3"],
        "visits": [100.0, 101.0, 102.0],
    }
    low, high = query.intervals["visits"][0]
    assert low is not None
    assert high is not None
    assert (high - low) / 2 == pytest.approx(1.959964 * query.plan.blocks[0].sigma_float)
    assert (result.answered, result.merge_checked) == (3, True)


def approved(world: World, content: bytes, file: str) -> PublicTable:
    """A look-up that ada uploads and ann approves, as it is then fetched by its name."""
    path = world.live.folder / file
    path.write_bytes(content)
    world.connection.inputs().upload(str(path), "stays", CodingSystem.LOOK_UP)
    home = world.member("ann")
    with Connection.open(home) as member:
        desk = member.inputs()
        desk.decide(desk.get(path.stem), "approve", "Public codes.", world.committee["ann"])
    return world.connection.inputs().use(path.stem)


def test_a_codelist_and_parameters_travel_are_signed_and_are_kept_for_the_result(world: World) -> None:
    codes = approved(world, b"code,term\n1,a\n2,b\n", "mine.csv")
    sql = (
        "SELECT count(*) AS visits FROM condition_occurrence WHERE condition_source_value IN (SELECT code FROM mine) "
        "AND condition_start_date IN (SELECT day FROM calendar_day) AND condition_source_value NOT IN ($codes)"
    )
    held = shipped().with_more([codes])
    puppets = [world.puppet(ods, value=10, public=held) for ods in TRUSTS]
    with connected(*puppets):
        query = world.connection.project("stays").sql(
            sql, epsilon=0.5, inputs=[codes], parameters={"codes": ["1", "it's"]}
        )
        result = query.run(wait=20)
        offers = [message for puppet in puppets for message in puppet.received if isinstance(message, Offer)]
    intent = Intent.read(offers[-1].intent)
    assert [item.model_dump() for item in intent.inputs] == [pin.document() for pin in query.model.inputs]
    assert [pin.id for pin in query.model.inputs] == ["calendar_day", "mine"]
    assert query.to_arrow()["visits"].to_pylist() == [40.0]
    assert "mine, version 1 (" in " ".join(query.explain().words)
    assert world.connection.status(result.query_id)["parameters"]["codes"][1] == {"type": "text", "value": "it's"}
    # The result is read again from what the coordinator keeps: the file is no longer needed.
    assert past_result(world.connection, result.query_id[:12]).table == result.table


def test_a_silent_and_a_refusing_trust_are_missing_not_zero(world: World) -> None:
    refusal = Problem("budget-exhausted", "", {"scope": "project"})
    puppets = [
        world.puppet("RX1", value=10),
        world.puppet("RX2", value=20),
        world.puppet("RX3", silent=True),
        world.puppet("RX4", refuse=refusal),
    ]
    with connected(*puppets):
        started = time.monotonic()
        result = world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=2)
    assert time.monotonic() - started < 10
    assert result.to_arrow()["visits"].to_pylist() == [30.0]
    missing = {trust.node: [reason.code for reason in trust.reasons] for trust in result.trusts if not trust.answered}
    assert missing == {"RX3": ["node-no-answer"], "RX4": ["budget-exhausted"]}


def test_too_few_would_answer_and_nothing_is_asked(world: World) -> None:
    refusal = Problem("budget-exhausted", "", {"scope": "project"})
    puppets = [world.puppet(ods, refuse=refusal) for ods in TRUSTS]
    with connected(*puppets), pytest.raises(TrustQueryError) as caught:
        world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=2)
    assert caught.value.exit_status == 20
    places = [problem.place for problem in caught.value.problems if problem.code == "budget-exhausted"]
    assert places == [", ".join(TRUSTS)]


def test_too_few_answers_make_no_result(world: World) -> None:
    puppets = [world.puppet("RX1"), *(world.puppet(ods, silent=True) for ods in TRUSTS[1:])]
    with connected(*puppets), pytest.raises(TrustQueryError) as caught:
        world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=2)
    assert caught.value.code == "query-too-few-trusts"
    assert caught.value.exit_status == 14


@pytest.mark.acceptance("AVL-09")
@pytest.mark.parametrize(
    "strings",
    [
        {"twist": {"plan_hash": "cd" * 32}},
        {"twist": {"release_id": "cd" * 32}},
        {"twist": {"query_hash": "cd" * 32}},
        {"twist": {"rho_nano": 10**14}},
        {"twist": {"node": "RX2"}},
        {"twist": {"vector_length": 2}},
        {"twist": {"vector_sha256": "cd" * 32}},
        {"signer": SigningKey.generate()},
        {"spoil": lambda vector: bytes(len(vector))},
        {"spoil": lambda vector: vector + bytes(8)},
    ],
)
def test_an_answer_that_was_tampered_with_is_not_merged(world: World, strings: dict[str, object]) -> None:
    puppets = [world.puppet(ods, value=7) for ods in TRUSTS[:3]] + [world.puppet("RX4", **strings)]
    with connected(*puppets):
        result = world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=10)
    assert result.to_arrow()["visits"].to_pylist() == [21.0]
    assert [trust.node for trust in result.trusts if not trust.answered] == ["RX4"]


def flapping(world: World, ods: str, until: threading.Event) -> None:
    """A node that joins, reads what it is offered, and hangs up, again and again."""
    while not until.is_set():
        with connected(world.puppet(ods, silent=True)):
            until.wait(0.1)


@pytest.mark.acceptance("AVL-09")
def test_slow_half_open_and_flapping_trusts_hold_nobody_up_and_are_named(world: World) -> None:
    """A slow one still counts where it is in time; the others' sum is there at the deadline and not after it."""
    ended = threading.Event()
    flaps = threading.Thread(target=flapping, args=(world, "RX4", ended))
    honest, slow = world.puppet("RX1", value=7, stray=True), world.puppet("RX2", value=7, delay=1.5)
    flaps.start()
    try:
        with connected(honest, slow, world.puppet("RX3", deaf=True)):
            started = time.monotonic()
            query = world.connection.project("stays").sql(SQL, epsilon=0.5)
            result = query.run(wait=5)
            spent = time.monotonic() - started
            wait_for(lambda: (honest.acknowledged(), slow.acknowledged()) == (1, 1), 5, "acknowledgements")
            # An answer to what was never offered is not acknowledged, ends no stream, and is nobody's.
            assert honest.status is None
    finally:
        ended.set()
        flaps.join(20)
    assert result.to_arrow()["visits"].to_pylist() == [14.0]
    missing = {trust.node: [reason.code for reason in trust.reasons] for trust in result.trusts if not trust.answered}
    assert missing == {"RX3": ["node-no-answer"], "RX4": ["node-no-answer"]}
    # Deadline, previews of the deaf one, and generous slack.
    assert spent < 30


@pytest.mark.acceptance("AVL-09")
def test_one_honest_trust_among_three_bad_ones_makes_no_result_and_the_rule_is_shown(world: World) -> None:
    """Who lied is named as missing, and the refusal says how many answered and how many the project needs."""
    bad = [
        world.puppet("RX2", signer=SigningKey.generate()),
        world.puppet("RX3", spoil=lambda vector: vector + bytes(8)),
        world.puppet("RX4", twist={"plan_hash": "cd" * 32}),
    ]
    with connected(world.puppet("RX1"), *bad), pytest.raises(TrustQueryError) as caught:
        world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=5)
    first = next(problem for problem in caught.value.problems if problem.code == "query-too-few-trusts")
    assert "1 of 4 trusts answered; the project needs 2" in first.reason


@pytest.mark.acceptance("AVL-10")
@pytest.mark.parametrize("version", [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1])
def test_in_a_mixed_fleet_another_version_is_refused_by_name_and_the_others_answer(world: World, version: int) -> None:
    """Also the control: one that speaks this version beside another is let in."""
    node = world.nodes["RX1"]
    with connected(*(world.puppet(ods, value=7) for ods in TRUSTS[1:])):
        said = open_websocket(world.live, node.tls_key, node.certificate, versions=(version,))
        assert said == "refused node-protocol-version"
        result = world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=5)
    assert result.to_arrow()["visits"].to_pylist() == [21.0]
    assert [trust.node for trust in result.trusts if not trust.answered] == ["RX1"]
    both = open_websocket(world.live, node.tls_key, node.certificate, versions=(version, PROTOCOL_VERSION))
    assert both == "accepted"


def test_a_trust_that_comes_late_is_offered_what_is_open(world: World) -> None:
    puppets = [world.puppet(ods, value=1) for ods in TRUSTS[:3]]
    late = world.puppet("RX4", value=1)
    with connected(*puppets):
        seen: list[int] = []

        def on_progress(view: object) -> None:
            if not seen:
                late.start()
            seen.append(1)

        result = world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=20, on_progress=on_progress)
        late.stop()
    assert result.answered == 4


def test_a_restart_keeps_an_open_query(world: World) -> None:
    puppets = [world.puppet(ods, silent=True) for ods in TRUSTS]
    with connected(*puppets):
        query = world.connection.project("stays").sql(SQL, epsilon=0.5)
        _, query_id = query._submit(20)
        wait_for(lambda: world.connection.status(query_id)["state"] == "offered", 5, "the offer")
    world.live.process.end()
    world.live.process.start("listening")
    with connected(*(world.puppet(ods, value=2) for ods in TRUSTS)):
        wait_for(lambda: world.connection.status(query_id)["state"] == "closed", 10, "the result")
    assert past_result(world.connection, query_id).to_arrow()["visits"].to_pylist() == [8.0]


def test_a_cancelled_query_keeps_late_answers_apart(world: World) -> None:
    silent = world.puppet("RX1", silent=True)
    with connected(silent, world.puppet("RX2", silent=True)):
        _, query_id = world.connection.project("stays").sql(SQL, epsilon=0.5)._submit(20)
        wait_for(lambda: any(isinstance(message, Offer) for message in silent.received), 5, "the offer")
        assert world.connection.cancel(query_id)
        assert not world.connection.cancel(query_id)
        offer = next(message for message in silent.received if isinstance(message, Offer))
        silent.say(silent.answer(offer))
        wait_for(lambda: silent.acknowledged() == 1, 5, "the acknowledgement")
    view = world.connection.status(query_id)
    assert view["state"] == "cancelled"
    assert view["result"] is None
    assert [(trust["node"], trust["late"]) for trust in view["trusts"] if trust["status"] == "answer"] == [
        ("RX1", True)
    ]


def test_one_stream_per_node_the_newer_wins(world: World) -> None:
    older, newer = world.puppet("RX1"), world.puppet("RX1")
    with connected(older), connected(newer):
        wait_for(lambda: older.status is not None, REPLACED_SECONDS + 15, "the older stream to end")
        assert newer.status is None


# -- profiles ---------------------------------------------------------------------------------------------------------

ROWS = ProfileQuestion("visit_occurrence", "rows")
COLUMN = ("omop-5.4", "--table", "visit_occurrence", "--column", "visit_start_date")


def tq(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = str(world.connection.home.path)
    return short([command("tq"), "profile", *arguments], os.environ | {"TQ_HOME": home, "COLUMNS": "200"}, seconds=100)


def test_a_profile_is_asked_once_and_read_by_everybody(world: World) -> None:
    project = world.connection.project("stays")
    assert project.profiles().get("visit_occurrence", "rows") is None
    with connected(*(world.puppet(ods, value=1_000) for ods in TRUSTS)):
        result = project.ask_profile(ROWS).run(wait=20)
    assert result.answered == 4
    known = project.profiles().get("visit_occurrence", "rows")
    assert known is not None
    # Each of four trusts put 1,000 people in every bin.
    assert known.size == pytest.approx(21_000, rel=0.01)


def test_the_command_lists_asks_what_is_missing_and_shows(world: World) -> None:
    listed = tq(world, "list", *COLUMN, "--format", "json")
    assert listed.returncode == 0, listed.stderr
    rows = {row["about"]: row for row in json.loads(listed.stdout)}
    assert (rows["rows"]["released"], rows["rows"]["trusts"]) == (True, 4)
    assert (rows["distinct"]["released"], rows["distinct"]["epsilon"]) == (False, "0.1000")
    with connected(*(world.puppet(ods, value=1_000) for ods in TRUSTS)):
        unsure = tq(world, "request", *COLUMN)
        narrow = tq(world, "request", *COLUMN, "--yes", "--max-epsilon", "0.09")
        asked = tq(world, "request", *COLUMN, "--yes", "--max-epsilon", "0.11")
        again = tq(world, "request", *COLUMN, "--yes", "--max-epsilon", "0.11")
    assert (unsure.returncode, narrow.returncode) == (2, 20)
    assert "query-not-confirmed" in unsure.stderr
    assert "query-max-epsilon" in narrow.stderr
    assert asked.returncode == 0, asked.stderr
    assert "1 of 2 are released already" in asked.stderr
    assert "[1 of 1] distinct values of visit_occurrence.visit_start_date" in asked.stderr
    assert "4 of 4 trusts answered" in asked.stderr
    assert "2 of 2 are released already" in again.stderr
    for form in ("table", "jsonl", "csv", "json"):
        shown = tq(world, "show", *COLUMN, "--format", form)
        assert shown.returncode == 0, shown.stderr
        assert "rows of visit_occurrence a person" in shown.stdout
    profiles = json.loads(shown.stdout)["profiles"]
    assert [(item["about"], len(item["trusts"])) for item in profiles] == [("rows", 4), ("distinct", 4)]
    assert 0 < profiles[0]["people_beyond"] < 1
    assert profiles[0]["p99"] > profiles[0]["median"]


def test_the_command_says_what_is_wrong(world: World) -> None:
    for arguments, code in (
        (("request", "omop-5.4"), "usage-invalid"),
        (("list", "omop-5.4", "--column", "visit_start_date"), "usage-invalid"),
        (("list", "omop-5.4", "--table", "visit_occurence"), "query-unknown-table"),
        (("list", *COLUMN[:4], "person_id"), "usage-invalid"),
        (("show", "nhs-episodes"), "usage-invalid"),
        (("show", "nhs-episodes", "--project", "stays"), "project-dataset-not-permitted"),
    ):
        done = tq(world, *arguments)
        assert done.returncode != 0
        assert f"error: {code}" in done.stderr, (arguments, done.stderr)
        assert done.stdout == ""


def test_an_exhausted_cap_ends_the_asking_with_the_scope_and_what_helps(world: World) -> None:
    refusal = Problem("budget-exhausted", fields={"scope": "profiles"})
    with connected(*(world.puppet(ods, refuse=refusal) for ods in TRUSTS)):
        done = tq(world, "request", "omop-5.4", "--table", "person", "--yes", "--max-epsilon", "1")
    assert done.returncode == 20
    assert "the profiles budget at this trust" in done.stderr
    assert "raise the profiles cap" in done.stderr


def test_a_coordinator_that_serves_another_querys_result_as_a_profile_is_caught(world: World) -> None:
    """What an intruder at the centre could do: put a counted query's result in the place of a profile's."""
    project = world.connection.project("stays")
    database = world.live.home / "coordinator.sqlite"
    _, model = profile_query(ROWS, load("omop-5.4"))
    with connected(*(world.puppet(ods, value=10) for ods in TRUSTS)):
        project.ask_profile(ROWS).run(wait=20)
        project.sql(SQL, epsilon=0.25).run(wait=20)
    with sqlite3.connect(database) as connection:
        kept = connection.execute("SELECT result, rowid FROM queries WHERE query_hash = ?", (model.sha256,)).fetchall()
        other = connection.execute(
            "SELECT result FROM queries WHERE result IS NOT NULL AND query_hash <> ?", (model.sha256,)
        ).fetchone()
        connection.execute("UPDATE queries SET result = ? WHERE query_hash = ?", (*other, model.sha256))
    connection.close()
    shutil.rmtree(world.connection.home.profiles)
    try:
        with pytest.warns(ProfileIgnoredWarning, match="rows of visit_occurrence"):
            assert project.profiles().get("visit_occurrence", "rows") is None
    finally:
        with sqlite3.connect(database) as connection:
            connection.executemany("UPDATE queries SET result = ? WHERE rowid = ?", kept)
        connection.close()
    assert project.profiles().get("visit_occurrence", "rows") is not None


# -- what trusts say of projects ---------------------------------------------------------------------------------------


def kept_stances(world: World) -> list[tuple[str, str]]:
    database = world.live.home / "coordinator.sqlite"
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT node, word FROM stances ORDER BY node").fetchall()
    connection.close()
    return rows


def stance(world: World, ods: str, signer: str | None = None, **changes: object) -> Documents:
    facts = {
        "federation": "test", "node": ods, "project": "stays",
        "permit_hash": world.connection.project("stays").permit.sha256, "word": "declined", "acceptance_hash": "",
        "conditions": (), "reason": "Not for us.", "rho_nano": 0, "said": int(time.time()),
        "expires": int(time.time()) + 1_000,
    }  # fmt: skip
    signed = Stance.model_validate(facts | changes).sign(world.nodes[signer or ods].key)
    return Documents(stances=(signed.encode(),))


def test_a_trusts_word_is_kept_where_its_own_node_says_it(world: World) -> None:
    first, second = world.puppet("RX1"), world.puppet("RX2")
    with connected(first, second):
        # What does not verify is passed over, and the stream goes on.
        second.say(stance(world, "RX1"))
        second.say(stance(world, "RX2", signer="RX1"))
        second.say(stance(world, "RX2", permit_hash="ab" * 32))
        first.say(stance(world, "RX1"))
        wait_for(lambda: kept_stances(world) == [("RX1", "declined")], 5, "the first trust's word")
        second.say(stance(world, "RX2"))
        wait_for(lambda: len(kept_stances(world)) == 2, 5, "the second trust's word")
        assert (first.status, second.status) == (None, None)


def test_a_node_that_floods_is_not_heard_and_others_are(world: World) -> None:
    flooding, other = world.puppet("RX4"), world.puppet("RX3")
    with connected(flooding, other):
        for _ in range(6):
            flooding.say(Documents(stances=(b"s",) * 200))
        flooding.say(stance(world, "RX4"))
        flooding.say(Heartbeat())
        wait_for(lambda: any(isinstance(item, Heartbeat) for item in flooding.received), 20, "the flood's end")
        other.say(stance(world, "RX3"))
        wait_for(lambda: ("RX3", "declined") in kept_stances(world), 5, "the other trust's word")
    assert "RX4" not in {node for node, _ in kept_stances(world)}


def test_a_node_that_sends_anything_but_stances_is_cut_off(world: World) -> None:
    import grpc

    for message in (
        Documents(roster=b"r"),
        Documents(permits=(b"p",), stances=(b"s",)),
        Documents(stances=(b"s",) * 201),
        Documents(),
    ):
        puppet = world.puppet("RX3")
        with connected(puppet):
            puppet.say(message)
            wait_for(lambda cut=puppet: cut.status is not None, 5, "the cut")  # type: ignore[misc]
            assert puppet.status is grpc.StatusCode.INVALID_ARGUMENT


# -- changes to documents ---------------------------------------------------------------------------------------------


def test_a_new_permit_reaches_connected_nodes(world: World) -> None:
    puppet = world.puppet("RX1")
    with connected(puppet):
        wait_for(lambda: len(puppet.documents()) == 1, 5, "documents")
        assert puppet.documents()[0].roster
        assert len(puppet.documents()[0].permits) == 1
        with Connection.open(world.member("ann")) as member:
            decision = member.applications().decision("stays", "suspend", "The lead has left.")
            member.applications().decide(decision, decision.sign(world.committee["ann"]))
        wait_for(lambda: len(puppet.documents()) == 2, 5, "documents again")
        assert puppet.documents()[1].permits == ()
    with pytest.raises(TrustQueryError) as caught:
        world.connection.project("stays").sql(SQL, epsilon=0.5).run(wait=2)
    assert caught.value.code == "project-ended"


def test_a_revoked_node_is_cut_off(world: World) -> None:
    import grpc

    puppet = world.puppet("RX1")
    with connected(puppet):
        world.live.cli("node", "revoke", "RX1", "--yes")
        wait_for(lambda: puppet.status is not None, 5, "the cut")
        assert puppet.status is grpc.StatusCode.PERMISSION_DENIED
    again = world.puppet("RX1").start()
    assert again.status is grpc.StatusCode.PERMISSION_DENIED
    again.stop()

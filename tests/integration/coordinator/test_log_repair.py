"""A coordinator of a backup contradicts nothing that witnesses have seen; two people go on under a new key."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from coordinator.backup import make_backup, restore_backup
from coordinator.cli.main import app
from coordinator.config import Home, load_settings, sample_text
from coordinator.fleet.links import Fleet
from coordinator.fleet.log_publishing import Publisher
from coordinator.fleet.remote_witnesses import Remote
from coordinator.fleet.witnessing import Relay
from coordinator.repairing import begin_anew, behind_of, keep_behind, repair_message
from coordinator.services import Base, open_base
from tests.factories.documents import NOW, node_entry, root, roster
from tests.factories.trust import key
from tests.lib.refusals import code_of
from trustquery.access import Held, Role
from trustquery.client.audit import Trusted, keep
from trustquery.client.audit import verify as verify_export
from trustquery.client.config import ClientHome
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey, verify
from trustquery.identity.certificates import Authority
from trustquery.log import Checkpoint, Entry, VerifierKey, Witness
from witness.server import make_app
from witness.store import SqliteHeads

ALONE = VerifierKey("w1.example", key("w1.example").public, witness=True)
HOLDERS = [SigningKey.generate() for _ in range(3)]
PEOPLE = {name: SigningKey.generate() for name in ("olive", "oscar", "ada")}
ORIGIN = "test/coordinator"


def make_home(folder: Path) -> Home:
    home = Home(folder)
    folder.mkdir(mode=0o700)
    home.settings.write_text(sample_text().replace('"demo"', '"test"'))
    home.root.write_bytes(root(*HOLDERS).payload())
    authority = Authority.generate("test", datetime.datetime.now(datetime.UTC))
    home.authority_key.write_bytes(authority.key_pem)
    home.authority_key.chmod(0o600)
    home.authority.write_bytes(authority.certificate_pem)
    SigningKey.generate().save(home.key)
    return home


class World:
    """A coordinator that can be put back, and a witness that cannot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = self.opened(make_home(folder / "home"))
        for name, signing in PEOPLE.items():
            held = Held(Role.ANALYST if name == "ada" else Role.FEDERATION_OPERATOR)
            assert self.base.store.people.add(name, signing.public.hex(), NOW, held=[held])
        self.name_key(1)
        self.heads = SqliteHeads(folder / "heads.sqlite", logs=self.key_of)

    def key_of(self, origin: str) -> bytes | None:
        """Whom the roster names."""
        found = self.base.rosters.current()
        return bytes.fromhex(found.coordinator_key) if origin == ORIGIN else None

    def name_key(self, version: int) -> None:
        """The root's holders sign a roster that names the coordinator's present key."""
        found = roster((node_entry("RX1", key("RX1")),), (), version=version).model_copy(
            update={"coordinator_key": SigningKey.load(self.base.home.key).public.hex()}
        )
        self.base.rosters.install(found.sign(*HOLDERS[:2]).encode(), NOW)

    def opened(self, home: Home) -> Base:
        return open_base(home, load_settings(home))

    def publisher(self) -> Publisher:
        """That of a process that has just started."""
        unused: Any = None
        fleet = Fleet()
        relay = Relay("test", fleet, unused, lambda node: None, lambda: 0.0)
        signer = Witness(ALONE.name, key(ALONE.name), self.heads, self.key_of)
        web = make_app(signer, ALONE, self.heads, lambda: NOW)
        remote = Remote(ALONE, "https://w.example", httpx.ASGITransport(web))
        home = self.base.home
        return Publisher(
            "test", lambda: self.base.audit_log, fleet, relay, self.base.rosters, (remote,), 0,
            behind=behind_of(home), keep=lambda note: keep_behind(home, note),
        )  # fmt: skip

    def tick(self) -> int:
        return asyncio.run(self.publisher().tick())

    def happen(self, *names: str) -> None:
        for name in names:
            assert self.base.store.people.add(name, SigningKey.generate().public.hex(), NOW)

    def put_back(self, *lost: str) -> None:
        """A backup; these happen after it and are published; the disk is lost and the backup restored."""
        self.happen("before")
        assert self.tick() == 1
        make_backup(self.base.home, self.base.settings, self.folder / "backup", NOW)
        self.happen(*lost)
        if lost:
            assert self.tick() == 1
        self.read()
        self.base.store.close()
        home = Home(self.folder / "restored")
        restore_backup(self.folder / "backup", home, NOW)
        self.base = self.opened(home)

    def witnessed(self) -> list[Checkpoint]:
        return [Checkpoint.read(note) for _, note in self.heads.heads()]

    def read(self) -> list[Entry]:
        """What somebody checks who has read it before, with the key that the roster names now."""
        log = self.base.audit_log
        reader = ClientHome(self.folder / "reader")
        named = self.key_of(ORIGIN)
        assert named is not None
        trusted = Trusted(VerifierKey(ORIGIN, named, witness=False), {ALONE.name: ALONE.public}, 1)

        def fetch(path: str) -> bytes:
            found = log.shown() if path == "checkpoint" else log.file(path.removeprefix("tile/"))
            assert found is not None
            return found

        found = verify_export(reader, fetch, trusted)
        keep(reader, trusted.key, found)
        return list(found.entries)

    def close(self) -> None:
        self.heads.close()
        self.base.store.close()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    found = World(tmp_path)
    yield found
    found.close()


def tick_code(world: World) -> str:
    with pytest.raises(TrustQueryError) as caught:
        world.tick()
    return caught.value.code


@pytest.mark.acceptance("AUD-04")
def test_after_an_old_backup_nothing_is_signed_that_contradicts_what_was_published(world: World) -> None:
    world.put_back("lost-1", "lost-2")
    (before,) = world.witnessed()
    # Other things happen: as many as were lost, and more.
    world.happen("other-1", "other-2", "other-3")
    old = Checkpoint.read(world.base.audit_log.shown())
    assert tick_code(world) == "log-behind"
    assert world.witnessed() == [before]
    assert world.heads.forks() == []
    assert Checkpoint.read(world.base.audit_log.shown()) == old
    assert Checkpoint.read(behind_of(world.base.home)) == before
    # Also where the witness is away at the next start.
    world.base.home.log_behind.rename(world.folder / "aside")
    assert tick_code(world) == "log-behind"


@pytest.mark.acceptance("AUD-04")
def test_after_a_backup_that_lost_nothing_the_log_goes_on(world: World) -> None:
    """The control: it is not every restored coordinator that stands still."""
    world.put_back()
    world.happen("later")
    assert world.tick() == 1
    assert [head.size for head in world.witnessed()] == [world.base.store.audit.size()]
    assert behind_of(world.base.home) == b""


@pytest.mark.acceptance("AUD-04")
def test_two_people_go_on_under_a_new_key_and_the_old_heads_stay_true(world: World) -> None:
    world.put_back("lost-1", "lost-2")
    (lost,) = world.witnessed()
    here = world.base.store.audit.size()
    assert tick_code(world) == "log-behind"
    old = SigningKey.load(world.base.home.key)
    # The reader notices as well, for as long as the key is the same.
    assert code_of(world.read) == "log-rewound"
    note = behind_of(world.base.home)
    made = begin_anew(world.base, note, [(name, PEOPLE[name]) for name in ("olive", "oscar")])
    world.base.store.close()
    world.base = world.opened(world.base.home)
    assert world.base.audit_log.verifier_key.public == made.public != old.public
    world.name_key(2)
    assert world.tick() == 1
    entries = world.read()
    kept = json.loads((world.folder / "reader" / "logs.json").read_text())
    assert sorted(Checkpoint.read(item["note"].encode()).size for item in kept.values()) == [lost.size, len(entries)]
    (restart,) = [entry for entry in entries if entry.kind == "log.restart"]
    assert restart.seq == here + 1
    _, person, words = world.base.store.audit.opened(restart.seq) or (b"", "", "")
    assert (person, words) == ("olive", f"olive and oscar: {lost.size} entries were signed, {here} of them are here")
    # A crash between the new key and the end of it leaves a note that stops nothing.
    keep_behind(world.base.home, note)
    assert world.tick() == 1
    # Both heads are at the witness: what it signed before is as true as it was, and there is no fork.
    assert lost in world.witnessed()
    assert len(world.witnessed()) == 2
    assert world.heads.forks() == []
    # Both people's signatures over the head are kept, and no old key is left to sign with.
    (order,) = world.base.home.path.glob("order-*.json")
    said = json.loads(order.read_text())
    for name in ("olive", "oscar"):
        signed = said["signed"][name]
        assert verify(PEOPLE[name].public, repair_message("test", note), bytes.fromhex(signed["signature"]))
    keys = list(world.base.home.path.glob("coordinator*.pem"))
    assert [SigningKey.load(path).public for path in keys] == [made.public]


@pytest.mark.parametrize(
    ("people", "code"),
    [
        ([], "auth-not-permitted"),
        (["olive"], "auth-not-permitted"),
        (["olive", "olive"], "auth-not-permitted"),
        (["olive", "ada"], "auth-not-permitted"),
        (["olive", "oscar", "ada"], "auth-not-permitted"),
    ],
)
def test_it_takes_two_who_may(world: World, people: list[str], code: str) -> None:
    world.put_back("lost")
    assert tick_code(world) == "log-behind"
    before = world.base.home.key.read_bytes()
    assert code_of(begin_anew, world.base, behind_of(world.base.home), [(n, PEOPLE[n]) for n in people]) == code
    assert world.base.home.key.read_bytes() == before


def test_a_key_of_somebody_else_decides_nothing(world: World) -> None:
    world.put_back("lost")
    assert tick_code(world) == "log-behind"
    people = [("olive", PEOPLE["olive"]), ("oscar", PEOPLE["olive"])]
    assert code_of(begin_anew, world.base, behind_of(world.base.home), people) == "auth-not-permitted"


def test_a_log_that_holds_what_was_signed_is_not_begun_anew(world: World) -> None:
    world.put_back()
    people = [(name, PEOPLE[name]) for name in ("olive", "oscar")]
    head = world.base.audit_log.shown()
    assert code_of(begin_anew, world.base, head, people) == "log-repair-refused"
    forged = Checkpoint(ORIGIN, 99, bytes(32)).sign(SigningKey.generate())
    assert code_of(begin_anew, world.base, forged, people) == "log-repair-refused"


def test_a_crash_in_between_is_repeated_and_makes_one_entry(world: World) -> None:
    world.put_back("lost")
    assert tick_code(world) == "log-behind"
    note, people = behind_of(world.base.home), [(name, PEOPLE[name]) for name in ("olive", "oscar")]
    # A folder in the way of the key: the entry is written, and the key cannot be put in place.
    kept = world.base.home.key.read_bytes()
    world.base.home.key.unlink()
    world.base.home.key.mkdir()
    with pytest.raises(OSError, match="directory"):
        begin_anew(world.base, note, people)
    world.base.home.key.rmdir()
    world.base.home.key.write_bytes(kept)
    world.base.home.key.chmod(0o600)
    begin_anew(world.base, note, people)
    kinds = [Entry.from_payload(payload).kind for payload in world.base.store.audit.payloads(0, 1_000)]
    assert kinds.count("log.restart") == 1
    assert kinds[-1] == "log.restart"


def test_the_command_shows_and_decides(world: World) -> None:
    world.put_back("lost")
    home, run = ["--home", str(world.base.home.path)], CliRunner()
    assert "log-repair-refused" in run.invoke(app, [*home, "log", "repair"]).stderr
    assert tick_code(world) == "log-behind"
    seen, here = world.witnessed()[0].size, world.base.store.audit.size()
    assert run.invoke(app, [*home, "log", "repair"]).stdout.startswith(
        f"{seen} entries were signed by witnesses\t{here}"
    )
    words = []
    for name in ("olive", "oscar"):
        PEOPLE[name].save(world.folder / f"{name}.pem")
        words += ["--as", name, "--key", str(world.folder / f"{name}.pem")]
    found = run.invoke(app, [*home, "log", "repair", "--new-key", *words])
    assert found.exit_code == 0, found.output
    assert found.stdout.strip() == SigningKey.load(world.base.home.key).public.hex()

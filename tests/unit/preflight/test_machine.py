"""Each check of the machine, on the good side and on the bad."""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from node_agent.config import Home
from node_agent.enrolment.startup import Coordinator, Startup
from node_agent.preflight import Outcome, Result, World, look
from node_agent.preflight import machine as checks
from tests.factories.trust import People
from trustquery.catalogue import load
from trustquery.identity import SigningKey
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name

BARE = 'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"\n'
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
DAY = 86_400


def world(folder: Path, text: str = BARE, now: int = int(NOW.timestamp())) -> World:
    home = Home(folder / "home")
    home.create()
    home.config_file.write_text(text)
    return look(home, None, now)


def kinds(results: list[Result]) -> set[str]:
    return {result.outcome.kind for result in results}


def test_settings(tmp_path: Path) -> None:
    assert checks.settings(world(tmp_path)) == [Result(checks.READ)]
    (found,) = checks.settings(world(tmp_path, BARE + "other = 1\n"))
    assert (found.outcome.kind, found.fields["code"]) == ("fail", "config-unknown-key")
    (found,) = checks.settings(
        World(Home(tmp_path / "none"), None, 0, problem=look(Home(tmp_path / "none"), None, 0).problem)
    )
    assert found.fields["code"] == "config-missing"


@pytest.mark.parametrize(
    ("free", "outcome"),
    [(2**30 - 1, checks.FULL), (2**30, checks.LITTLE), (5 * 2**30 - 1, checks.LITTLE), (5 * 2**30, checks.AMPLE)],
)
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, outcome: Outcome) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    (found,) = checks.disk(World(Home(tmp_path / "not" / "yet"), None, 0))
    assert found.outcome == outcome
    assert str(free) not in found.text


def test_keys(tmp_path: Path) -> None:
    it = world(tmp_path)
    assert checks.keys(it) == [Result(checks.NO_KEYS)]
    key = it.home.keys / "identity.pem"
    key.write_text("secret")
    key.chmod(0o600)
    assert kinds(checks.keys(it)) == {"pass"}
    key.chmod(0o640)
    assert Result(checks.UNSAFE, "identity.pem") in checks.keys(it)
    assert "secret" not in str(checks.keys(it))
    key.chmod(0o600)
    it.home.path.chmod(0o755)
    assert Result(checks.UNSAFE, "home") in checks.keys(it)


def test_a_key_that_is_a_link_or_a_proxy_password_in_the_open(tmp_path: Path) -> None:
    it = world(tmp_path, BARE + '[proxy]\nurl = "http://p:1"\nuser = "a"\npassword_file = "proxy.password"\n')
    (it.home.path / "elsewhere").write_text("x")
    (it.home.keys / "tls.pem").symlink_to(it.home.path / "elsewhere")
    password = it.home.path / "proxy.password"
    password.write_text("hunter2")
    password.chmod(0o644)
    unsafe = {result.about for result in checks.keys(it) if result.outcome == checks.UNSAFE}
    assert unsafe == {"tls.pem", "proxy.password"}


SECRETS = """
[keys]
passphrase_file = "passphrase"
[mesh]
url = "http://127.0.0.1:9"
mailbox = "A"
recipient = "B"
password_file = "mesh.password"
shared_key_file = "mesh.key"
"""


def test_every_secret_that_the_settings_name_is_looked_at_where_it_is_named(tmp_path: Path) -> None:
    it = world(tmp_path, BARE + SECRETS)
    assert it.problem is None
    (it.home.path / "elsewhere").write_text("x")
    (it.home.path / "elsewhere").chmod(0o600)
    names = ("passphrase", "mesh.password", "mesh.key")
    for name in names:
        (it.home.path / name).write_text("hunter2")
        (it.home.path / name).chmod(0o600)
    assert kinds(checks.keys(it)) == {"pass"}
    for name in names:
        file = it.home.path / name
        file.chmod(0o644)
        assert Result(checks.UNSAFE, name) in checks.keys(it)
        file.unlink()
        # What is opened refuses a link, so a link is not safe either.
        file.symlink_to(it.home.path / "elsewhere")
        assert Result(checks.UNSAFE, name) in checks.keys(it)


def source(folder: Path) -> str:
    return BARE + f'[[source]]\ndataset = "nhs-episodes"\nformat = "csv"\npath = "{folder}"\n'


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.sources(world(tmp_path)) == [Result(checks.NO_SOURCE)]
    folder = tmp_path / "data"
    it = world(tmp_path, source(folder))
    assert checks.sources(it) == [Result(checks.MISSING, "nhs-episodes")]
    folder.mkdir()
    (folder / "patient.csv").write_text("a\n1\n")
    assert checks.sources(it) == [Result(checks.WRITABLE, "nhs-episodes")]
    # As a user who may only read: whoever runs this test may be root.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert checks.sources(it) == [Result(checks.READ_ONLY, "nhs-episodes")]


def test_mapping_says_that_a_table_is_wrong_and_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    it = world(tmp_path, source(folder))
    table = next(table for table in load("nhs-episodes").tables if table.kind == "person")
    file = folder / f"{table.name}.csv"
    file.write_text("other\nSECRETVALUE\n")
    (found,) = checks.mapping(it)
    assert found.outcome == checks.UNMAPPED
    assert "SECRETVALUE" not in found.text + found.fix
    file.write_text(",".join(column.name for column in table.columns) + "\n")
    assert checks.mapping(it) == [Result(checks.MAPPED, "nhs-episodes")]
    file.unlink()
    (found,) = checks.mapping(it)
    assert found.fields["code"] == "data-source-missing"
    assert checks.mapping(world(tmp_path)) == [Result(checks.NO_SOURCE)]


def test_ledger(tmp_path: Path) -> None:
    from node_agent.budget import SqliteLedger

    it = world(tmp_path)
    assert checks.ledger(it) == [Result(checks.NO_LEDGER)]
    SqliteLedger(it.home.ledger).close()
    assert checks.ledger(it) == [Result(checks.VERIFIED)]


def enrolled(folder: Path, now: datetime.datetime, name: str = "RX1") -> World:
    authority, key = Authority.generate("test", NOW), new_tls_key()
    made = authority.issue_node(certificate_request(key, name), uri=spiffe_name("test", name), now=NOW)
    where = Coordinator(format="tq-startup-1", node="RX1", ods="RX1", grpc_address="localhost:1")
    it = world(folder, now=int(now.timestamp()))
    it.startup = Startup(People().root, where, authority.certificate_pem, made, SigningKey.generate(), key)
    return it


def ends(it: World) -> tuple[datetime.datetime, datetime.datetime]:
    from cryptography import x509

    assert it.startup is not None
    found = x509.load_pem_x509_certificate(it.startup.certificate_pem)
    return found.not_valid_before_utc, found.not_valid_after_utc


def test_certificate(tmp_path: Path) -> None:
    first, last = ends(enrolled(tmp_path, NOW))
    life = last - first
    for now, outcome in [
        (NOW, checks.VALID),
        (last - life / 4, checks.VALID),
        (last - life / 4 + datetime.timedelta(seconds=1), checks.ENDS_SOON),
        (last + datetime.timedelta(seconds=1), checks.ENDED),
        (NOW - datetime.timedelta(days=1), checks.ENDED),
    ]:
        assert checks.certificate(enrolled(tmp_path, now)) == [Result(outcome)], now
    assert checks.certificate(enrolled(tmp_path, NOW, "RX2")) == [Result(checks.OTHER_NAME)]
    assert kinds(checks.certificate(world(tmp_path))) == {"skipped"}

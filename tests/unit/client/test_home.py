"""The analyst's home: found, read strictly, its secrets kept from others."""

import os
import stat
from pathlib import Path

import pytest

from tests.factories.documents import STATEMENT, node_entry, person, root, roster
from trustquery.client.config import ClientSettings, find_home
from trustquery.client.verify import read_permit, read_standing
from trustquery.errors import TrustQueryError
from trustquery.identity import Revocations, Revoked, Roster, SigningKey
from trustquery.identity.rotation import successor_of


def test_the_home_is_given_or_named_or_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_HOME", str(tmp_path / "a"))
    assert find_home().path == tmp_path / "a"
    assert find_home(tmp_path / "b").path == tmp_path / "b"
    monkeypatch.delenv("TQ_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_home().path == tmp_path / ".trustquery" / "client"


def test_settings_are_read_back_and_mistakes_refused(tmp_path: Path) -> None:
    home = find_home(tmp_path)
    with pytest.raises(TrustQueryError) as caught:
        home.settings()
    assert caught.value.exit_status == 30
    settings = ClientSettings(coordinator="localhost:8443", user="ada", key='odd "name".pem')
    home.write_settings(settings)
    assert home.settings() == settings
    assert home.key_path(settings) == tmp_path / 'odd "name".pem'
    good = home.settings_file.read_text()
    for text in ("", "= 1", good.replace(":8443", ""), good + "more = 1\n"):
        home.settings_file.write_text(text)
        with pytest.raises(TrustQueryError) as caught:
            home.settings()
        assert caught.value.code == "config-invalid"


def test_a_private_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    home = find_home(tmp_path)
    before = os.umask(0)
    try:
        home.replace_private(home.session, b"{}")
        home.replace_private(home.session, b'{"token": "t"}')
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.session.stat().st_mode) == 0o600
    assert home.read_json(home.session) == {"token": "t"}
    home.session.write_text("damaged")
    assert home.read_json(home.session) == {}


def _signed(found: Roster, keys: list[SigningKey]) -> str:
    return found.sign(*keys).encode().decode()


def test_a_roster_is_the_roots_in_date_and_never_older(tmp_path: Path) -> None:
    import time

    now = int(time.time())
    holders = [SigningKey.generate() for _ in range(3)]
    home = find_home(tmp_path)
    home.root.write_bytes(root(*holders).payload())
    committee = (person("ann", SigningKey.generate()), person("bob", SigningKey.generate()))
    nodes = (node_entry("RX1", SigningKey.generate()),)

    def made(version: int, **changed: object) -> Roster:
        return roster(nodes, committee, **({"version": version, "issued": now - 5, "expires": now + 500} | changed))

    def read(envelope: str) -> Roster:
        return read_standing(home, {"roster": envelope, "roots": [], "revocations": ""})[0]

    assert read(_signed(made(2), holders[:2])).version == 2
    refused = {
        "older": _signed(made(1), holders[:2]),
        "one signature": _signed(made(3), holders[:1]),
        "a stranger": _signed(made(3), [holders[0], SigningKey.generate()]),
        "expired": _signed(made(3, expires=now), holders[:2]),
        "not yet": _signed(made(3, issued=now + 400), holders[:2]),
        "another federation": _signed(made(3, federation="other"), holders[:2]),
    }
    for why, envelope in refused.items():
        with pytest.raises(TrustQueryError) as caught:
            read(envelope)
        assert caught.value.code in ("auth-document", "policy-document-stale"), why
    assert read(_signed(made(2), holders[1:])).version == 2


def test_roots_roster_and_statement_are_followed_and_never_go_back(tmp_path: Path) -> None:
    import time

    now = int(time.time())
    holders = [SigningKey.generate() for _ in range(4)]
    ann, bob, node, other = (SigningKey.generate() for _ in range(4))
    home = find_home(tmp_path)
    first = root(*holders[:3])
    home.root.write_bytes(first.payload())
    second = successor_of(first, (key.public.hex() for key in holders[1:]), 2)
    chain = [second.sign(*holders[1:]).encode().decode()]
    entries = (node_entry("RX1", node), node_entry("RX2", other))
    listed = roster(entries, (person("ann", ann), person("bob", bob)), issued=now - 5, expires=now + 500)

    def said(version: int, *keys: SigningKey, signer: SigningKey = STATEMENT) -> str:
        revoked = tuple(Revoked(kind="key", id=item, until=0) for item in sorted(key.public.hex() for key in keys))
        facts = {"federation": "test", "version": version, "issued": now - 5, "expires": now + 500}
        return Revocations.model_validate(facts | {"revoked": revoked}).sign(signer).encode().decode()

    old = _signed(listed, holders[:2])
    new = _signed(listed.model_copy(update={"version": 2}), holders[2:])
    assert read_standing(home, {"roster": old, "roots": [], "revocations": ""}) == (listed, None)
    found = {"roster": new, "roots": chain, "revocations": said(2, node, bob)}
    standing, statement = read_standing(home, found)
    assert [item.node for item in standing.nodes] == ["RX2"]
    assert [item.person for item in standing.committee] == ["ann"]
    assert statement is not None
    assert statement.version == 2
    refused = {
        "no roots": found | {"roots": []},
        "a roster of a root that has ended": found | {"roster": old},
        "the roots held back": {"roster": old, "roots": [], "revocations": found["revocations"]},
        "an older statement": found | {"revocations": said(1)},
        "no statement": found | {"revocations": ""},
        "a stranger's statement": found | {"revocations": said(3, signer=ann)},
    }
    for why, changed in refused.items():
        with pytest.raises(TrustQueryError) as caught:
            read_standing(home, changed)
        assert caught.value.code in ("auth-document", "policy-document-stale"), why
    assert read_standing(home, found)[1] == statement


def test_a_permit_is_the_committees_and_the_right_projects() -> None:
    from tests.factories.documents import permit

    ann, bob, ada = (SigningKey.generate() for _ in range(3))
    found = roster((node_entry("RX1", SigningKey.generate()),), (person("ann", ann), person("bob", bob)))
    envelope = permit(ada).sign(ann, bob).encode().decode()
    assert read_permit(envelope, found, "stays").project == "stays"
    for text, project in (
        (envelope, "other"),
        (permit(ada).sign(ann).encode().decode(), "stays"),
        (permit(ada).sign(ann, ada).encode().decode(), "stays"),
        (permit(ada, federation="other").sign(ann, bob).encode().decode(), "stays"),
    ):
        with pytest.raises(TrustQueryError) as caught:
            read_permit(text, found, project)
        assert caught.value.code == "auth-document"

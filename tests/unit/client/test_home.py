"""The analyst's home: found, read strictly, its secrets kept from others."""

import os
import stat
from pathlib import Path

import pytest

from tests.factories.documents import node_entry, person, root, roster
from trustquery.client.config import ClientSettings, find_home
from trustquery.client.verify import read_permit, read_roster
from trustquery.errors import TrustQueryError
from trustquery.identity import Roster, SigningKey


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

    assert read_roster(home, _signed(made(2), holders[:2])).version == 2
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
            read_roster(home, envelope)
        assert caught.value.code in ("auth-document", "policy-document-stale"), why
    assert read_roster(home, _signed(made(2), holders[1:])).version == 2


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

"""The root holders' and the delegate's commands, as they type them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.factories.documents import node_entry, person, roster
from tests.lib.refusals import code_of
from trustquery.cli.main import app
from trustquery.cli.revoking import read_list
from trustquery.errors import TrustQueryError
from trustquery.identity import Revocations, Root, Roster, SigningKey
from trustquery.identity.rotation import follow

DAY = 86_400


class Holders:
    """A root, its holders' folders and a delegate's key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = [folder / name for name in "abc"]
        options = [item for place in self.places for item in ("--holder", place)]
        tq("federation", "init", "test", "--out", folder / "root.json", *options)
        self.root = Root.from_payload((folder / "root.json").read_bytes())
        self.delegate = folder / "delegate.pem"
        self.named = tq("key", "new", self.delegate).stdout.strip()

    def ring(self) -> dict[str, bytes]:
        return {key.key_id: key.public for key in [SigningKey.load(self.delegate)]}


def tq(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(app, [str(item) for item in arguments])
    assert done.exit_code == code, done.stderr
    return done


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Holders:
    return Holders(tmp_path_factory.mktemp("holders"))


def test_a_root_needs_as_many_holders_as_have_to_sign(tmp_path: Path) -> None:
    one = ("federation", "init", "test", "--out", tmp_path / "root.json", "--holder", tmp_path / "a")
    assert "at least as many holders" in tq(*one, code=2).stderr
    assert not (tmp_path / "a").exists()
    tq(*one, "--threshold", "1")
    assert Root.from_payload((tmp_path / "root.json").read_bytes()).threshold == 1


def test_a_daily_statement_says_what_the_list_has_and_no_reason(holders: Holders, tmp_path: Path) -> None:
    kept, out = tmp_path / "revoked.json", tmp_path / "statement.dsse"
    issue = ("federation", "statement", "--list", kept, "--key", holders.delegate, "--out", out)
    assert "restore it" in tq(*issue, code=30).stderr
    tq(*issue, "--federation", "test")
    first, _, _ = Revocations.verify(out.read_bytes(), holders.ring(), 1)
    assert (first.version, first.revoked, first.expires - first.issued) == (1, (), 7 * DAY)
    lost = ("federation", "revoke", "--list", kept, "--reason", "her laptop was stolen in Leeds")
    tq(*lost, "--key", "ab" * 32)
    tq(*lost, "--key", "ab" * 32)
    tq(*lost, "--permit", "cd" * 32, "--until", "2099-12-31")
    tq(*lost, "--permit", "ef" * 32, "--until", "2020-01-01")
    tq(*lost, "--certificate", "0A5")
    signed = roster((node_entry("RX1", SigningKey.generate()),), (person("ann", SigningKey.generate()),))
    (tmp_path / "roster.dsse").write_bytes(signed.sign(SigningKey.generate()).encode())
    tq(*lost, "--node", "RX1", "--roster", tmp_path / "roster.dsse")
    tq(*issue)
    second, _, _ = Revocations.verify(out.read_bytes(), holders.ring(), 1)
    assert second.version == 2
    assert second.ids("key") == {"ab" * 32, signed.nodes[0].key}
    assert second.ids("permit") == {"cd" * 32}
    assert second.ids("certificate") == {"0a5"}
    assert b"Leeds" not in second.payload()
    assert [item.reason for item in read_list(kept).entries] == ["her laptop was stolen in Leeds"] * 5
    shown = tq("federation", "show", out)
    assert shown.stdout.strip() == second.sha256
    assert "key " + "ab" * 32 in shown.stderr


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--key", "ab"),
        ("--key", "ab" * 32, "--permit", "cd" * 32),
        ("--key", "ab" * 32, "--until", "2030-01-01"),
        ("--permit", "cd" * 32, "--until", "soon"),
        ("--certificate", "a" * 41),
        ("--node", "RX1"),
    ],
)
def test_what_cannot_be_revoked_changes_no_list(tmp_path: Path, given: tuple[str, ...]) -> None:
    kept = tmp_path / "revoked.json"
    tq("federation", "revoke", "--list", kept, "--federation", "test", "--reason", "x", *given, code=2)
    assert not kept.exists()


def test_a_lost_holder_key_is_replaced_by_the_other_two(holders: Holders, tmp_path: Path) -> None:
    gone = holders.root.keys[1]
    lost = next(name for name in holders.root.ring if holders.root.ring[name].hex() == gone)
    out = tmp_path / "root-2.dsse"
    rotate = ("federation", "rotate", holders.folder / "root.json", "--out", out)
    assert "make no root" in tq(*rotate, "--remove", lost[:8], "--remove", holders_print(holders, 0), code=2).stderr
    assert "is not one key's print" in tq(*rotate, "--remove", "zzzz", code=2).stderr
    done = tq(*rotate, "--remove", lost[:8], "--holder", tmp_path / "d", "--key", holders.places[0] / "root.key.pem")
    assert code_of(follow, holders.root, [out.read_bytes()]) == "auth-document"
    tq("federation", "sign", out, "--key", holders.places[2] / "root.key.pem", "--out", out)
    new = follow(holders.root, [out.read_bytes()])
    assert (new.version, new.threshold, len(new.keys), gone in new.keys) == (2, 2, 3, False)
    assert done.stdout.strip() == new.sha256
    assert "root version 2" in tq("federation", "show", out).stderr


def holders_print(holders: Holders, place: int) -> str:
    return next(name for name, key in holders.root.ring.items() if key.hex() == holders.root.keys[place])


@pytest.mark.parametrize(("days", "warned"), [(8, False), (7, True), (0, True)])
def test_a_roster_that_ends_soon_is_shown_with_a_warning(tmp_path: Path, days: int, warned: bool) -> None:
    now = int(time.time())
    people = (person("ann", SigningKey.generate()),)
    made: Roster = roster((), people, issued=now - 20 * DAY, expires=now + days * DAY - 5 + 60 * (days == 8))
    (tmp_path / "roster.dsse").write_bytes(made.sign(SigningKey.generate()).encode())
    assert ("warning" in tq("federation", "show", tmp_path / "roster.dsse").stderr) is warned


def test_a_damaged_list_is_refused(tmp_path: Path) -> None:
    for text in ("", "{}", json.dumps({"format": "tq-revocation-list-2", "federation": "test"})):
        (tmp_path / "revoked.json").write_text(text)
        with pytest.raises(TrustQueryError, match="config-invalid"):
            read_list(tmp_path / "revoked.json", begin="test")
